import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from training.argument_types import folder, folder_to_read, image_size, positive, seed, slug


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (positive, "1", 1),
        (positive, "1000000", 1_000_000),
        (folder, "runs/a b", Path("runs/a b")),
        (folder_to_read, "/", Path("/")),
        (seed, "0", 0),
        (seed, "4294967295", 2**32 - 1),
        (image_size, "2048", 2048),
        (slug, "my-model_1.2", "my-model_1.2"),
    ],
)
def test_what_is_right_is_taken(kind: Callable[[str], object], text: str, value: object) -> None:
    assert kind(text) == value


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        (positive, "0", "must be in 1..1000000, got 0"),
        (positive, "9" * 30, "must be in 1..1000000, got 999"),
        (folder, "", "must be the path of a folder, got an empty text"),
        (folder_to_read, "", "must be the path of a folder, got an empty text"),
        (folder_to_read, __file__, "must be a folder that is there, got"),
        (folder_to_read, "/nowhere", "must be a folder that is there, got '/nowhere'"),
        (positive, "many", "must be a whole number in 1..1000000, got 'many'"),
        (seed, "-1", "must be in 0..4294967295, got -1"),
        (seed, "4294967296", "must be in 0..4294967295, got 4294967296"),
        (image_size, "2049", "must be in 1..2048, got 2049"),
        (slug, "my model", "a letter or digit first, got 'my model'"),
        (slug, ".hidden", "a letter or digit first, got '.hidden'"),
        (slug, "a" * 101, "must be at most 100 letters"),
    ],
)
def test_what_is_wrong_is_told(kind: Callable[[str], object], text: str, said: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as refused:
        kind(text)
    assert said in str(refused.value)
