"""Classification takes no PyTorch: it is not imported, and need not be installed."""

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
BUNDLED = REPOSITORY / "models" / "weights" / "resnet18-cifar10" / "1"
SAMPLES = REPOSITORY / "app" / "static" / "samples"

MISSING = """
import sys
sys.modules["torch"] = sys.modules["torchvision"] = None  # to import them is an ImportError
"""

PROGRAM = """
import sys
from pathlib import Path

import app.__main__
from app.main import create_app, engine_options
from app.registry.served_model import load_model
from app.settings import Settings
from models.preprocessing.decode import decode
from tests.support.service import running

folder, samples = map(Path, sys.argv[1:])
settings = Settings(model_dir=folder, device="cpu", engine_threads=1, max_batch=2)
model = load_model(folder, settings.engine, engine_options(settings), settings.max_batch)
decoded = decode((samples / "cat.png").read_bytes(), 1_000_000, model.preprocessing.input_size)
[score] = model.classify([model.preprocessing.resize(decoded.image, decoded.box)])
assert model.metadata.classes[score.classes[0]] == "cat"
assert model.engine.precision == "int8"

with running(create_app(settings)) as client:
    answer = client.post("/predict", files={"file": ("cat.png", (samples / "cat.png").read_bytes())})
    assert answer.json()["predictions"][0]["top"][0]["label"] == "cat", answer.text
    described = f"/models/{model.metadata.name}"
    for path in ("/models", described, f"{described}/report", "/augmentations", "/openapi.json", "/metrics"):
        assert client.get(path).status_code == 200, path
    if "torch" in sys.modules and sys.modules["torch"] is None:
        refused = client.post("/explain", files={"file": ("cat.png", (samples / "cat.png").read_bytes())})
        assert refused.status_code == 501, refused.text
        assert refused.json()["error"]["code"] == "pytorch_not_installed"

print(sorted({name.partition(".")[0] for name, module in sys.modules.items() if module is not None}
             & {"torch", "torchvision"}))
"""


@pytest.mark.parametrize("before", ["", MISSING], ids=["installed", "missing"])
def test_the_service_classifies_without_pytorch(before: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", before + PROGRAM, str(BUNDLED), str(SAMPLES)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
