"""Evaluation needs the memory of so many pixels, whatever the size of the images."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.artifact.store import load_artifact
from models.engines import Precision
from models.engines.base import Floats, Images
from models.preprocessing.transform import Preprocessing
from tests.support.tiny_run import tiny_data
from training.data.cifar10 import Split
from training.evaluation.batch_size import PIXELS, batch_size
from training.evaluation.engines import engine_logits
from training.evaluation.outputs import answer_of_engine, answer_of_network
from training.evaluation.views import measure_views

IMAGES = torch.randint(0, 256, (12, 3, 320, 320), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
"""Of which 5 are a batch."""
PREPROCESSING = Preprocessing(320, 3, "bilinear", (0.5,) * 3, (0.25,) * 3)


class Recorder(nn.Module):
    """A network, and an engine without a largest batch, that notes how many images it is given at once."""

    name, version, device = "recorder", "1", "cpu"
    precision: Precision = "float32"
    concurrency = 1
    max_batch: int | None = None

    def __init__(self) -> None:
        super().__init__()
        self.classifier = nn.Linear(3, 3)
        self.sizes: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        self.sizes.append(len(images))
        logits: Tensor = self.classifier(images.mean((2, 3)))
        return logits

    def predict(self, images: Images) -> Floats:
        return self.predict_with_features(images)[0]

    @torch.inference_mode()
    def predict_with_features(self, images: Images) -> tuple[Floats, Floats]:
        logits = self(PREPROCESSING.normalize(torch.from_numpy(images))).numpy()
        return logits, np.zeros((len(images), 3), np.float32)

    def for_throughput(self) -> None:
        """Nothing to gain."""


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [(16, 16, 500), (32, 32, 500), (96, 96, 55), (320, 160, 10), (800, 800, 1)],
)
def test_a_batch_has_as_many_images_as_have_so_many_pixels(height: int, width: int, expected: int) -> None:
    size = batch_size(torch.zeros(1, 1, 1, 1, dtype=torch.uint8).expand(9, 3, height, width))
    assert size == expected
    assert size == 1 or size * height * width <= PIXELS


def test_networks_and_engines_are_given_few_large_images_at_once() -> None:
    recorder = Recorder()
    for answer in (
        lambda images: engine_logits(recorder, images).numpy(),
        lambda images: answer_of_engine(recorder)(images).logits,
        lambda images: answer_of_network(recorder, PREPROCESSING)(images).logits,
    ):
        recorder.sizes.clear()
        whole = answer(IMAGES)
        assert recorder.sizes == [5, 5, 2]
        np.testing.assert_allclose(
            whole, np.concatenate([answer(each) for each in torch.split(IMAGES, 1)]), atol=1e-5
        )


def test_an_engine_is_given_its_own_largest_batch() -> None:
    recorder = Recorder()
    recorder.max_batch = 8
    engine_logits(recorder, IMAGES)
    assert recorder.sizes == [8, 4]


def test_the_views_of_an_image_count_as_images(exported: Path) -> None:
    recorder, artifact = Recorder(), load_artifact(exported)
    part = Split(IMAGES[:7, :, :160, :160], torch.arange(7) % 3)
    measure_views(artifact, recorder, replace(tiny_data(), test=part), None, count=None, seed=0)
    assert recorder.sizes == [20, 8, 20, 8]
