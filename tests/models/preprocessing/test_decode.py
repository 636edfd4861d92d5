"""Any bytes give an upright RGB image or an `ImageError` with a code, never anything else."""

import io
import random
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from models.preprocessing.decode import decode
from models.preprocessing.image_error import ImageError
from tests.support.image_files import RED, hostile_files, png, png_chunk, saved

MAX_PIXELS = 50_000_000

HOSTILE = hostile_files()


def _image(content: bytes, max_pixels: int = MAX_PIXELS) -> Image.Image:
    decoded = decode(content, max_pixels)
    assert (decoded.width, decoded.height) == decoded.image.size
    assert decoded.box == (0, 0, *decoded.image.size)
    return decoded.image


def _pixels(image: Image.Image) -> np.ndarray:
    assert image.mode == "RGB"
    return np.asarray(image).astype(int)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF"])
def test_every_format_is_decoded(file_format: str) -> None:
    image = _image(saved(Image.new("RGB", (40, 30), RED), file_format))
    assert image.size == (40, 30)
    assert np.abs(_pixels(image) - RED).max() <= 2


@pytest.mark.parametrize("file_format", ["PNG", "BMP"])
def test_lossless_rgb_comes_out_bit_for_bit(file_format: str) -> None:
    original = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    assert (_pixels(_image(saved(Image.fromarray(original), file_format))) == original).all()


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("shortest_side", [None, 32])
def test_hostile_file_is_refused_with_its_code(name: str, shortest_side: int | None) -> None:
    content, code = HOSTILE[name]
    with pytest.raises(ImageError) as caught:
        decode(content, MAX_PIXELS, shortest_side)
    assert caught.value.code == code
    assert "object at 0x" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_random_damage_gives_an_image_or_an_image_error() -> None:
    """Bytes overwritten, anywhere or in the header, in files of every format; the seed is fixed."""
    chance = random.Random(0)
    noise = Image.effect_noise((20, 16), 90)
    exif = Image.Exif()
    exif[0x0112] = 6
    seeds = [
        saved(noise.convert("RGB"), "JPEG", exif=exif),
        saved(noise.convert("CMYK"), "JPEG"),
        saved(noise.convert("RGB"), "PNG", exif=exif),
        saved(noise.convert("P"), "PNG", transparency=3),
        saved(noise.convert("RGBA"), "WEBP"),
        saved(noise.convert("P"), "GIF"),
        saved(noise.convert("P"), "BMP"),
    ]
    outcomes = set()
    for _ in range(3000):
        content = bytearray(chance.choice(seeds))
        for _ in range(chance.choice([1, 2, 8])):
            content[chance.randrange(chance.choice([64, len(content)]))] = chance.randrange(256)
        try:
            decoded = decode(bytes(content), 1_000_000, chance.choice([None, 1, 4]))
            outcomes.add(decoded.image.mode)
        except ImageError as error:
            outcomes.add(error.code)
    assert outcomes == {"RGB", "damaged_image", "unsupported_image", "image_too_large"}


def test_pixel_limit_is_inclusive_and_says_both_numbers() -> None:
    content = saved(Image.new("RGB", (20, 10)), "PNG")
    assert _image(content, 200).size == (20, 10)
    with pytest.raises(ImageError, match="20x10 pixels; at most 199 are accepted"):
        decode(content, 199)


def test_size_is_checked_before_any_pixel_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("pixels were decoded"))
    for file_format in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF"):
        with pytest.raises(ImageError) as caught:
            decode(saved(Image.new("RGB", (20, 10)), file_format), 199)
        assert caught.value.code == "image_too_large"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_exif_orientation_is_applied(orientation: int, file_format: str) -> None:
    """Stored as the camera held it, the image comes out as the viewer shows it."""
    upright = np.zeros((24, 40, 3), dtype=np.uint8)
    upright[:12, :20] = (255, 255, 255)
    upright[12:, :20] = (200, 0, 0)
    undo = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }
    stored = Image.fromarray(np.ascontiguousarray(undo[orientation](upright)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if file_format == "WEBP" else {"subsampling": 0}
    image = _image(saved(stored, file_format, exif=exif, **options))
    assert image.size == (40, 24)
    # Away from the edges, which JPEG blurs.
    for row, col in ((5, 8), (18, 8), (5, 32), (18, 32)):
        assert np.abs(_pixels(image)[row, col] - upright[row, col].astype(int)).max() <= 6


@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"])
def test_damaged_exif_leaves_the_image_as_stored(exif: bytes) -> None:
    assert _image(saved(Image.new("RGB", (20, 10)), "JPEG", exif=exif)).size == (20, 10)


def test_orientation_out_of_range_leaves_the_image_as_stored() -> None:
    exif = Image.Exif()
    exif[0x0112] = 9
    assert _image(saved(Image.new("RGB", (20, 10)), "JPEG", exif=exif)).size == (20, 10)


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_grey_and_palette_become_rgb(mode: str) -> None:
    image = _image(saved(Image.new("L", (8, 8), 255).convert(mode), "PNG"))
    assert (_pixels(image) == 255).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_composed_over_white(mode: str) -> None:
    colours = Image.new("RGBA", (3, 1))
    for column, alpha in enumerate((0, 128, 255)):
        colours.putpixel((column, 0), (0, 0, 0, alpha))
    image = _image(saved(colours.convert(mode), "PNG"))
    assert _pixels(image)[0, :, 0].tolist() == [255, 127, 0]


def test_transparent_palette_entry_becomes_white() -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([0, 0, 0, 255, 0, 0])
    palette.putpixel((1, 0), 1)
    for content in (saved(palette, "PNG", transparency=0), saved(palette, "GIF", transparency=0)):
        assert _pixels(_image(content))[0].tolist() == [[255, 255, 255], [255, 0, 0]]


def test_16_bit_grey_is_scaled_and_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
    image = _image(saved(Image.fromarray(ramp), "PNG"))
    assert (_pixels(image)[..., 0] == ramp >> 8).all()


def test_16_bit_colour_is_scaled_as_16_bit_grey() -> None:
    """The same values as grey and as colour give the same pixels."""
    levels = [0, 255, 256, 30_000, 65_535]
    rows = b"\0" + b"".join(struct.pack(">HHH", level, level, level) for level in levels)
    image = _image(png(5, 1, bit_depth=16, pixels=rows))
    assert _pixels(image)[0, :, 0].tolist() == [level >> 8 for level in levels]


def test_transparent_level_of_16_bit_grey_becomes_white() -> None:
    rows = b"\0" + struct.pack(">HHH", 0, 1000, 40_000)
    transparent = png_chunk(b"tRNS", struct.pack(">H", 1000))
    image = _image(png(3, 1, bit_depth=16, colour_type=0, extra=transparent, pixels=rows))
    assert _pixels(image)[0, :, 0].tolist() == [0, 255, 40_000 >> 8]


def test_cmyk_jpeg_in_adobes_inverted_form_shows_its_colours() -> None:
    """Pillow writes CMYK as Adobe does: inverted, with the marker that says so."""
    content = saved(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG")
    assert b"Adobe" in content
    assert np.abs(_pixels(_image(content)) - RED).max() <= 3


@pytest.mark.parametrize("file_format", ["GIF", "PNG", "WEBP"])
def test_animation_gives_its_first_frame(file_format: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    content = saved(frames[0], file_format, save_all=True, append_images=frames[1:], duration=100)
    assert np.abs(_pixels(_image(content)) - RED).max() <= 2


def test_the_content_decides_and_not_a_name() -> None:
    """A TIFF behind a JPEG's first bytes is no JPEG, and no other decoder is tried."""
    with pytest.raises(ImageError) as caught:
        decode(b"\xff\xd8\xff" + saved(Image.new("RGB", (8, 8)), "TIFF"), MAX_PIXELS)
    assert caught.value.code == "damaged_image"


def test_pillows_warnings_do_not_leak(tmp_path: Path) -> None:
    """With every warning an error, and a bomb, a damaged animation and damaged EXIF: nothing on stderr."""
    exif = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"
    files = {
        "bomb.png": png(10_000, 10_000, pixels=b""),
        "animation.png": png(8, 8, extra=png_chunk(b"acTL", b"\0" * 8)),
        "exif.jpg": saved(Image.new("RGB", (20, 10)), "JPEG", exif=exif),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    code = """
import sys, pathlib
from models.preprocessing.decode import decode
from models.preprocessing.image_error import ImageError
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    try:
        print(decode(path.read_bytes(), 50_000_000, 32).image.size)
    except ImageError as error:
        print(error.code)
"""
    command = [sys.executable, "-W", "error", "-c", code, str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
    assert run.stdout.splitlines() == ["(8, 8)", "image_too_large", "(20, 10)"]
    assert run.stderr == ""


def test_decoding_does_not_keep_the_file() -> None:
    """The result is self-contained: no lazy loading afterwards."""
    content = io.BytesIO(saved(Image.new("RGB", (8, 8), RED), "PNG")).getvalue()
    image = _image(content)
    assert image.getpixel((7, 7)) == RED
    assert getattr(image, "fp", None) is None
