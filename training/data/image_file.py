"""The content of a file that may be an image, or anything else that lies among images."""

from pathlib import Path

from models.preprocessing.image_error import ImageError

MAX_FILE_BYTES = 256_000_000
"""More than an image of as many pixels as are accepted takes in any format, at most 8 bytes for each; films
and archives are often larger."""


def read_image_file(path: Path) -> bytes:
    """All bytes of the file. Raises `ImageError` for one that is larger than any image, and `OSError`."""
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise ImageError(
            "image_too_large",
            f"the file has {size / 1e6:,.0f} MB; at most {MAX_FILE_BYTES / 1e6:,.0f} MB are read",
        )
    return path.read_bytes()
