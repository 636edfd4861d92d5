"""Preprocessing: the same pixels in training and in serving, whatever the image."""

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from models.preprocessing.transform import INTERPOLATIONS, Preprocessing

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


def preprocessing(
    input_size: int = 32,
    in_channels: int = 3,
    interpolation: str = "bilinear",
    mean: tuple[float, ...] = MEAN,
    std: tuple[float, ...] = STD,
) -> Preprocessing:
    return Preprocessing(input_size, in_channels, interpolation, mean, std)


GREYSCALE = preprocessing(in_channels=1, mean=(0.5,), std=(0.25,))


def random_image(width: int, height: int, mode: str = "RGB") -> Image.Image:
    shape = (height, width) if mode == "L" else (height, width, len(mode))
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))


def channels_first(image: Image.Image) -> npt.NDArray[np.uint8]:
    pixels = np.array(image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def scaled_then_cropped(image: Image.Image, size: int, interpolation: str) -> Image.Image:
    """What `resize` promises, the obvious way: Pillow scales the whole image, then the centre is cut out."""
    width, height = (round(length * size / min(image.size)) for length in image.size)
    left, top = (width - size) // 2, (height - size) // 2
    scaled = image.resize((width, height), INTERPOLATIONS[interpolation])
    return scaled.crop((left, top, left + size, top + size))


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_an_image_of_the_right_size_is_unchanged_bit_for_bit(interpolation: str) -> None:
    image = random_image(32, 32)
    assert np.array_equal(preprocessing(interpolation=interpolation).resize(image), channels_first(image))


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize(
    "size", [(64, 64), (640, 480), (333, 500), (33, 32), (32, 47), (100, 37), (20, 31), (5, 3), (400, 33)]
)
def test_another_size_is_scaled_by_pillow_and_cropped_to_its_centre(
    size: tuple[int, int], interpolation: str
) -> None:
    image = random_image(*size)
    expected = channels_first(scaled_then_cropped(image, 32, interpolation))
    assert np.array_equal(preprocessing(interpolation=interpolation).resize(image), expected)


def test_a_reduced_image_is_cropped_as_the_full_one_is() -> None:
    """741 × 500 becomes 47 × 32, but on its own 186 × 125, a quarter of it, would become 48 × 32."""
    image, quarter = random_image(186, 125), (0, 0, 185.25, 125)
    expected = image.resize((47, 32), INTERPOLATIONS["bilinear"], quarter).crop((7, 0, 39, 32))
    assert np.array_equal(preprocessing().resize(image, quarter), channels_first(expected))
    assert not np.array_equal(preprocessing().resize(image), channels_first(expected))


def test_the_pixels_own_their_memory() -> None:
    for case, image in ((preprocessing(), random_image(32, 32)), (GREYSCALE, random_image(32, 32, "L"))):
        pixels = case.resize(image)
        pixels += 1
        assert np.array_equal(case.resize(image), channels_first(image))


def test_the_shorter_side_fills_the_input_and_the_longer_loses_its_ends() -> None:
    """Three squares side by side, red, green and blue: only the green one in the middle is left."""
    image = Image.new("RGB", (192, 64), "red")
    image.paste((0, 255, 0), (64, 0, 128, 64))
    image.paste((0, 0, 255), (128, 0, 192, 64))
    centre = preprocessing().resize(image)[:, :, 2:-2]
    assert np.array_equal(centre, np.array([0, 255, 0]).reshape(3, 1, 1).repeat(32, 1).repeat(28, 2))


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1)])
def test_tiny_images_are_enlarged(size: tuple[int, int]) -> None:
    pixels = preprocessing().resize(Image.new("RGB", size, (10, 200, 30)))
    assert np.array_equal(pixels, np.array([10, 200, 30]).reshape(3, 1, 1).repeat(32, 1).repeat(32, 2))


def test_a_very_long_image_costs_no_more_than_its_centre() -> None:
    """Scaled as a whole it would be 32 × 64,000,000 pixels, six gigabytes."""
    image = Image.new("RGB", (2_000_000, 1), (9, 8, 7))
    assert preprocessing().resize(image)[:, 0, 0].tolist() == [9, 8, 7]


def test_the_given_image_is_left_alone() -> None:
    image = random_image(50, 40)
    before = image.tobytes()
    preprocessing()(image)
    assert image.size == (50, 40)
    assert image.tobytes() == before


def test_greyscale_networks_see_pillows_luminance() -> None:
    image = random_image(32, 32)
    assert np.array_equal(GREYSCALE.resize(image), channels_first(image.convert("L")))


def test_greyscale_images_fill_all_three_channels_alike() -> None:
    image = random_image(32, 32, mode="L")
    assert np.array_equal(preprocessing().resize(image), channels_first(image).repeat(3, axis=0))
    assert np.array_equal(GREYSCALE.resize(image), channels_first(image))


@pytest.mark.parametrize("mode", ["1", "P", "RGBA", "CMYK", "LA"])
def test_other_modes_of_8_bits_are_converted(mode: str) -> None:
    image = random_image(32, 32).convert(mode)
    assert np.array_equal(preprocessing().resize(image), channels_first(image.convert("RGB")))


@pytest.mark.parametrize("mode", ["I", "F", "I;16"])
def test_modes_that_pillow_would_clip_are_refused(mode: str) -> None:
    with pytest.raises(ValueError, match="image mode must hold 8 bits per channel"):
        preprocessing().resize(Image.new(mode, (32, 32)))


def test_normalize_equals_torchvisions() -> None:
    images = torch.rand(5, 3, 8, 6, generator=torch.Generator().manual_seed(0))
    expected = v2.functional.normalize(images, list(MEAN), list(STD))
    assert torch.equal(preprocessing().normalize(images), expected)


def test_every_byte_value_gives_the_same_as_uint8_and_as_float() -> None:
    images = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).expand(2, 3, 16, 16)
    from_bytes = preprocessing().normalize(images)
    assert from_bytes.dtype == torch.float32
    assert torch.equal(from_bytes, preprocessing().normalize(images.float() / 255))


def test_double_precision_images_come_out_as_float32() -> None:
    images = torch.rand(1, 3, 4, 4, dtype=torch.float64)
    assert preprocessing().normalize(images).dtype == torch.float32


def test_calling_it_is_resize_and_normalize() -> None:
    image = random_image(50, 40)
    one = preprocessing()
    assert one(image).shape == (3, 32, 32)
    assert torch.equal(one(image), one.normalize(torch.from_numpy(one.resize(image))[None])[0])


@pytest.mark.parametrize("images", [torch.zeros(3, 8, 8), torch.zeros(2, 1, 8, 8)])
def test_normalize_refuses_other_shapes(images: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"images must have shape \(N, 3, H, W\), got"):
        preprocessing().normalize(images)


def test_normalize_refuses_other_types() -> None:
    with pytest.raises(
        ValueError, match=r"images must be uint8, or floating point in 0\.\.1, got torch\.int64"
    ):
        preprocessing().normalize(torch.zeros(1, 3, 8, 8, dtype=torch.int64))


def test_fields_out_of_range_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="input_size must be at least 1, got 0"):
        preprocessing(input_size=0)
    with pytest.raises(ValueError, match=r"in_channels must be 1 \(greyscale\) or 3 \(RGB\), got 4"):
        preprocessing(in_channels=4)
    with pytest.raises(
        ValueError, match="interpolation must be one of bilinear, bicubic, lanczos, got 'box'"
    ):
        preprocessing(interpolation="box")
    with pytest.raises(ValueError, match="mean must hold in_channels = 3 values, got 1"):
        preprocessing(mean=(0.5,))
    with pytest.raises(ValueError, match="std must hold in_channels = 3 values, got 4"):
        preprocessing(std=(0.5, 0.5, 0.5, 0.5))
    with pytest.raises(ValueError, match="mean must hold finite numbers"):
        preprocessing(mean=(0.5, math.nan, 0.5))
    with pytest.raises(ValueError, match="std must hold numbers above 0"):
        preprocessing(std=(0.5, 0.0, 0.5))


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("size", [(40, 30), (32, 32), (20, 31)])
def test_a_box_counts_as_the_whole_image(size: tuple[int, int], interpolation: str) -> None:
    image = random_image(*size)
    margin = Image.new("RGB", (size[0] + 9, size[1] + 8))
    margin.paste(image, (4, 3))
    one = preprocessing(interpolation=interpolation)
    edgeless = (slice(None), slice(7, -7), slice(7, -7))  # there the filter sees what is around the box
    boxed = one.resize(margin, (4, 3, 4 + size[0], 3 + size[1]))
    assert np.array_equal(boxed[edgeless], one.resize(image)[edgeless])
    assert np.array_equal(one.resize(image, (0, 0, *size)), one.resize(image))


def test_a_box_may_begin_and_end_between_pixels() -> None:
    """A ramp of two levels per pixel: half a pixel to the right it is one level brighter."""
    ramp = Image.fromarray((2 * np.arange(128, dtype=np.uint8))[None].repeat(128, 0)).convert("RGB")
    one = preprocessing(input_size=50)
    assert one.resize(ramp, (20, 20, 120, 120))[0, 0].tolist() == [41 + 4 * column for column in range(50)]
    assert one.resize(ramp, (20.5, 20, 120.5, 120))[0, 0].tolist() == [
        42 + 4 * column for column in range(50)
    ]


def test_a_long_box_loses_its_ends() -> None:
    image = Image.new("RGB", (5000, 60), (9, 8, 7))
    image.paste((90, 80, 70), (2400, 0, 2600, 60))
    assert preprocessing().resize(image, (0.0, 10.5, 5000.0, 50.5))[:, 16, 16].tolist() == [90, 80, 70]


@pytest.mark.parametrize("size", [(16, 2048), (2048, 16), (1001, 20), (33, 4000)])
def test_the_ends_are_cut_off_before_scaling(size: tuple[int, int]) -> None:
    image = random_image(*size)
    width, height = (min(side, 16 * min(size)) for side in size)
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    cut = image.crop((left, top, left + width, top + height))
    expected = channels_first(scaled_then_cropped(cut, 32, "bicubic"))
    assert np.array_equal(preprocessing(interpolation="bicubic").resize(image), expected)


def test_a_box_outside_of_the_image_is_refused() -> None:
    with pytest.raises(ValueError, match="box can't exceed original image size"):
        preprocessing().resize(random_image(40, 30), (0, 0, 41, 30))
