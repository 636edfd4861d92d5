"""Types of arguments on the command line: what is refused there is refused before any work."""

import argparse

from pydantic import TypeAdapter, ValidationError

from models.artifact.metadata import LARGEST_INPUT, LONGEST_SLUG, Slug

SEEDS = 2**32
"""Different seeds: of larger ones PyTorch's generator on a processor takes the last 32 bits."""


def positive(text: str) -> int:
    return _whole_number(text, 1)


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


def _whole_number(text: str, least: int, most: int | None = None) -> int:
    legal = f"at least {least}" if most is None else f"in {least}..{most}"
    try:
        value = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number {legal}, got {text!r}") from None
    if value < least or (most is not None and value > most):
        raise argparse.ArgumentTypeError(f"must be {legal}, got {value}")
    return value
