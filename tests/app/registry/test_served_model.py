"""Only a model that is proven fit is served."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from torch import nn

from app.registry.served_model import for_throughput, load_model
from models import create_model
from models.artifact.golden import GOLDEN_FILE
from models.artifact.store import ArtifactError
from models.batch_norm.layer import BatchNorm
from models.engines import EngineOptions
from tests.support.artifacts import CLASSES, save_small_artifact, small_model

TORCH = ("torch", EngineOptions("cpu", "float32", threads=1), 3)
"""How to compute: engine, options and batch limit."""

OPENVINO = ("openvino", EngineOptions("cpu", "float32", threads=2), 3)


def test_fit_model_loads_with_all_that_requests_need(tmp_path: Path) -> None:
    model = load_model(save_small_artifact(tmp_path / "m" / "1"), *TORCH)
    assert model.metadata.classes == CLASSES
    assert model.engine_reason == "engine=torch"
    assert model.max_batch == 3
    assert model.preprocessing.input_size == 32
    assert model.engine.predict(np.zeros((2, 3, 32, 32), np.uint8)).shape == (2, 10)
    assert [norm.training for norm in model.batch_norms] == [False] * 4
    assert model.facts.layers[-1].output_shape == (10,)


def test_probabilities_are_the_softmax_of_logits_over_temperature(tmp_path: Path) -> None:
    model = load_model(save_small_artifact(tmp_path / "m" / "1"), *TORCH)
    logits = np.array([[0, 1.5, -3]], np.float32)
    expected = torch.softmax(torch.tensor([[0.0, 1.0, -2.0]]), dim=1).numpy()
    assert np.allclose(model.probabilities(logits), expected)


def test_scores_are_each_images_own_the_most_probable_class_first(tmp_path: Path) -> None:
    model = load_model(save_small_artifact(tmp_path / "m" / "1"), *TORCH)
    images = torch.randint(256, (3, 3, 32, 32), generator=torch.Generator().manual_seed(2)).to(torch.uint8)
    with torch.inference_mode():
        logits = small_model()(model.preprocessing.normalize(images))
    expected = torch.softmax(logits / model.metadata.temperature, dim=1)
    scores = model.classify(list(images.numpy()))
    assert len(scores) == 3
    for score, probabilities in zip(scores, expected, strict=True):
        assert score.probabilities == sorted(score.probabilities, reverse=True)
        assert sorted(score.classes) == list(range(10))
        assert score.probabilities == pytest.approx(probabilities[score.classes].tolist(), abs=1e-5)
        assert score.inference_seconds > 0


def test_missing_artifact_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"model\.safetensors: the file is missing"):
        load_model(tmp_path, *TORCH)


def test_batch_norm_that_was_never_updated_is_refused(tmp_path: Path) -> None:
    folder = save_small_artifact(tmp_path / "m" / "1", create_model("lenet", len(CLASSES)).eval())
    with pytest.raises(ArtifactError, match=r"batch norm .+ was never updated"):
        load_model(folder, *TORCH)


def test_batch_norm_in_training_mode_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should loading ever forget eval mode, the service still does not start."""
    folder = save_small_artifact(tmp_path / "m" / "1")
    monkeypatch.setattr(nn.Module, "eval", lambda self: self.train())
    with pytest.raises(ArtifactError, match="only a batch norm in eval mode can be folded"):
        load_model(folder, *TORCH)


def _other_weights(model: nn.Module) -> None:
    with torch.no_grad():
        next(model.parameters()).add_(0.1)


def _other_statistics(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, BatchNorm):
            module.running_mean += 0.1


@pytest.mark.parametrize("change", [_other_weights, _other_statistics])
def test_network_that_does_not_give_the_golden_logits_is_refused(
    tmp_path: Path, change: Callable[[nn.Module], None]
) -> None:
    model = small_model()
    change(model)
    message = rf"{GOLDEN_FILE}: the engine's logits differ by .*: on this processor, use another precision"
    with pytest.raises(ArtifactError, match=message):
        load_model(save_small_artifact(tmp_path / "m" / "1", model), *TORCH)


def test_for_throughput_a_model_answers_alike_in_several_batches_at_once(tmp_path: Path) -> None:
    model = load_model(save_small_artifact(tmp_path / "m" / "1"), *OPENVINO)
    several = for_throughput(model)
    assert several is not None
    assert several.engine is not model.engine
    assert several.engine.concurrency == 2
    assert (several.max_batch, several.metadata) == (model.max_batch, model.metadata)
    assert several.batch_seconds > 0
    images = list(np.random.default_rng(3).integers(0, 256, (3, 3, 32, 32), np.uint8))
    for one, other in zip(model.classify(images), several.classify(images), strict=True):
        assert one.classes == other.classes
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)


def test_an_engine_without_another_for_throughput_serves_alone(tmp_path: Path) -> None:
    assert for_throughput(load_model(save_small_artifact(tmp_path / "m" / "1"), *TORCH)) is None


def test_the_engine_for_throughput_has_to_give_the_golden_logits_too(tmp_path: Path) -> None:
    folder = save_small_artifact(tmp_path / "m" / "1")
    model = load_model(folder, *OPENVINO)
    golden = load_file(folder / GOLDEN_FILE)
    golden["logits"][0, 0] += 1
    save_file(golden, folder / GOLDEN_FILE)
    with pytest.raises(ArtifactError, match=rf"{GOLDEN_FILE}: the engine's logits differ"):
        for_throughput(model)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a CUDA device")
def test_missing_cuda_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no CUDA device"):
        load_model(save_small_artifact(tmp_path / "m" / "1"), "auto", EngineOptions("cuda"), None)
