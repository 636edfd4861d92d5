"""Which versions the start serves, where some of them are damaged or in the folders of others."""

import logging
import shutil
from pathlib import Path

import pytest

from app.errors import StartError
from app.main import check
from app.registry.first_plan import first_plan
from app.settings import Settings
from models.artifact.store import ArtifactError
from tests.support.artifacts import save_small_artifact


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    for name, version in (("cats", "1"), ("cats", "2"), ("dogs", "1")):
        save_small_artifact(folder / name / version, name=name, version=version)
    return folder


@pytest.fixture
def repository(sound: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    shutil.copytree(sound, folder)
    return folder


def served(repository: Path, pinned: str = "") -> dict[str, str]:
    return first_plan(Settings(model_repository=repository, pinned_versions=pinned)).current


def test_the_newest_version_of_each_is_served(repository: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert served(repository) == {"cats": "2", "dogs": "1"}
    assert caplog.messages == []


def test_the_copy_of_a_version_under_another_number_leaves_the_one_before(
    repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(repository / "cats" / "1", repository / "cats" / "3")
    assert served(repository) == {"cats": "2", "dogs": "1"}
    ((_, level, message),) = caplog.record_tuples
    assert level == logging.ERROR
    assert message == (
        f"cats 3 is passed over: {repository}/cats/3: the model calls itself cats/1, so it must lie in"
        f" {repository}/cats/1"
    )
    lines = check(Settings(model_repository=repository, device="cpu", engine="torch", max_batch=1))
    assert [line.split(" is fit")[0] for line in lines] == ["cats 2", "dogs 1"]


def test_a_model_in_whose_folder_only_another_lies_leaves_the_others(
    repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(repository / "dogs", repository / "birds")
    assert served(repository) == {"cats": "2", "dogs": "1"}
    assert [message.split(": ")[0] for message in caplog.messages] == ["birds 1 is passed over"]


def test_a_repository_in_which_nothing_lies_in_its_place_stops_the_start(repository: Path) -> None:
    (repository / "dogs").rename(repository / "birds")
    shutil.rmtree(repository / "cats")
    told = f"^{repository}/birds/1: the model calls itself dogs/1, so it must lie in {repository}/dogs/1$"
    with pytest.raises(ArtifactError, match=told):
        served(repository)


def test_a_damaged_version_and_a_misplaced_one_are_told_apart(
    repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(repository / "cats" / "1", repository / "cats" / "4")
    (repository / "cats" / "2" / "model.safetensors").unlink()
    assert served(repository) == {"cats": "1", "dogs": "1"}
    assert [message.split(":")[0] for message in caplog.messages] == [
        "cats 4 is passed over",
        "cats 2 is damaged, so an older version is served",
    ]
    # Of which the start says, when it loads it, what is wrong with it.
    (repository / "cats" / "1" / "model.safetensors").unlink()
    assert served(repository)["cats"] == "1"


def test_a_pinned_version_is_served_although_there_is_a_newer_one(
    repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(repository / "cats" / "1", repository / "cats" / "3")
    assert served(repository, "cats=1") == {"cats": "1", "dogs": "1"}
    assert list(served(repository, "dogs=1, cats=1")) == ["cats", "dogs"]
    assert caplog.messages == []  # those that are not asked for are nobody's concern
    settings = Settings(model_repository=repository, pinned_versions="cats=1", default_model="cats")
    assert first_plan(settings).default == "cats"


def test_one_that_is_damaged_or_misplaced_is_not_replaced_by_another(repository: Path) -> None:
    """Whoever names a version wants no other one: loading it says what is wrong, and stops the start."""
    shutil.copytree(repository / "cats" / "1", repository / "cats" / "3")
    assert served(repository, "cats=3")["cats"] == "3"
    settings = Settings(model_repository=repository, pinned_versions="cats=3", device="cpu", engine="torch")
    with pytest.raises(StartError, match="the model calls itself cats/1, so it must lie in"):
        check(settings)


@pytest.mark.parametrize(
    ("pinned", "message"),
    [
        ("cats=7", "there is no version '7' of cats; choose from 1, 2"),
        ("birds=1", "there is no model 'birds'; choose from cats, dogs"),
    ],
)
def test_one_that_is_not_there_stops_the_start(repository: Path, pinned: str, message: str) -> None:
    with pytest.raises(ArtifactError, match=f"^RESNET_SERVE_PINNED_VERSIONS: {message}$"):
        served(repository, pinned)
