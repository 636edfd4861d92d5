"""A LeNet whose batch norms have seen data, and its description, for tests of what is stored and served."""

import copy
from functools import cache

import torch
from torch import Tensor, nn

from models import create_model
from models.artifact.store import (
    INT8_NETWORK_FILE,
    INT8_WEIGHTS_FILE,
    Dataset,
    Int8,
    ModelDescription,
    ModelMetrics,
)

CLASSES = ("cat", "dog", "frog")


def random_images(count: int, channels: int = 3, seed: int = 0) -> Tensor:
    """Noise as uint8 (count, channels, 16, 16)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, channels, 16, 16), dtype=torch.uint8, generator=generator)


def lenet() -> nn.Module:
    """A LeNet for 16 px images, in eval mode, with running statistics of a few random batches."""
    return copy.deepcopy(_lenet())


@cache
def _lenet() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = create_model("lenet", num_classes=len(CLASSES))
        with torch.no_grad():
            for _ in range(3):
                model(torch.randn(8, 3, 16, 16))
    return model.eval()


DESCRIPTION = ModelDescription(
    schema_version=2,
    name="small",
    version="1",
    architecture="lenet",
    in_channels=3,
    classes=CLASSES,
    input_size=16,
    interpolation="bilinear",
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
    temperature=1.5,
    weights_dtype="float16",
    metrics=ModelMetrics(
        accuracy=0.75,
        images=12,
        negative_log_likelihood=0.7,
        expected_calibration_error=0.05,
        per_class_accuracy={"cat": 0.5, "dog": 0.75, "frog": 1.0},
    ),
    int8=None,
    recipe={"optimizer": "sgd", "stages": [{"epochs": 2, "image_size": 16}], "clip": None},
    dataset=Dataset(name="noise", sha256="0" * 64, train_images=24, held_out_images=4, test_images=12),
    hardware="2 CPU cores",
    training_seconds=1.5,
    library_versions={"torch": "2.14.1"},
    created="2026-01-31T12:00:00Z",
)

WITH_INT8 = DESCRIPTION.model_copy(
    update={
        "int8": Int8(
            method="post-training",
            calibration_images=24,
            held_out_accuracy=0.75,
            held_out_accuracy_float32=0.75,
            held_out_images=4,
            metrics=DESCRIPTION.metrics,
        )
    }
)
"""The same of a model with an int8 network beside it."""

INT8_FILES = {INT8_NETWORK_FILE: b"<net/>", INT8_WEIGHTS_FILE: b"weights"}
"""What stands for that network where nothing runs it."""
