from pathlib import Path

import pytest

from models.preprocessing.image_error import ImageError
from training.data.image_file import MAX_FILE_BYTES, read_image_file


def test_a_film_among_the_images_is_not_read_into_memory(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    with film.open("wb") as opened:
        opened.truncate(MAX_FILE_BYTES + 1_000_000)
    with pytest.raises(ImageError, match="the file has 201 MB; at most 200 MB are read"):
        read_image_file(film)


def test_everything_else_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(b"content")
    assert read_image_file(tmp_path / "image") == b"content"
