"""What is the OpenVINO engine's own: its precisions and its threads. What holds for all is tested there."""

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from app.settings import Settings
from models.artifact.golden import GOLDEN_FILE
from models.artifact.store import Artifact, load_artifact, read_artifact
from models.engines import openvino_engine
from models.engines.base import EngineError, EngineOptions, Precision
from models.engines.openvino_engine import OpenVinoEngine
from models.engines.quiet_openvino import openvino
from models.preprocessing.transform import Preprocessing
from tests.support.artifacts import save_small_artifact, small_model

hint = openvino.properties.hint
inference_num_threads = openvino.properties.inference_num_threads
num_streams = openvino.properties.num_streams

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 3, 32, 32), np.uint8)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return load_artifact(save_small_artifact(tmp_path_factory.mktemp("models") / "lenet-test" / "1"))


class _Recorded(openvino.Core):  # type: ignore[misc]
    """A core that says it can compute in `capabilities`, and keeps what it is asked to compile."""

    capabilities: tuple[str, ...] = ("FP32", "INT8")
    config: dict[object, object]

    def get_property(self, device: str, name: str) -> object:
        if name == "OPTIMIZATION_CAPABILITIES":
            return list(self.capabilities)
        return super().get_property(device, name)

    def compile_model(self, network: object, device: str, config: dict[object, object]) -> object:
        type(self).config = config
        return super().compile_model(network, device, config)


@pytest.mark.parametrize(
    ("capabilities", "precision"), [(("FP32", "BF16"), "bfloat16"), (("FP32",), "float32")]
)
def test_without_int8_auto_precision_is_what_the_processor_computes_itself(
    artifact: Artifact, monkeypatch: pytest.MonkeyPatch, capabilities: tuple[str, ...], precision: str
) -> None:
    monkeypatch.setattr(_Recorded, "capabilities", capabilities)
    monkeypatch.setattr(openvino_engine, "CORE", _Recorded())
    engine = OpenVinoEngine.of(artifact, EngineOptions())
    assert engine.precision == precision
    asked = _Recorded.config[hint.inference_precision]
    assert asked == (openvino.Type.bf16 if precision == "bfloat16" else openvino.Type.f32)


def test_bfloat16_is_refused_where_the_processor_lacks_it(
    artifact: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino_engine, "CORE", _Recorded())
    with pytest.raises(EngineError, match="does not compute in bfloat16"):
        OpenVinoEngine.of(artifact, EngineOptions(precision="bfloat16"))


@pytest.mark.parametrize(("threads", "concurrency"), [(1, 1), (2, 1), (7, 1), (8, 2), (32, 8)])
def test_many_threads_compute_several_batches_at_once(
    artifact: Artifact, monkeypatch: pytest.MonkeyPatch, threads: int, concurrency: int
) -> None:
    monkeypatch.setattr(openvino_engine, "CORE", _Recorded())
    engine = OpenVinoEngine.of(artifact, EngineOptions(threads=threads))
    assert engine.concurrency == _Recorded.config[num_streams] == concurrency
    assert _Recorded.config[inference_num_threads] == threads


@pytest.mark.parametrize("threads", [2, 7])
def test_for_throughput_every_thread_has_a_batch_of_its_own(
    artifact: Artifact, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    engine = OpenVinoEngine.of(artifact, EngineOptions(threads=threads))
    monkeypatch.setattr(openvino_engine, "CORE", _Recorded())
    several = engine.for_throughput()
    assert several is not None
    assert several.concurrency == _Recorded.config[num_streams] == threads
    assert _Recorded.config[inference_num_threads] == threads
    assert several.precision == engine.precision
    assert several.for_throughput() is None


@pytest.mark.parametrize("threads", [1, 8])
def test_one_thread_and_many_have_no_other_engine_for_throughput(artifact: Artifact, threads: int) -> None:
    assert OpenVinoEngine.of(artifact, EngineOptions(threads=threads)).for_throughput() is None


@pytest.mark.parametrize("precision", ["int8", "float32"])
def test_for_throughput_every_batch_has_the_same_logits(artifact: Artifact, precision: Precision) -> None:
    """In int8 another order of adding up could tip a value to the next of 256."""
    model = read_artifact(Settings().model_dir) if precision == "int8" else artifact
    engine = OpenVinoEngine.of(model, EngineOptions(precision=precision, threads=2))
    several = engine.for_throughput()
    assert several is not None
    images = np.random.default_rng(1).integers(0, 256, (16, 3, 32, 32), np.uint8)
    for size in (1, 2, 3, 8, 13, 16):
        for one, other in zip(
            engine.predict_with_features(images[:size]),
            several.predict_with_features(images[:size]),
            strict=True,
        ):
            assert np.allclose(one, other, rtol=1e-5, atol=1e-5)


def test_float32_computes_an_int8_network_without_exact_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Arm. Sums in another order tip some values to the next of 256, so the logits differ a little.

    By how much depends on the network: with the one that is bundled, by 0.11 at most.
    """
    artifact, options = read_artifact(Settings().model_dir), EngineOptions(precision="int8")
    golden = load_file(artifact.folder / GOLDEN_FILE)
    monkeypatch.setattr(openvino_engine, "HAS_EXACT_INT8", False)
    logits = OpenVinoEngine.of(artifact, options).predict(golden["images"])
    difference = np.abs(logits - golden["int8_logits"])
    assert 0 < difference.max() < 0.2
    assert difference.mean() < 0.02


def test_any_number_of_images_is_one_batch(artifact: Artifact) -> None:
    engine = OpenVinoEngine.of(artifact, EngineOptions(precision="float32", threads=2))
    preprocessing = Preprocessing.from_metadata(artifact.metadata)
    for size in (1, 3, 33):
        images = np.random.default_rng(size).integers(0, 256, (size, 3, 32, 32), np.uint8)
        with torch.inference_mode():
            expected = small_model()(preprocessing.normalize(torch.from_numpy(images))).numpy()
        assert np.allclose(engine.predict(images), expected, atol=1e-4)


def test_a_failed_batch_does_not_use_the_engine_up(artifact: Artifact) -> None:
    engine = OpenVinoEngine.of(artifact, EngineOptions(precision="float32"))
    with pytest.raises(RuntimeError):
        engine.predict(np.zeros((1, 5, 32, 32), np.uint8))
    assert engine.predict(IMAGES).shape == (4, 10)
