"""Files of a request are inspected before any is decoded, bounded together, and stopped when nobody waits."""

from types import SimpleNamespace
from typing import cast

import pytest
from PIL import Image

from app.batching.decoding_memory import DecodingMemory
from app.errors import ApiError
from app.inference import preparation
from app.inference.preparation import Inspected, Limits, Prepared, Upload, memory_of, prepare, prepare_small
from app.registry.served_model import ServedModel
from models.preprocessing.decode import Decoded, decode_picture, inspect
from models.preprocessing.picture import Picture
from models.preprocessing.stopping import Stop, StoppedError
from models.preprocessing.transform import Preprocessing
from tests.support.colour_profiles import rgb_profile
from tests.support.image_files import saved

MODEL = cast(
    "ServedModel",
    SimpleNamespace(preprocessing=Preprocessing(32, 3, "bilinear", (0.5,) * 3, (0.25,) * 3)),
)
SMALL = Upload("small.png", saved(Image.new("RGB", (100, 100)), "PNG"))
LARGE = Upload("large.png", saved(Image.new("RGB", (2000, 1000)), "PNG"))


def limits(pixels: int = 10_000_000, request: int = 10_000_000, memory: int = 1 << 30) -> Limits:
    return Limits(pixels, request, DecodingMemory(memory))


def refusal(uploads: list[Upload], bounds: Limits) -> ApiError:
    with pytest.raises(ApiError) as caught:
        prepare_small(uploads, MODEL, bounds, range(1, len(uploads) + 1), Stop())
    assert (caught.value.status, caught.value.code) == (413, "image_too_large")
    return caught.value


def test_small_pictures_are_decoded_and_large_ones_only_inspected() -> None:
    assert isinstance(prepare_small([SMALL] * 2, MODEL, limits(), None, Stop()), Prepared)
    inspected = prepare_small([SMALL, LARGE], MODEL, limits(), None, Stop())
    assert isinstance(inspected, Inspected)
    prepared = prepare(inspected, DecodingMemory(1 << 30), Stop())
    assert prepared.sizes == [(100, 100), (2000, 1000)]
    assert [image.shape for image in prepared.images] == [(3, 32, 32)] * 2


TINY = Image.new("RGB", (32, 32))


@pytest.mark.parametrize(
    ("content", "at_once"),
    [
        *((saved(TINY, known), True) for known in ("JPEG", "PNG", "WebP", "GIF", "BMP")),
        (saved(TINY, "AVIF"), False),
        (saved(Image.new("RGB", (65, 64)), "PNG"), False),
        (saved(TINY, "WebP", icc_profile=rgb_profile()), False),
        # No profile, and four megabytes to find that out.
        (saved(TINY, "PNG", icc_profile=bytes(4_000_000)), False),
    ],
)
def test_only_what_is_quick_is_decoded_at_once(content: bytes, at_once: bool) -> None:
    assert len(content) < preparation.INLINE_BYTES
    prepared = preparation._prepared_at_once([Upload(None, content)], MODEL, None)
    assert (prepared is not None) is at_once


def test_many_small_pictures_count_as_large() -> None:
    assert isinstance(prepare_small([SMALL] * 110, MODEL, limits(), None, Stop()), Inspected)


def test_the_pixels_of_all_files_are_bounded_together() -> None:
    error = refusal([SMALL] * 3, limits(request=25_000))
    assert "file 3 (small.png): with this image there are 30000 pixels" in str(error)
    assert "at most 25000 are accepted in one request" in str(error)


def test_every_ten_scans_count_again() -> None:
    content = saved(Image.new("RGB", (100, 100)), "JPEG", progressive=True)
    scan = content[content.rfind(b"\xff\xda") : -2]
    many = Upload("scans.jpg", content[:-2] + scan * 50 + b"\xff\xd9")
    assert "there are 60000 pixels" in str(refusal([many], limits(request=50_000)))


def test_a_picture_that_takes_more_memory_than_there_is_is_refused() -> None:
    needed = memory_of(inspect(LARGE.content, 10_000_000), 32)
    assert isinstance(prepare_small([LARGE], MODEL, limits(memory=needed), None, Stop()), Inspected)
    message = str(refusal([LARGE], limits(memory=needed - 1)))
    assert f"a PNG image of 2000x1000 pixels takes {needed} bytes to decode" in message
    assert f"at most {needed - 1} are given" in message


def test_each_picture_holds_its_part_of_the_memory_while_it_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory, held = DecodingMemory(1 << 30), []

    def spy(picture: Picture, side: int, stop: Stop) -> Decoded:
        held.append(memory.held == memory_of(picture, side))
        return decode_picture(picture, side, stop)

    monkeypatch.setattr(preparation, "decode_picture", spy)
    inspected = prepare_small([LARGE, SMALL], MODEL, limits(), None, Stop())
    assert isinstance(inspected, Inspected)
    prepare(inspected, memory, Stop())
    assert held == [True, True]
    assert memory.held == 0


def test_nothing_more_is_decoded_once_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    stop, decoded = Stop(), []

    def spy(picture: Picture, side: int, stop: Stop) -> Decoded:
        decoded.append(picture)
        result = decode_picture(picture, side, stop)
        stop.ask()
        return result

    monkeypatch.setattr(preparation, "decode_picture", spy)
    inspected = prepare_small([LARGE] * 3, MODEL, limits(), None, stop)
    assert isinstance(inspected, Inspected)
    memory = DecodingMemory(1 << 30)
    with pytest.raises(StoppedError):
        prepare(inspected, memory, stop)
    assert len(decoded) == 1
    assert memory.held == 0


def test_a_mistake_of_our_own_is_not_told_as_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise TypeError("ours")

    monkeypatch.setattr(preparation, "decode_picture", broken)
    with pytest.raises(TypeError, match="ours"):
        prepare_small([SMALL], MODEL, limits(), None, Stop())
