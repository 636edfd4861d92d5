import os
import unicodedata
from pathlib import Path

import pytest

from training.data.cifar10 import DataError
from training.data.folder_layout import LISTED, find_layout, find_test_layout, is_image_folder

ALIKE = [unicodedata.normalize(form, "é") for form in ("NFC", "NFD")]


def create(folder: Path, *files: str) -> Path:
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def found(folder: Path) -> dict[str, str]:
    """Of each file its class and role."""
    layout = find_layout(folder)
    return {
        file.path.relative_to(folder).as_posix(): f"{layout.classes[file.label]} {file.role}"
        for file in layout.files
    }


def left_out(folder: Path) -> dict[str, str]:
    return {each.path: each.reason for each in find_layout(folder).skipped}


@pytest.mark.parametrize("train", ["train", "Train", "TRAINING"])
@pytest.mark.parametrize("held_out", ["val", "valid", "validation", "Valid", "VAL"])
@pytest.mark.parametrize("test", ["test", "Test", "testing"])
def test_role_folders_have_their_usual_names_in_any_case(
    tmp_path: Path, train: str, held_out: str, test: str
) -> None:
    names = [f"{folder}/{name}/x" for folder in (train, held_out, test) for name in ("a", "b")]
    assert found(create(tmp_path, *names)) == {
        f"{train}/a/x": "a train",
        f"{train}/b/x": "b train",
        f"{held_out}/a/x": "a held_out",
        f"{held_out}/b/x": "b held_out",
        f"{test}/a/x": "a test",
        f"{test}/b/x": "b test",
    }
    assert find_layout(tmp_path).missing == []


def test_a_role_folder_beside_classes_is_no_class(tmp_path: Path) -> None:
    create(tmp_path, "cat/1", "dog/1", "validation/cat/2", "validation/dog/2")
    assert found(tmp_path) == {
        "cat/1": "cat train",
        "dog/1": "dog train",
        "validation/cat/2": "cat held_out",
        "validation/dog/2": "dog held_out",
    }
    assert find_layout(tmp_path).missing == ["test"]


def test_a_class_may_be_called_as_a_role_is(tmp_path: Path) -> None:
    assert find_layout(create(tmp_path, "train/1", "plane/1")).classes == ("plane", "train")
    assert found(create(tmp_path, "test/2020/1")) == {
        "train/1": "train train",
        "plane/1": "plane train",
        "test/2020/1": "test train",
    }


def test_what_is_not_used_is_told(tmp_path: Path) -> None:
    create(tmp_path, "train/a/1", "train/b/1", "val/a/2", "val/b/2", "cat/1", "readme.txt", "val/loose.png")
    outside = "not in train/, val/, and so not used"
    assert left_out(tmp_path) == {
        "cat": outside,
        "readme.txt": outside,
        "val/loose.png": "in no class's folder",
    }


def test_a_file_beside_the_classes_is_told(tmp_path: Path) -> None:
    assert left_out(create(tmp_path, "a/1", "b/1", "c.png")) == {"c.png": "in no class's folder"}


def test_what_systems_leave_behind_is_passed_over(tmp_path: Path) -> None:
    create(tmp_path, "a/1", "b/1", "a/deep/2")
    create(tmp_path, ".git/1", "__MACOSX/a/._1", "@eaDir/1", "__pycache__/x", "lost+found/x", "Thumbs.db")
    create(tmp_path, "a/@eaDir/1", "a/.hidden", "a/Thumbs.db", "b/desktop.ini", "b/__MACOSX/._1", "a/.x/y")
    assert found(tmp_path) == {"a/1": "a train", "a/deep/2": "a train", "b/1": "b train"}
    assert left_out(tmp_path) == {}


def test_links_are_followed_and_never_in_circles(tmp_path: Path) -> None:
    outside = create(tmp_path / "elsewhere", "1", "deep/2")
    folder = create(tmp_path / "photos", "b/1")
    (folder / "a").symlink_to(outside)
    (outside / "round").symlink_to(outside)
    (outside / "up").symlink_to(tmp_path / "elsewhere" / "deep")
    (folder / "b" / "gone").symlink_to(tmp_path / "nowhere")
    (folder / "b" / "itself").symlink_to(folder / "b" / "itself")
    (folder / "b" / "linked").symlink_to(outside / "1")
    os.mkfifo(folder / "b" / "pipe")
    assert found(folder) == {
        "a/1": "a train",
        "a/deep/2": "a train",
        "b/1": "b train",
        "b/linked": "b train",
    }
    again = "a link to a folder that is read already"
    assert left_out(folder) == {
        "a/round": again,
        "a/up": again,
        "b/gone": "a link that leads nowhere",
        "b/itself": "a link that leads nowhere",
        "b/pipe": "not a regular file",
    }


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (["a/1"], "at least 2 classes are needed, each a sub-folder of images, got a"),
        (["Cat/1", "cat/1"], "class names must differ in more than case or form: Cat, cat"),
        ([f"{name}/1" for name in ALIKE], "class names must differ in more than case or form: é, é"),
        (["a\nb/1", "c/1"], r"the class name 'a\nb' must be printable Unicode text"),
        (
            [f"{'a' * 201}/1", "c/1"],
            f"the class name '{'a' * 201}' must have at most 200 characters, got 201",
        ),
        ([os.fsdecode(b"\xff/1"), "c/1"], r"the class name '\udcff' must be printable Unicode text"),
        (
            ["train/a/1", "train/b/1", "val/c/1", "test/d/1", "test/a/1"],
            "test/ has classes without training images: d; val/ has classes without training images: c",
        ),
        (["val/a/1", "test/a/1"], "beside test/ and val/ there must be train/, with a folder for each class"),
        (["test/a/1", "test/b/1"], "beside test/ there must be train/, with a folder for each class as well"),
        (
            ["training_set/a/1", "training_set/b/1", "test_set/b/1", "test_set/a/1"],
            "test_set/ and training_set/ hold the same folders: if these are the classes, call them train/",
        ),
        (
            ["train/a/1", "train/b/1", "val/a/1", "Valid/a/1", "test/1.png", "Train/a/1"],
            "test/ must hold a folder for each class, as Train/ does; "
            "one folder is needed for each role, but there are Train/ and train/; "
            "one folder is needed for each role, but there are Valid/ and val/",
        ),
    ],
)
def test_all_conflicts_are_named_at_once(tmp_path: Path, files: list[str], said: str) -> None:
    with pytest.raises(DataError) as refused:
        find_layout(create(tmp_path, *files))
    assert said in str(refused.value)


def test_of_very_many_conflicts_some_are_named_and_all_counted(tmp_path: Path) -> None:
    create(tmp_path, *(f"a\n{number}/1" for number in range(LISTED + 7)))
    with pytest.raises(DataError, match=r"and 7 more$"):
        find_layout(tmp_path)


def test_what_is_an_image_folder(tmp_path: Path) -> None:
    assert not is_image_folder(tmp_path / "none")
    assert not is_image_folder(tmp_path)
    assert not is_image_folder(create(tmp_path, "a.png", ".git/x", "__MACOSX/a/x"))
    assert is_image_folder(create(tmp_path, "a/1"))


@pytest.mark.parametrize(
    "files", [["train-1/a/1", "trolley/a/1"], ["train-1/1", "train-2/1"], ["trains/a/1", "tests/b/1"]]
)
def test_classes_may_be_called_like_roles(tmp_path: Path, files: list[str]) -> None:
    assert len(find_layout(create(tmp_path, *files)).classes) == 2


def test_all_of_a_folder_may_be_to_test_on(tmp_path: Path) -> None:
    layout = find_test_layout(create(tmp_path, "a/1", "b/2", "b/deep/3"))
    assert (layout.classes, layout.only_test) == (("a", "b"), True)
    assert {file.role for file in layout.files} == {"test"}
    with pytest.raises(DataError, match="has train/, test/: give one of these"):
        find_test_layout(create(tmp_path / "roles", "train/a/1", "train/b/1", "test/a/1", "test/b/1"))
