"""JPEG: scans and segments are counted, metadata is kept from the decoder, and a missing end is no damage."""

import struct

import numpy as np
import pytest
from PIL import Image

from models.preprocessing.decode import decode, inspect
from models.preprocessing.formats import jpeg
from models.preprocessing.formats.jpeg_scans import MAX_SCANS
from models.preprocessing.image_error import ImageError
from tests.support.colour_profiles import in_srgb, rgb_profile
from tests.support.image_files import RED, saved


def picture(**options: object) -> bytes:
    return saved(Image.effect_noise((64, 48), 60).convert("RGB"), "JPEG", **options)


def with_scans(count: int) -> bytes:
    """The last scan, which refines what came before, again and again."""
    content = picture(progressive=True)
    scan = content[content.rfind(b"\xff\xda") : -2]
    return content[:-2] + scan * count + b"\xff\xd9"


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def after_start(content: bytes, segments: bytes) -> bytes:
    return content[:2] + segments + content[2:]


def test_the_passes_of_a_progressive_image_are_counted() -> None:
    assert inspect(picture(), 10_000).passes == 1
    assert inspect(picture(progressive=True), 10_000).passes == 1
    assert inspect(with_scans(85), 10_000).passes == 10


def test_too_many_scans_are_refused_before_any_is_decoded() -> None:
    with pytest.raises(ImageError, match="too many scans; at most 100 are accepted") as caught:
        inspect(with_scans(5000), 10_000)
    assert caught.value.code == "image_too_large"


def test_scans_of_pictures_after_the_end_do_not_count() -> None:
    content = picture() + picture(progressive=True) * 40
    assert content.count(b"\xff\xda") > MAX_SCANS
    assert inspect(content, 10_000).passes == 1


def test_what_looks_like_scans_behind_the_end_does_not_count() -> None:
    """Behind a motion photo stands a film, and behind an Ultra-HDR picture that of its brightness."""
    film = b"\xff\xda\0\x08" * 80
    content = picture()
    found, alone = inspect(content + film, 10_000), inspect(content, 10_000)
    assert (found.passes, found.memory(None)) == (1, alone.memory(None))
    assert inspect(picture(progressive=True) + film, 10_000).passes == 1
    assert decode(content + film, 10_000).image.tobytes() == decode(content, 10_000).image.tobytes()


def test_a_marker_without_a_length_hides_no_scans() -> None:
    content = picture(progressive=True)
    scan = content[content.rfind(b"\xff\xda") : -2]
    hidden = b"\xff\x01\x7f\xf0" + scan * 85
    assert inspect(content[:-2] + hidden + b"\xff\xd9", 10_000).passes == 10


def test_what_looks_like_scans_in_metadata_between_them_is_not_read_as_scans() -> None:
    """The decoder would be given two bytes at a time: four seconds for a megabyte."""
    content = picture(progressive=True)
    last = content.rfind(b"\xff\xda")
    comment = segment(0xFE, b"\xff\xda" * 30_000) + segment(0xE7, b"\xff\xda" * 30_000)
    found = jpeg.inspect(content[:last] + comment + content[last:])
    assert found.passes == 1
    assert found.kept == jpeg.inspect(content).kept


def test_tables_between_the_scans_are_counted_too() -> None:
    content = picture(progressive=True)
    last = content.rfind(b"\xff\xda")
    tables = segment(0xDB, b"\xff\xda" * 30_000) * 2
    with pytest.raises(ImageError, match="too many bytes of tables"):
        inspect(content[:last] + tables + content[last:], 10_000)
    with pytest.raises(ImageError, match="too many segments"):
        inspect(content[:last] + segment(0xFE, b"\xff\xda") * 20_000 + content[last:], 10_000)


@pytest.mark.parametrize(
    ("extra", "parts"),
    [(segment(0xE5, b"") * 20_000, "segments"), (segment(0xDB, bytes(65_000)) * 2, "bytes of tables")],
)
def test_too_much_before_the_first_scan_is_refused(extra: bytes, parts: str) -> None:
    with pytest.raises(ImageError, match=f"too many {parts}") as caught:
        inspect(after_start(picture(), extra), 10_000)
    assert caught.value.code == "image_too_large"


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 100, "subsampling": 0}], ids=str)
@pytest.mark.parametrize("shortest_side", [None, 4])
def test_a_missing_end_is_no_damage_where_all_pixels_are_there(
    options: dict[str, object], shortest_side: int | None
) -> None:
    content = picture(**options)
    whole = decode(content, 10_000, shortest_side).image
    for end in (-1, -2):
        assert decode(content[:end], 10_000, shortest_side).image.tobytes() == whole.tobytes()
    for end in (-12, len(content) // 2):
        with pytest.raises(ImageError) as caught:
            decode(content[:end], 10_000, shortest_side)
        assert caught.value.code == "damaged_image"


def test_orientation_in_xmp_alone_does_not_turn_a_picture() -> None:
    xmp = segment(0xE1, b'http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation="6"/>')
    assert decode(after_start(picture(), xmp), 10_000).image.size == (64, 48)


def test_a_profile_in_parts_is_put_together_by_their_numbers() -> None:
    profile = rgb_profile()
    halves = profile[:100], profile[100:]
    parts = [segment(0xE2, b"ICC_PROFILE\0" + bytes([n + 1, 2]) + halves[n]) for n in (1, 0)]
    content = saved(Image.new("RGB", (16, 16), RED), "JPEG", quality=100, subsampling=0)
    levels = np.asarray(decode(after_start(content, b"".join(parts)), 1000).image)[8, 8].astype(int)
    assert np.abs(levels - in_srgb(RED)).max() <= 3
    lone = decode(after_start(content, parts[0]), 1000).image
    assert lone.tobytes() == decode(content, 1000).image.tobytes()


@pytest.mark.parametrize(
    ("place", "value", "kind"),
    [(1, 0xC5, "hierarchical"), (4, 12, "12 bits"), (9, 2, "2 components"), (1, 0xC7, "hierarchical")],
)
def test_kinds_that_are_not_decoded_are_named_and_not_called_damaged(
    place: int, value: int, kind: str
) -> None:
    content = bytearray(picture())
    content[content.index(b"\xff\xc0") + place] = value
    with pytest.raises(ImageError, match=kind) as caught:
        decode(bytes(content), 10_000)
    assert caught.value.code == "unsupported_image"


def test_a_reduced_image_takes_less_memory_unless_its_coefficients_are_kept() -> None:
    baseline, progressive = (
        inspect(saved(Image.new("RGB", (800, 800)), "JPEG", progressive=scans), 10**6)
        for scans in (False, True)
    )
    assert baseline.memory(32) == 800 * 800 * (4 + 3) // 64
    assert progressive.memory(32) > 800 * 800 * 3
