import hashlib
from pathlib import Path

import pytest
import torch

from tests.support.tiny_run import tiny_data
from training.data.cifar10 import DataError, Split, build, channel_statistics, load_cifar10


def split(n: int, size: int = 4) -> Split:
    generator = torch.Generator().manual_seed(n)
    images = torch.randint(0, 256, (n, 3, size, size), generator=generator).to(torch.uint8)
    return Split(images, torch.arange(n) % 2)


def test_channel_statistics_are_those_of_the_float_images() -> None:
    images = split(50).images
    images[:, 1] //= 3
    mean, std = channel_statistics(images)
    floats = images.double() / 255
    torch.testing.assert_close(torch.tensor(mean), floats.mean((0, 2, 3)).float(), atol=1e-6, rtol=0)
    torch.testing.assert_close(
        torch.tensor(std), floats.std((0, 2, 3), correction=0).float(), atol=1e-6, rtol=0
    )


def test_held_out_images_are_training_images_kept_apart() -> None:
    train, test = split(40), split(10)
    data = build("x", ("a", "b"), train, test, held_out=15)
    assert (len(data.train), len(data.held_out), len(data.test)) == (25, 15, 10)
    both = torch.cat([data.train.images, data.held_out.images]).flatten(1)
    assert sorted(both.tolist()) == sorted(train.images.flatten(1).tolist())
    again = build("x", ("a", "b"), train, test, held_out=15)
    assert torch.equal(data.held_out.images, again.held_out.images)


def test_the_digest_tells_data_sets_apart_but_not_the_split() -> None:
    train, test = split(40), split(10)
    digest = build("x", ("a", "b"), train, test, 5).sha256
    assert digest == build("x", ("a", "b"), train, test, 0).sha256
    assert digest != build("x", ("a", "b"), Split(train.images, 1 - train.labels), test, 0).sha256


def test_holding_out_everything_is_refused() -> None:
    with pytest.raises(DataError, match="held_out must be less than the 40 training images, got 40"):
        build("x", ("a", "b"), split(40), split(10), held_out=40)


def test_data_moves_to_a_device_whole() -> None:
    moved = tiny_data().to(torch.device("meta"))
    assert {
        moved.train.images.device.type,
        moved.held_out.labels.device.type,
        moved.test.images.device.type,
    } == {"meta"}
    assert moved.classes == tiny_data().classes


def test_missing_data_is_one_line_that_says_both_ways(tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        load_cifar10(tmp_path, 0)
    message = str(refused.value)
    assert "\n" not in message
    assert "python -m training data --data" in message
    assert "give by --data the folder that holds cifar-10-batches-py" in message


def test_cifar10_is_the_official_one(cifar10_folder: Path) -> None:
    data = load_cifar10(cifar10_folder, held_out=1000)
    assert (len(data.train), len(data.held_out), len(data.test)) == (49_000, 1_000, 10_000)
    assert data.classes[0] == "airplane"
    assert torch.bincount(data.test.labels).tolist() == [1000] * 10
    assert data.mean == pytest.approx((0.4914, 0.4822, 0.4465), abs=1e-4)
    assert data.std == pytest.approx((0.2470, 0.2435, 0.2616), abs=1e-4)
    first = data.test.images[0].permute(1, 2, 0).contiguous()
    batch = (cifar10_folder / "cifar-10-batches-py" / "test_batch").read_bytes()
    assert data.test.images[0].numpy().tobytes() in batch
    assert first.shape == (32, 32, 3)
    assert len(data.sha256) == len(hashlib.sha256().hexdigest())
