"""JPEGs that are decoded in one piece: the same pixels and the same errors as block by block."""

import io
from math import ceil
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models.preprocessing.formats import jpeg
from models.preprocessing.image_error import ImageError
from models.preprocessing.picture import Stored
from models.preprocessing.stopping import Stop, StoppedError

MODES = ("L", "RGB")


def encoded(mode: str, width: int, height: int, seed: int = 0, **options: object) -> bytes:
    """A JPEG of noise over a slope, whose edges and colours show every difference between decoders."""
    generator = np.random.default_rng(seed)
    noise = generator.integers(0, 128, (height, width, len(mode)), dtype=np.uint8)
    slope = np.linspace(0, 127, width, dtype=np.uint8)[None, :, None]
    image = Image.fromarray(np.squeeze(noise + slope, axis=2 if mode == "L" else ()))
    with io.BytesIO() as file:
        image.save(file, "JPEG", **options)
        return file.getvalue()


def block_by_block(picture: jpeg.Jpeg, reduction: int) -> Image.Image:
    return picture._load(picture.kept, Stop(), reduction)


@given(
    mode=st.sampled_from(MODES),
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    quality=st.integers(5, 100),
    subsampling=st.sampled_from(["4:4:4", "4:2:2", "4:2:0"]),
    restart=st.integers(0, 3),
    side=st.sampled_from([None, 1, 2, 4]),
)
def test_pixels_are_those_of_pillow(
    mode: str, width: int, height: int, quality: int, subsampling: str, restart: int, side: int | None
) -> None:
    options = {"quality": quality, "restart_marker_blocks": restart}
    if mode == "RGB":
        options["subsampling"] = subsampling  # type: ignore[assignment]
    picture = jpeg.inspect(encoded(mode, width, height, seed=width, **options))
    assert picture._is_plain
    stored = picture.read(Stop(), side)
    expected = block_by_block(picture, picture.reduction(side))
    assert stored.image.mode == expected.mode == mode
    assert (np.asarray(stored.image) == np.asarray(expected)).all()


@pytest.mark.parametrize(("width", "height", "side"), [(7, 7, 1), (6, 13, 1), (13, 41, 2), (15, 51, 1)])
def test_reduced_sizes_are_rounded_up(width: int, height: int, side: int) -> None:
    picture = jpeg.inspect(encoded("RGB", width, height))
    reduction = picture.reduction(side)
    assert reduction > 1
    image = picture.read(Stop(), side).image
    assert image.size == (ceil(width / reduction), ceil(height / reduction))
    assert (np.asarray(image) == np.asarray(block_by_block(picture, reduction))).all()


def test_colours_that_are_stored_as_rgb_stay_as_they_are() -> None:
    picture = jpeg.inspect(encoded("RGB", 40, 30, keep_rgb=True))
    at_once = picture._load_at_once(1)
    assert at_once is not None
    assert (np.asarray(at_once) == np.asarray(block_by_block(picture, 1))).all()


@pytest.mark.parametrize(
    "options", [{"progressive": True}, {"progressive": True, "quality": 30}], ids=["progressive", "coarse"]
)
def test_several_scans_can_be_stopped_and_so_are_not_decoded_at_once(options: dict[str, Any]) -> None:
    assert not jpeg.inspect(encoded("RGB", 40, 30, **options))._is_plain


def test_a_picture_that_takes_long_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = jpeg.inspect(encoded("RGB", 40, 30))
    assert picture._is_plain
    monkeypatch.setattr(jpeg, "MOST_PIXELS_AT_ONCE", 40 * 30 - 1)
    assert not picture._is_plain


def test_nothing_is_decoded_for_nobody() -> None:
    stop = Stop()
    stop.ask()
    with pytest.raises(StoppedError):
        jpeg.inspect(encoded("RGB", 40, 30)).read(stop, None)


@given(st.data())
def test_damage_is_told_and_forgiven_as_block_by_block(data: st.DataObject) -> None:
    content = bytearray(encoded("RGB", 48, 40, quality=80))
    start = data.draw(st.integers(2, len(content) - 1))
    content[start : start + data.draw(st.integers(1, 4))] = data.draw(st.binary(max_size=4))
    try:
        picture = jpeg.inspect(bytes(content))
    except ImageError:
        return

    def outcome(*, at_once: bool) -> tuple[object, ...]:
        try:
            stored = picture.read(Stop(), None) if at_once else _stored_block_by_block(picture)
        except ImageError as error:
            return error.code, str(error)
        return stored.image.mode, stored.image.size, stored.image.tobytes()

    if picture.width * picture.height <= 1 << 20:
        assert outcome(at_once=True) == outcome(at_once=False)


def _stored_block_by_block(picture: jpeg.Jpeg) -> Stored:
    try:
        return Stored(block_by_block(picture, 1))
    except ImageError:
        if picture.is_ended:
            raise
        return Stored(picture._load_without_end(Stop(), 1))
