"""Golden tensors as they are made: of the given images, by a network that is ready."""

import pytest
import torch
from safetensors.torch import load
from torch import Tensor

from models.preprocessing.transform import Preprocessing
from tests.support.small_model import DESCRIPTION, lenet, random_images
from training.export.golden import make_golden

PREPROCESSING = Preprocessing.from_metadata(DESCRIPTION)


@torch.no_grad()
def predict(images: Tensor) -> Tensor:
    logits: Tensor = lenet()(PREPROCESSING.normalize(images))
    return logits


def test_the_file_holds_the_images_and_their_logits() -> None:
    images = random_images(4)
    golden = load(make_golden(lenet(), PREPROCESSING, images))
    assert golden.keys() == {"images", "logits"}
    assert torch.equal(golden["images"], images)
    assert golden["logits"].dtype == torch.float32
    torch.testing.assert_close(golden["logits"], predict(images))


@pytest.mark.parametrize("int8_logits", [torch.zeros(3, 3), torch.zeros(4, 3, dtype=torch.float64)])
def test_logits_of_an_int8_network_of_another_type_or_shape_are_refused(int8_logits: Tensor) -> None:
    with pytest.raises(ValueError, match=r"int8_logits must be float32 \(4, 3\), got torch\.float"):
        make_golden(lenet(), PREPROCESSING, random_images(4), int8_logits)


@pytest.mark.parametrize("images", [torch.rand(2, 3, 16, 16), random_images(0), random_images(1)[0]])
def test_images_of_another_type_or_shape_are_refused(images: Tensor) -> None:
    with pytest.raises(ValueError, match=r"images must be uint8 \(N, C, S, S\) with N >= 1"):
        make_golden(lenet(), PREPROCESSING, images)


def test_a_model_in_training_mode_is_refused() -> None:
    with pytest.raises(ValueError, match="is in training mode"):
        make_golden(lenet().train(), PREPROCESSING, random_images(2))
