"""A network that another process has converted is the one that this process would have."""

from pathlib import Path

import numpy as np
import pytest

from models.artifact.save import save_artifact
from models.artifact.store import load_artifact
from models.engines import conversion_apart
from models.engines.base import EngineError, EngineOptions
from models.engines.conversion_apart import convert_apart
from models.engines.openvino_engine import OpenVinoEngine
from models.module_calls import MODULE_CALLS
from tests.support.small_model import DESCRIPTION, lenet, random_images


def test_it_computes_the_same_and_nobody_waits_for_it(tmp_path: Path) -> None:
    save_artifact(tmp_path / "1", lenet(), DESCRIPTION, {})
    artifact = load_artifact(tmp_path / "1")
    here = OpenVinoEngine.of(artifact, EngineOptions(precision="float32"))
    with MODULE_CALLS.computing():  # which a conversion in this process would wait for
        apart = OpenVinoEngine.of(artifact, EngineOptions(precision="float32", apart=True))
    images = random_images(5).numpy()
    assert np.allclose(apart.predict(images), here.predict(images), atol=1e-6)


def test_what_goes_wrong_there_is_told_here(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"cannot be converted for openvino: .*the file is missing"):
        convert_apart(tmp_path)


def test_it_is_not_waited_for_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversion_apart, "SECONDS", 0.01)
    with pytest.raises(EngineError, match=r"cannot be converted for openvino in 0\.01 s"):
        convert_apart(tmp_path)
