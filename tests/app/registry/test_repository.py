"""The folder of models, as it lies on disk."""

from pathlib import Path

import pytest

from app.registry.repository import Repository, UnknownModelError


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    for path in ("cats/1", "cats/10", "cats/9", "dogs/1.9", "dogs/1.10", "dogs/1.10-rc", "empty"):
        (tmp_path / path).mkdir(parents=True)
    return Repository(tmp_path)


def test_versions_are_in_natural_order(repository: Repository) -> None:
    assert repository.versions() == {"cats": ["1", "9", "10"], "dogs": ["1.9", "1.10", "1.10-rc"]}


def test_what_is_no_model_is_left_out(repository: Repository) -> None:
    (repository.folder / "README.md").touch()
    (repository.folder / "cats" / ".11.being-written").mkdir()
    (repository.folder / "cats" / "notes.txt").touch()
    (repository.folder / "a name" / "1").mkdir(parents=True)
    assert repository.versions() == {"cats": ["1", "9", "10"], "dogs": ["1.9", "1.10", "1.10-rc"]}


def test_what_is_copied_into_it_is_there_at_once(repository: Repository) -> None:
    assert repository.find("cats") == ("10", repository.folder / "cats" / "10")
    (repository.folder / "cats" / "11").mkdir()
    assert repository.find("cats") == ("11", repository.folder / "cats" / "11")
    assert repository.find("cats", "9") == ("9", repository.folder / "cats" / "9")


@pytest.mark.parametrize("name", ["birds", "empty", "", "..", "../cats", "cats/1"])
def test_an_unknown_name_is_refused_and_the_known_ones_are_named(repository: Repository, name: str) -> None:
    with pytest.raises(UnknownModelError, match="choose from cats, dogs") as refusal:
        repository.find(name)
    assert refusal.value.version is None


@pytest.mark.parametrize("version", ["2", "", "..", "1/../9", "/"])
def test_an_unknown_version_is_refused_and_the_known_ones_are_named(
    repository: Repository, version: str
) -> None:
    with pytest.raises(UnknownModelError, match="choose from 1, 9, 10") as refusal:
        repository.find("cats", version)
    assert refusal.value.version == version


def test_a_folder_that_cannot_be_read_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="missing"):
        Repository(tmp_path / "missing").versions()
