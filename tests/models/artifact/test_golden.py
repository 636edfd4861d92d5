"""Golden tensors: an engine that computes something else is found out."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor

from models.artifact.golden import GOLDEN_FILE, check_golden
from models.artifact.store import ArtifactError
from models.engines import Floats, Images
from models.preprocessing.transform import Preprocessing
from tests.support.small_model import DESCRIPTION, lenet, random_images
from training.export.golden import make_golden

PREPROCESSING = Preprocessing.from_metadata(DESCRIPTION)


@torch.no_grad()
def predict(images: Images) -> Floats:
    logits: Tensor = lenet()(PREPROCESSING.normalize(torch.from_numpy(images)))
    return logits.numpy()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / GOLDEN_FILE).write_bytes(make_golden(lenet(), PREPROCESSING, random_images(4)))
    return tmp_path


def test_the_same_model_passes(folder: Path) -> None:
    check_golden(folder, predict, tolerance=1e-5)


def test_the_tolerance_is_on_the_largest_difference_of_a_logit(folder: Path) -> None:
    def one_logit_off(images: Images) -> Floats:
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
        check_golden(folder, lambda images: predict(images) * np.float32(np.nan), tolerance=1e9)


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
    rounded = torch.from_numpy(predict(images.numpy()) + np.float32(0.25))
    content = make_golden(lenet(), PREPROCESSING, images, rounded)
    (tmp_path / GOLDEN_FILE).write_bytes(content)
    assert load(content).keys() == {"images", "logits", "int8_logits"}
    assert torch.equal(load(content)["int8_logits"], rounded)
    check_golden(tmp_path, predict, tolerance=1e-5)
    check_golden(
        tmp_path, lambda images: predict(images) + np.float32(0.25), tolerance=1e-5, expected="int8_logits"
    )
    with pytest.raises(
        ArtifactError, match=r"the engine's int8_logits differ by up to 0\.25, allowed are 0\.2"
    ):
        check_golden(tmp_path, predict, tolerance=0.2, expected="int8_logits")


def test_missing_logits_of_the_int8_network_are_named(folder: Path) -> None:
    with pytest.raises(ArtifactError, match=r"golden\.safetensors: tensor int8_logits is missing"):
        check_golden(folder, predict, tolerance=1, expected="int8_logits")
