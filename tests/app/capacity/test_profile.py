"""The measured numbers of a replica: as files, and between sizes."""

import json
from pathlib import Path

import pytest

from app.capacity.profile import MEASURED, between, load_profile, write_profile
from app.errors import StartError


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    profile = load_profile(MEASURED)
    write_profile(profile, tmp_path / "profile.json")
    assert load_profile(tmp_path / "profile.json") == profile


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("cores", 0, "cores: Input should be greater than or equal to 1"),
        ("images_per_second", float("inf"), "images_per_second: Input should be a finite number"),
        ("batch_seconds", {"4": 0.01}, "batch_seconds must have the size 1"),
        ("jitter", {"2": 1.0}, r"jitter\.2"),
        ("streams", 3, "streams must be 1 or concurrency, [12]; got 3"),
        ("gpu", 1, "gpu: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, field: str, value: object, message: str) -> None:
    file = tmp_path / "profile.json"
    file.write_text(json.dumps(json.loads(MEASURED.read_text()) | {field: value}))
    with pytest.raises(StartError, match=message):
        load_profile(file)


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    file = tmp_path / "profile.json"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(StartError, match=r"profile\.json: Invalid JSON"):
        load_profile(file)


def test_between_what_is_known_lies_a_straight_line_and_beyond_it_nothing_new() -> None:
    points = {1.0: 10.0, 3.0: 20.0, 4.0: 40.0}
    assert [between(points, at) for at in (0, 1, 2, 3, 4, 9)] == [10, 10, 15, 20, 40, 40]
