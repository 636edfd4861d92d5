"""AVIF is read, HEIC where its package is, and otherwise it is named."""

import struct

import numpy as np
import pytest
from PIL import Image

from models.preprocessing.colours import SRGB
from models.preprocessing.decode import decode, inspect
from models.preprocessing.formats import heif
from models.preprocessing.image_error import ImageError
from models.preprocessing.stopping import Stop
from tests.support.colour_profiles import SRGB_COLUMNS, in_srgb, rgb_profile
from tests.support.image_files import RED, saved

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def test_avif_is_turned_and_its_profile_used() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = saved(
        Image.new("RGB", (40, 20), RED), "AVIF", exif=exif, icc_profile=rgb_profile(), quality=100
    )
    picture = inspect(content, 1000)
    assert (picture.name, picture.width, picture.height, picture.orientation) == ("AVIF", 40, 20, 6)
    image = decode(content, 1000).image
    assert image.size == (20, 40)
    assert np.abs(np.asarray(image).astype(int)[20, 10] - in_srgb(RED)).max() <= 4


def test_transparency_of_avif_is_composed_over_white() -> None:
    content = saved(Image.new("RGBA", (16, 16), (0, 0, 0, 0)), "AVIF")
    assert decode(content, 1000).image.getpixel((8, 8)) == (255, 255, 255)


def test_an_avif_whose_picture_is_missing_is_damaged() -> None:
    """Its header is sound, and what it points to is not there: for that Pillow raises a `RuntimeError`."""
    content = saved(Image.effect_noise((64, 64), 60).convert("RGB"), "AVIF")
    start = content.index(b"mdat") + 4
    with pytest.raises(ImageError) as caught:
        decode(content[:start] + b"\xff" * (len(content) - start), 10_000)
    assert caught.value.code == "damaged_image"


def test_an_animation_of_no_time_units_is_damaged() -> None:
    frame = Image.effect_noise((16, 16), 60)
    content = bytearray(saved(frame, "AVIF", save_all=True, append_images=[frame.rotate(90)]))
    name = content.index(b"mdhd")
    assert content[name + 4] == 1  # a version with 64 bits for each of two times before the units
    content[name + 24 : name + 28] = bytes(4)
    with pytest.raises(ImageError) as caught:
        decode(bytes(content), 10_000)
    assert caught.value.code == "damaged_image"


@pytest.mark.parametrize("end", [12, 40, 200])
def test_an_avif_that_is_cut_off_is_damaged(end: int) -> None:
    content = saved(Image.effect_noise((64, 64), 60).convert("RGB"), "AVIF")
    with pytest.raises(ImageError) as caught:
        decode(content[:end], 10_000)
    assert caught.value.code in ("damaged_image", "unsupported_image")


@pytest.mark.parametrize(
    "behind",
    [
        b"\r\n",
        b"zzzz" * 10,
        b"\0\0\x01\x0aImage_UTC_Data1SEFHk\0\0\0\1\0\0\0$\0\0\0SEFT",
        b"\0\0\0\1free" * 2,
    ],
)
def test_what_stands_behind_an_avif_spoils_nothing(behind: bytes) -> None:
    content = saved(Image.effect_noise((64, 64), 60).convert("RGB"), "AVIF")
    image = decode(content + behind, 10_000).image
    assert image.tobytes() == decode(content, 10_000).image.tobytes()


@pytest.mark.parametrize("name", [b"meta", b"iinf"])
def test_an_avif_with_a_box_that_goes_beyond_its_place_is_damaged(name: bytes) -> None:
    content = bytearray(saved(Image.effect_noise((64, 64), 60).convert("RGB"), "AVIF"))
    content[content.index(name) - 4] = 0x7F
    with pytest.raises(ImageError) as caught:
        decode(bytes(content), 10_000)
    assert caught.value.code == "damaged_image"


def test_heic_is_named_where_its_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heif, "can_read_heic", lambda: False)
    with pytest.raises(ImageError, match="HEIC pictures need the extra heic") as caught:
        decode(HEIC, 1000)
    assert caught.value.code == "unsupported_image"


def test_heic_is_read_where_its_package_is() -> None:
    pytest.importorskip("pillow_heif")
    assert heif.can_read_heic()
    content = saved(Image.new("RGB", (64, 48), RED), "HEIF", quality=90)
    image = decode(content, 10_000).image
    assert image.size == (64, 48)
    assert np.abs(np.asarray(image).astype(int)[20, 20] - RED).max() <= 6
    with pytest.raises(ImageError) as caught:
        decode(content[: len(content) // 2], 10_000)
    assert caught.value.code == "damaged_image"


def test_grey_of_more_than_8_bits_keeps_its_high_byte() -> None:
    pytest.importorskip("pillow_heif")
    assert heif.can_read_heic()
    values = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    content = saved(Image.fromarray(values), "HEIF", quality=-1)
    levels = np.asarray(decode(content, 10_000).image).astype(int)
    assert np.abs(levels - (values >> 8)[..., None]).max() <= 1


def test_pixels_of_a_kind_that_is_not_known_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heif, "opened", lambda *_: Image.new("F", (16, 16)))
    with pytest.raises(ImageError, match="this kind of AVIF image is not supported: pixels of mode F"):
        heif.Heif(16, 16, 1, SRGB, b"", "AVIF").read(Stop(), None)


@pytest.mark.parametrize("name", ["AVIF", "HEIF"])
def test_code_points_are_used_where_there_is_no_profile(name: str) -> None:
    if name == "HEIF":
        pytest.importorskip("pillow_heif")
        assert heif.can_read_heic()
    colour = (200, 90, 80)

    def level(primaries: int, transfer: int, **options: object) -> np.ndarray:
        content = bytearray(saved(Image.new("RGB", (64, 64), colour), name, quality=95, **options))
        place = content.index(b"nclx") + 4
        content[place : place + 4] = struct.pack(">HH", primaries, transfer)
        levels: np.ndarray = np.asarray(decode(bytes(content), 10_000).image).astype(int)[32, 32]
        return levels

    stored = level(1, 13)
    assert np.abs(stored - colour).max() <= 6
    expected = np.array(in_srgb(tuple(stored.tolist())))
    assert np.abs(expected - stored).max() > 10
    assert np.abs(level(12, 13) - expected).max() <= 6
    assert level(9, 13)[0] > level(12, 13)[0]
    assert (level(9, 16) == stored).all()
    if name == "HEIF":
        return  # the package for HEIC writes no code points beside a profile
    profile = rgb_profile(SRGB_COLUMNS)
    assert np.abs(level(12, 13, icc_profile=profile) - stored).max() <= 6


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_code_points_of_the_stream_are_used_where_the_container_has_none(mode: str) -> None:
    colour = (200, 90, 80)
    content = saved(Image.new("RGB", (64, 64), colour).convert(mode), "AVIF", quality=95)

    def decoded(content: bytes) -> np.ndarray:
        levels: np.ndarray = np.asarray(decode(content, 10_000).image).astype(int)[32, 32]
        return levels

    stored = decoded(content)
    in_stream = with_points(content.replace(b"colrnclx", b"freenclx"), (12, 13))
    assert np.abs(decoded(in_stream) - in_srgb(tuple(stored.tolist()))).max() <= 6
    # What the container says goes before it.
    assert (decoded(with_points(content, (12, 13))) == stored).all()


def with_points(content: bytes, points: tuple[int, int]) -> bytes:
    """The file with other primaries and transfer in its stream, where they may begin at any bit."""
    start = content.index(b"mdat")
    bits = f"{int.from_bytes(content[start:], 'big'):0{8 * len(content[start:])}b}"
    assert bits.count(f"1{1:08b}{13:08b}") == 1
    changed = bits.replace(f"1{1:08b}{13:08b}", f"1{points[0]:08b}{points[1]:08b}")
    return content[:start] + int(changed, 2).to_bytes(len(content) - start, "big")
