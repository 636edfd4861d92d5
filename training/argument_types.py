"""Types of arguments on the command line: what is refused there is refused before any work."""

import argparse
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from models.artifact.metadata import LARGEST_INPUT, LONGEST_SLUG, Slug

SEEDS = 2**32
"""Different seeds: of larger ones PyTorch's generator on a processor takes the last 32 bits."""


LARGEST = 1_000_000
"""Of epochs, images, seconds and minutes: more is a slip, and a list of as many would fill the memory."""


def positive(text: str) -> int:
    return _whole_number(text, 1, LARGEST)


def seed(text: str) -> int:
    return _whole_number(text, 0, SEEDS - 1)


def image_size(text: str) -> int:
    """Pixels a side, as many as an artifact may take."""
    return _whole_number(text, 1, LARGEST_INPUT)


def slug(text: str) -> str:
    """A model's name or version, as an artifact may have it."""
    try:
        return TypeAdapter(Slug).validate_python(text)
    except ValidationError as error:
        raise argparse.ArgumentTypeError(
            f"must be at most {LONGEST_SLUG} letters, digits, dots, hyphens and underscores, "
            f"a letter or digit first, got {text!r}"
        ) from error


def folder(text: str) -> Path:
    """A folder's path. An empty one, as of a variable that is not set, would be the folder at hand."""
    if not text:
        raise argparse.ArgumentTypeError("must be the path of a folder, got an empty text")
    return Path(text)


def folder_to_read(text: str) -> Path:
    """The path of a folder that is there."""
    path = folder(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"must be a folder that is there, got {text!r}")
    return path


def _whole_number(text: str, least: int, most: int) -> int:
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number in {least}..{most}, got {text!r}") from None
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"must be in {least}..{most}, got {value}")
    return value
