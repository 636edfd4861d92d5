"""A network that is stored converted: it computes what the stored weights do, and takes no PyTorch."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from models.artifact.metadata import FLOAT32_NETWORK_FILE, FLOAT32_WEIGHTS_FILE
from models.artifact.save import save_artifact, seal_artifact
from models.artifact.store import load_artifact
from models.engines.conversion import float32_network
from models.preprocessing.transform import Preprocessing
from tests.support.small_model import DESCRIPTION, lenet, random_images

REPOSITORY = Path(__file__).parents[3]
PREPROCESSING = Preprocessing.from_metadata(DESCRIPTION)

PROGRAM = """
import sys
sys.modules["torch"] = sys.modules["torchvision"] = None  # to import them is an ImportError
from pathlib import Path
import numpy as np
from models.artifact.store import read_artifact
from models.engines.base import EngineOptions
from models.engines.openvino_engine import OpenVinoEngine

folder = Path(sys.argv[1])
engine = OpenVinoEngine.of(read_artifact(folder), EngineOptions(precision="float32", apart=True))
np.save(folder.parent / "logits.npy", engine.predict(np.load(folder.parent / "images.npy")))
"""


def test_a_model_without_int8_is_served_without_pytorch(tmp_path: Path) -> None:
    folder = tmp_path / "1"
    save_artifact(folder, lenet(), DESCRIPTION, {})
    seal_artifact(folder)
    images = random_images(5)
    np.save(tmp_path / "images.npy", images.numpy())
    subprocess.run([sys.executable, "-c", PROGRAM, str(folder)], cwd=REPOSITORY, check=True, timeout=300)
    with torch.no_grad():
        expected = load_artifact(folder).model(PREPROCESSING.normalize(images))
    assert np.allclose(np.load(tmp_path / "logits.npy"), expected.numpy(), atol=1e-5)


def test_sealing_adds_it_to_a_model_that_was_stored_without(tmp_path: Path) -> None:
    save_artifact(tmp_path / "1", lenet(), DESCRIPTION, {})
    sealed = seal_artifact(tmp_path / "1")
    stored = load_artifact(tmp_path / "1").model
    for name, content in float32_network(stored, PREPROCESSING, DESCRIPTION.name).items():
        assert (tmp_path / "1" / name).read_bytes() == content
        assert name in sealed.files


@pytest.mark.parametrize("missing", [FLOAT32_NETWORK_FILE, FLOAT32_WEIGHTS_FILE])
def test_it_is_stored_whole_or_not_at_all(tmp_path: Path, missing: str) -> None:
    (half,) = {FLOAT32_NETWORK_FILE, FLOAT32_WEIGHTS_FILE} - {missing}
    with pytest.raises(ValidationError, match=f"one part of the float32 network, but not {missing}"):
        save_artifact(tmp_path / "1", lenet(), DESCRIPTION, {half: b""})
