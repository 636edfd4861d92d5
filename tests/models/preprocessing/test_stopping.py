"""Decoding ends soon after nobody waits for it any more, in the midst of a file too."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from models.preprocessing.decode import decode_picture, inspect
from models.preprocessing.formats import jpeg
from models.preprocessing.stopping import Stop, StoppableFile, StoppedError
from models.preprocessing.strips import STRIP_PIXELS, strips
from tests.support.image_files import saved


class StopAfter(Stop):
    """Is asked by the n-th check; counts them."""

    def __init__(self, checks: int | None = None) -> None:
        super().__init__()
        self.most, self.checks = checks, 0

    def check(self) -> None:
        self.checks += 1
        if self.checks == self.most:
            self.ask()
        super().check()


def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (900, 1000, 3), dtype=np.uint8))


FILES: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: saved(noise(), "JPEG", quality=95),
    "progressive JPEG": lambda: saved(noise(), "JPEG", progressive=True),
    "PNG": lambda: saved(noise(), "PNG", compress_level=1),
    "GIF": lambda: saved(noise().quantize(256), "GIF"),
    "BMP": lambda: saved(noise(), "BMP"),
    "transparent PNG": lambda: saved(Image.new("RGBA", (2000, 2000), (0, 0, 0, 9)), "PNG"),
}


@pytest.mark.parametrize("name", FILES)
def test_it_ends_at_every_one_of_many_checks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jpeg, "MOST_PIXELS_AT_ONCE", 0)
    picture = inspect(FILES[name](), 4_000_000)
    whole = StopAfter()
    decode_picture(picture, stop=whole)
    assert whole.checks >= 3
    for checks in (1, 2, whole.checks // 2, whole.checks):
        stop = StopAfter(checks)
        with pytest.raises(StoppedError):
            decode_picture(picture, stop=stop)
        assert stop.checks == checks


def test_a_file_is_read_until_it_is_asked_to_stop() -> None:
    stop = Stop()
    file = StoppableFile(b"abcdef", stop)
    assert file.read(2) == b"ab"
    stop.ask()
    with pytest.raises(StoppedError):
        file.read(2)


def test_it_ends_between_two_scans_however_few_bytes_they_have() -> None:
    content = saved(Image.new("RGB", (64, 64)), "JPEG", progressive=True)
    scan = content[content.rfind(b"\xff\xda") : -2]
    whole = StopAfter()
    decode_picture(inspect(content[:-2] + scan * 80 + b"\xff\xd9", 10_000), stop=whole)
    assert whole.checks > 80


@pytest.mark.parametrize("size", [(1, 1), (3, STRIP_PIXELS), (STRIP_PIXELS * 2, 3), (1000, 1000)])
def test_strips_cover_a_picture_once_and_are_small(size: tuple[int, int]) -> None:
    rows = 0
    for left, top, right, bottom in strips(size, Stop()):
        assert (left, right, top) == (0, size[0], rows)
        assert (bottom - top) * size[0] <= max(STRIP_PIXELS, size[0])
        rows = bottom
    assert rows == size[1]
