"""A small model for tests: a LeNet whose batch norms have seen a few random batches."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models import create_model
from models.artifact.golden import GOLDEN_FILE
from models.artifact.metadata import DETECTOR_FILE, Unfamiliarity
from models.artifact.save import save_artifact
from models.artifact.store import Dataset, ModelDescription, ModelMetrics
from models.engines.conversion import float32_network
from models.features import last_linear, with_features
from models.preprocessing.transform import Preprocessing
from models.unfamiliarity import Reference
from models.unfamiliarity.base import Floats
from models.unfamiliarity.detector import Detector
from training.export.golden import make_golden

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def small_model() -> nn.Module:
    """A LeNet with random weights, batch norms updated, in eval mode; the same at every call."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = create_model("lenet", len(CLASSES))
        model.train()
        with torch.no_grad():
            for _ in range(20):
                model(torch.randn(32, 3, 32, 32))
    return model.eval()


@cache
def small_network() -> dict[str, bytes]:
    """`small_model()` as the files that an artifact has of it for OpenVINO."""
    return float32_network(small_model(), Preprocessing.from_metadata(description()), "lenet-test")


def noise(count: int, seed: int) -> Tensor:
    """Images of noise, uint8 (count, 3, 32, 32)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (count, 3, 32, 32), dtype=torch.uint8, generator=generator)


def small_detector(model: nn.Module) -> Detector:
    """Of `model`, to which images of noise are familiar."""
    preprocessing, classifier = Preprocessing.from_metadata(description()), last_linear(model)

    def answer(images: Tensor) -> tuple[Floats, Floats]:
        with torch.no_grad():
            logits, features = with_features(model)(preprocessing.normalize(images))
        return features.numpy(), logits.numpy()

    features, logits = answer(noise(40, 2))
    known = Reference(
        features,
        logits,
        np.arange(40) % len(CLASSES),
        classifier.weight.detach().numpy(),
        classifier.bias.detach().numpy(),
        features[:0],
    )
    return Detector.fit("nearest_neighbours", known, *answer(noise(40, 3)))


def description(name: str = "lenet-test", version: str = "1") -> ModelDescription:
    return ModelDescription(
        schema_version=2,
        name=name,
        version=version,
        architecture="lenet",
        in_channels=3,
        classes=CLASSES,
        input_size=32,
        interpolation="bilinear",
        mean=(0.4914, 0.4822, 0.4465),
        std=(0.2470, 0.2435, 0.2616),
        temperature=1.5,
        weights_dtype="float32",
        metrics=ModelMetrics(
            accuracy=0.1,
            images=10_000,
            negative_log_likelihood=2.3,
            expected_calibration_error=0.05,
            per_class_accuracy=dict.fromkeys(CLASSES, 0.1),
        ),
        int8=None,
        recipe={
            "name": "test",
            "alternating_flip": True,
            "augmentation": [{"name": "random_crop", "padding": 3, "padding_mode": "reflect"}],
        },
        dataset=Dataset(name="none", sha256="0" * 64, train_images=1, held_out_images=0, test_images=10_000),
        hardware="none",
        training_seconds=0.0,
        library_versions={"torch": torch.__version__},
        created="2026-01-31T12:00:00Z",
    )


def save_small_artifact(
    folder: Path,
    model: nn.Module | None = None,
    *,
    name: str = "lenet-test",
    version: str = "1",
    files: Mapping[str, bytes] | None = None,
    with_detector: bool = False,
) -> Path:
    """Store `model`, or else `small_model()` with its network, in `folder`.

    The golden logits are always those of `small_model()`.

    With a detector, images of noise are familiar.
    """
    fit = small_model()
    about = description(name, version)
    files = {**(small_network() if model is None else {}), **(files or {})}
    if with_detector:
        known = Unfamiliarity(score="nearest_neighbours", reference_images=40, held_out_images=40, kept=0.95)
        about = about.model_copy(update={"unfamiliarity": known})
        files[DETECTOR_FILE] = small_detector(fit).to_bytes()
    images = torch.randint(256, (4, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    golden = make_golden(fit, Preprocessing.from_metadata(about), images)
    save_artifact(folder, model or fit, about, {GOLDEN_FILE: golden, **files})
    return folder
