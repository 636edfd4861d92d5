"""Large JPEGs at a reduced scale: what the network sees stays within the stated tolerance."""

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from models.preprocessing.decode import Decoded, decode
from models.preprocessing.formats.jpeg import REDUCED_TO_SHORTEST
from models.preprocessing.image_error import ImageError
from models.preprocessing.transform import Preprocessing
from tests.support.image_files import saved

MAX_PIXELS = 50_000_000

PHOTOS = sorted((Path(__file__).parents[2] / "data" / "photos").glob("*.jpg"))

MEAN_TOLERANCE, PIXEL_TOLERANCE = 1, 12


def preprocessing(input_size: int) -> Preprocessing:
    return Preprocessing(input_size, 3, "bilinear", (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))


def seen(decoded: Decoded, input_size: int) -> np.ndarray:
    return preprocessing(input_size).resize(decoded.image, decoded.box).astype(int)


def difference(content: bytes, input_size: int) -> tuple[float, int]:
    """The mean and the largest difference, in levels of 255, that the reduced scale makes to the input."""
    reduced = decode(content, MAX_PIXELS, input_size)
    assert reduced.image.width < reduced.width
    levels = np.abs(seen(reduced, input_size) - seen(decode(content, MAX_PIXELS), input_size))
    return float(levels.mean()), int(levels.max())


def photo(name: str, size: tuple[int, int] | None = None) -> Image.Image:
    image = Image.open(Path(__file__).parents[2] / "data" / "photos" / f"{name}.jpg")
    return image if size is None else image.resize(size, Image.Resampling.LANCZOS)


@pytest.mark.parametrize("input_size", [8, 12, 16, 32])
@pytest.mark.parametrize("path", PHOTOS, ids=lambda path: path.stem)
def test_photos_stay_within_the_tolerance(path: Path, input_size: int) -> None:
    mean, largest = difference(path.read_bytes(), input_size)
    assert mean <= MEAN_TOLERANCE
    assert largest <= PIXEL_TOLERANCE


@pytest.mark.parametrize("size", [(385, 385), (391, 389), (387, 391), (511, 395), (385, 640)])
@pytest.mark.parametrize("options", [{"subsampling": 0}, {"subsampling": 2}, {"progressive": True}], ids=str)
def test_sides_that_do_not_divide_stay_within_the_tolerance(
    size: tuple[int, int], options: dict[str, object]
) -> None:
    """Where libjpeg fills up the last row and column, `box` keeps every pixel's place."""
    mean, largest = difference(saved(photo("astronaut", size), "JPEG", quality=90, **options), 32)
    assert mean <= MEAN_TOLERANCE
    assert largest <= PIXEL_TOLERANCE


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_of_a_reduced_image(orientation: int) -> None:
    """A quarter of 401 x 389 is 100.25 x 97.25: the filling comes to lie at every edge in turn."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = saved(photo("astronaut", (401, 389)), "JPEG", quality=90, exif=exif)
    mean, largest = difference(content, 32)
    assert mean <= MEAN_TOLERANCE
    assert largest <= PIXEL_TOLERANCE
    reduced = decode(content, MAX_PIXELS, 32)
    size = (401, 389) if orientation < 5 else (389, 401)
    left, top, right, bottom = reduced.box
    assert (reduced.width, reduced.height) == size
    assert (right - left, bottom - top) == (size[0] / 4, size[1] / 4)


@pytest.mark.parametrize(
    ("shorter", "divisor"),
    [(191, 1), (192, 2), (383, 2), (384, 4), (767, 4), (768, 8), (1600, 8)],
)
def test_the_shorter_side_decides_how_far_the_scale_is_reduced(shorter: int, divisor: int) -> None:
    for size in ((shorter, 1700), (1700, shorter)):
        decoded = decode(saved(Image.new("RGB", size), "JPEG"), MAX_PIXELS, 32)
        assert (decoded.width, decoded.height) == size
        assert decoded.image.size == tuple(-(-side // divisor) for side in size)
        assert decoded.box == (0, 0, size[0] / divisor, size[1] / divisor)
        assert divisor == 1 or min(decoded.image.size) >= REDUCED_TO_SHORTEST * 32


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_other_colours_are_reduced_as_they_are(mode: str) -> None:
    content = saved(photo("chelsea").convert(mode), "JPEG", quality=90)
    assert decode(content, MAX_PIXELS, 32).image.mode == "RGB"
    mean, largest = difference(content, 32)
    assert mean <= MEAN_TOLERANCE
    assert largest <= PIXEL_TOLERANCE


def test_a_jpeg_of_several_pictures_is_reduced_to_its_first() -> None:
    content = saved(photo("chelsea"), "MPO", save_all=True, append_images=[Image.new("RGB", (400, 300))])
    mean, largest = difference(content, 32)
    assert mean <= MEAN_TOLERANCE
    assert largest <= PIXEL_TOLERANCE


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "GIF", "BMP"])
def test_other_formats_are_decoded_in_full(file_format: str) -> None:
    decoded = decode(saved(Image.new("RGB", (800, 800)), file_format), MAX_PIXELS, 32)
    assert decoded.image.size == (800, 800)


def test_the_full_size_counts_before_any_pixel_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    content = saved(Image.new("RGB", (800, 600)), "JPEG")
    assert decode(content, 480_000, 32).width == 800
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("pixels were decoded"))
    with pytest.raises(ImageError, match="800x600 pixels; at most 479999 are accepted"):
        decode(content, 479_999, 32)


def test_what_is_damaged_is_refused_as_at_full_scale() -> None:
    content = saved(photo("chelsea"), "JPEG")
    for end in (len(content) // 3, len(content) - 500):
        with pytest.raises(ImageError) as caught:
            decode(content[:end], MAX_PIXELS, 32)
        assert caught.value.code == "damaged_image"


def test_a_lossless_jpeg_is_decoded_in_full() -> None:
    """libjpeg has nothing there to leave out."""
    decoded = decode(_grey_lossless_jpeg(800, 600), MAX_PIXELS, 32)
    assert decoded.image.size == (800, 600)
    assert decoded.image.getpixel((799, 599)) == (128, 128, 128)


def _grey_lossless_jpeg(width: int, height: int) -> bytes:
    """Every sample is as predicted from its neighbours, the first as 128: one bit each, of value 0."""

    def segment(marker: int, content: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content

    frame = segment(0xC3, struct.pack(">BHHBBBB", 8, height, width, 1, 1, 0x11, 0))
    one_code_of_one_bit = segment(0xC4, bytes([0, 1, *[0] * 15, 0]))
    scan = segment(0xDA, bytes([1, 1, 0, 1, 0, 0]))
    samples = b"\0" * (width * height // 8)
    return b"\xff\xd8" + frame + one_code_of_one_bit + scan + samples + b"\xff\xd9"
