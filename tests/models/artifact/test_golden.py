"""Golden tensors: an engine that computes something else is found out."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor

from models.artifact.golden import GOLDEN_FILE, check_golden, make_golden
from models.artifact.store import ArtifactError
from models.preprocessing.transform import Preprocessing
from tests.support.small_model import DESCRIPTION, lenet, random_images

PREPROCESSING = Preprocessing.from_metadata(DESCRIPTION)


@torch.no_grad()
def predict(images: Tensor) -> Tensor:
    logits: Tensor = lenet()(PREPROCESSING.normalize(images))
    return logits


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / GOLDEN_FILE).write_bytes(make_golden(lenet(), PREPROCESSING, random_images(4)))
    return tmp_path


def test_the_file_holds_the_images_and_their_logits() -> None:
    images = random_images(4)
    golden = load(make_golden(lenet(), PREPROCESSING, images))
    assert golden.keys() == {"images", "logits"}
    assert torch.equal(golden["images"], images)
    assert golden["logits"].dtype == torch.float32
    torch.testing.assert_close(golden["logits"], predict(images))


def test_the_same_model_passes(folder: Path) -> None:
    check_golden(folder, predict, tolerance=1e-5)


def test_the_tolerance_is_on_the_largest_difference_of_a_logit(folder: Path) -> None:
    def one_logit_off(images: Tensor) -> Tensor:
        logits = predict(images)
        logits[2, 1] += 0.5
        return logits

    check_golden(folder, one_logit_off, tolerance=0.51)
    with pytest.raises(
        ArtifactError, match=r"golden\.safetensors: .* differ by up to 0\.5, allowed are 0\.49"
    ):
        check_golden(folder, one_logit_off, tolerance=0.49)


def test_logits_that_are_not_numbers_are_refused(folder: Path) -> None:
    with pytest.raises(ArtifactError, match="differ by up to nan"):
        check_golden(folder, lambda images: predict(images) * torch.nan, tolerance=1e9)


def test_logits_of_another_shape_are_refused(folder: Path) -> None:
    with pytest.raises(ArtifactError, match=r"logits of shape \(4, 2\), stored are \(4, 3\)"):
        check_golden(folder, lambda images: predict(images)[:, :2], tolerance=1)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"golden\.safetensors: the file is missing"):
        check_golden(tmp_path, predict, tolerance=1)


def test_a_truncated_file_is_named(folder: Path) -> None:
    file = folder / GOLDEN_FILE
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match=r"golden\.safetensors: not a whole safetensors file"):
        check_golden(folder, predict, tolerance=1)


@pytest.mark.parametrize("missing", ["images", "logits"])
def test_a_missing_tensor_is_named(folder: Path, missing: str) -> None:
    file = folder / GOLDEN_FILE
    tensors = load(file.read_bytes())
    del tensors[missing]
    file.write_bytes(save(tensors))
    with pytest.raises(ArtifactError, match=rf"golden\.safetensors: tensor {missing} is missing"):
        check_golden(folder, predict, tolerance=1)


def test_the_logits_of_the_int8_network_are_stored_and_compared_apart(tmp_path: Path) -> None:
    images = random_images(4)
    rounded = predict(images) + 0.25
    content = make_golden(lenet(), PREPROCESSING, images, rounded)
    (tmp_path / GOLDEN_FILE).write_bytes(content)
    assert load(content).keys() == {"images", "logits", "int8_logits"}
    assert torch.equal(load(content)["int8_logits"], rounded)
    check_golden(tmp_path, predict, tolerance=1e-5)
    check_golden(tmp_path, lambda images: predict(images) + 0.25, tolerance=1e-5, expected="int8_logits")
    with pytest.raises(
        ArtifactError, match=r"the engine's int8_logits differ by up to 0\.25, allowed are 0\.2"
    ):
        check_golden(tmp_path, predict, tolerance=0.2, expected="int8_logits")


def test_missing_logits_of_the_int8_network_are_named(folder: Path) -> None:
    with pytest.raises(ArtifactError, match=r"golden\.safetensors: tensor int8_logits is missing"):
        check_golden(folder, predict, tolerance=1, expected="int8_logits")


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
