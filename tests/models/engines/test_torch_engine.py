"""What is the PyTorch engine's own: folding, precision, mode. What holds for every engine is tested there."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from models import create_model, hardware
from models.artifact.store import Artifact, load_artifact
from models.batch_norm.layer import BATCH_NORMS
from models.engines.base import EngineError, EngineOptions
from models.engines.torch_engine import TorchEngine
from models.preprocessing.transform import Preprocessing
from tests.support.artifacts import description, save_small_artifact, small_model

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 3, 32, 32), np.uint8)
NORMALISED = Preprocessing.from_metadata(description()).normalize(torch.from_numpy(IMAGES))


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    return load_artifact(save_small_artifact(tmp_path / "lenet-test" / "1"))


def _modules(engine: TorchEngine) -> list[nn.Module]:
    assert isinstance(engine._model, nn.Module)
    return list(engine._model.modules())


def test_a_network_in_training_mode_is_computed_in_eval_mode(artifact: Artifact) -> None:
    artifact.model.train()
    with torch.no_grad():
        expected = small_model()(NORMALISED).numpy()
    engine = TorchEngine(artifact, EngineOptions("cpu", "float32"))
    assert np.allclose(engine.predict(IMAGES), expected, atol=1e-5)
    assert not any(module.training for module in _modules(engine))


def test_batch_norms_after_convolutions_are_folded_and_the_artifact_keeps_its_own(artifact: Artifact) -> None:
    norms = sum(isinstance(module, BATCH_NORMS) for module in artifact.model.modules())
    engine = TorchEngine(artifact, EngineOptions("cpu", "float32"))
    assert sum(isinstance(module, BATCH_NORMS) for module in _modules(engine)) == norms - 2
    assert sum(isinstance(module, BATCH_NORMS) for module in artifact.model.modules()) == norms


def test_bfloat16_gives_nearly_the_same_logits(artifact: Artifact) -> None:
    engine = TorchEngine(artifact, EngineOptions("cpu", "bfloat16"))
    expected = small_model()(NORMALISED).detach().numpy()
    logits = engine.predict(IMAGES)
    assert engine.precision == "bfloat16"
    assert logits.dtype == np.float32
    assert not np.array_equal(logits, expected)
    assert np.allclose(logits, expected, atol=0.1)


def test_where_pytorch_cannot_compile_the_reason_is_one_line(
    artifact: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(_: object, **__: object) -> Callable[[object], object]:
        def fail(_: object) -> object:
            raise RuntimeError(
                "InvalidCxxCompiler: No working C++ compiler found\n\nSet TORCHDYNAMO_VERBOSE=1"
            )

        return fail

    monkeypatch.setattr(torch, "compile", lacking)
    with pytest.raises(EngineError, match=r"cannot compile .* No working C\+\+ compiler found \(") as refusal:
        TorchEngine(artifact, EngineOptions("cpu", "float32", compile=True))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(("flags", "precision"), [("avx512_bf16", "bfloat16"), ("avx512f", "float32")])
def test_auto_precision_is_what_the_processor_computes_itself(
    artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, precision: str
) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(f"flags\t\t: {flags}\n")
    monkeypatch.setattr(hardware, "CPU_INFO", info)
    assert TorchEngine(artifact, EngineOptions("cpu")).precision == precision


def test_threads_are_those_of_the_options(artifact: Artifact) -> None:
    before = torch.get_num_threads()
    try:
        TorchEngine(artifact, EngineOptions("cpu", "float32", threads=3))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_a_resnet_is_computed_as_it_is(artifact: Artifact) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = create_model("resnet18-3x3", 10).eval()
    other = replace(artifact)
    vars(other)["model"] = model
    engine = TorchEngine(other, EngineOptions("cpu", "float32"))
    with torch.inference_mode():
        expected = model(NORMALISED[:2]).numpy()
    assert np.allclose(engine.predict(IMAGES[:2]), expected, rtol=1e-4, atol=1e-4)


def test_device_is_a_gpu_exactly_where_there_is_one(artifact: Artifact) -> None:
    engine = TorchEngine(artifact, EngineOptions("auto", "float32"))
    assert engine.device == ("cuda" if torch.cuda.is_available() else "cpu")
    assert (engine.max_batch is None) == torch.cuda.is_available()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-4), ("bfloat16", 0.1)])
def test_a_gpu_gives_the_processors_logits(artifact: Artifact, precision: str, tolerance: float) -> None:
    engine = TorchEngine(artifact, EngineOptions("cuda", precision))  # type: ignore[arg-type]
    expected = small_model()(NORMALISED).detach().numpy()
    assert np.allclose(engine.predict(IMAGES), expected, atol=tolerance)
