"""An export goes where it replaces no other model, and says of itself what its folder says."""

from pathlib import Path

import pytest

from training.export.destination import Destination, destination, next_version


def test_the_next_version_is_the_newest(tmp_path: Path) -> None:
    assert next_version(tmp_path / "photos") == "1"
    for name in ("2", "10", "best"):  # 1 was deleted
        (tmp_path / "photos" / name).mkdir(parents=True)
    assert next_version(tmp_path / "photos") == "11"


def test_without_a_folder_no_model_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    weights = Path("models/weights")
    assert destination(None, None, None, "lenet") == Destination(weights / "lenet/1", "lenet", "1")
    (weights / "lenet/1").mkdir(parents=True)
    assert destination(None, None, None, "lenet") == Destination(weights / "lenet/2", "lenet", "2")
    assert destination(None, "mine", None, "lenet") == Destination(weights / "mine/1", "mine", "1")
    assert destination(None, None, "1", "lenet") == Destination(weights / "lenet/1", "lenet", "1")


def test_a_folder_in_a_repository_tells_name_and_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "photos" / "3"
    assert destination(folder, None, None, "lenet") == Destination(folder, "photos", "3")
    assert destination(folder, "mine", "4", "lenet") == Destination(folder, "mine", "4")
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path / "photos")
    assert destination(Path("3"), None, None, "lenet") == Destination(Path("3"), "photos", "3")


def test_any_other_folder_does_not(tmp_path: Path) -> None:
    folder = tmp_path / "artifact"
    assert destination(folder, None, None, "lenet") == Destination(folder, "lenet", "1")
