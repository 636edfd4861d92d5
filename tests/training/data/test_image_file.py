from pathlib import Path

import pytest

from models.preprocessing.image_error import ImageError
from training.data.image_file import MAX_FILE_BYTES, read_image_file
from training.data.image_folder import MAX_PIXELS


def test_a_film_among_the_images_is_not_read_into_memory(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    with film.open("wb") as opened:
        opened.truncate(MAX_FILE_BYTES + 1_000_000)
    with pytest.raises(ImageError, match="the file has 257 MB; at most 256 MB are read"):
        read_image_file(film)


def test_everything_else_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(b"content")
    assert read_image_file(tmp_path / "image") == b"content"


def test_an_image_of_as_many_pixels_as_are_accepted_is_read_in_any_format() -> None:
    sixteen_bits_with_alpha = 8 * MAX_PIXELS
    assert sixteen_bits_with_alpha * 1.2 < MAX_FILE_BYTES
