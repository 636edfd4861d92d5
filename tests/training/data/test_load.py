from pathlib import Path

import pytest
from rich.console import Console

from tests.training.data.test_image_folder import fill
from training.data.cifar10 import DataError
from training.data.folder_layout import Skipped
from training.data.image_folder import load_image_folder
from training.data.load import LISTED, describe, holds_cifar10, load, load_test, require_own_images


def told(folder: Path) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        load(folder, 0, 8, console)
    return captured.get()


def test_a_folder_of_classes_is_described(tmp_path: Path) -> None:
    fill(tmp_path, cat=10, dog=10)
    (tmp_path / "dog" / "[bold]notes.txt").write_text("no image")
    shown = told(tmp_path)
    assert "cat: 6 to train on, 2 held out, 2 to test" in shown
    assert "left out dog/[bold]notes.txt: " in shown
    assert "imbalanced" not in shown


def test_imbalance_is_reported_with_what_can_be_done(tmp_path: Path) -> None:
    shown = told(fill(tmp_path, cat=30, dog=6))
    assert "the classes are imbalanced, 5.5 to 1: see --balance loss and --balance sampling" in shown


def test_a_long_list_of_files_is_cut(tmp_path: Path) -> None:
    loaded = load_image_folder(fill(tmp_path, a=3, b=3), 8)
    many = type(loaded)(loaded.data, tuple(Skipped(f"{n}.txt", "no image") for n in range(LISTED + 7)))
    console = Console(width=200)
    with console.capture() as captured:
        describe(many, console)
    assert captured.get().count("no image") == LISTED
    assert "left out 7 more files" in captured.get()


def test_cifar10_is_known_by_its_folder(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-batches-py").mkdir()
    (tmp_path / "other").mkdir()
    assert holds_cifar10(tmp_path)
    assert holds_cifar10(tmp_path / "absent")
    assert not holds_cifar10(fill(tmp_path / "own", a=1))


@pytest.mark.parametrize("name", ["absent", "."])
def test_what_is_neither_says_what_may_be_given(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="or one of your own images, with a sub-folder for each class"):
        load(tmp_path / name, 0, 8, Console(quiet=True))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("photso", "--data: there is no folder "),
        ("flat", "each class needs one, with its images in it"),
        ("cifar", "--image-size is for a folder of images"),
    ],
)
def test_a_size_is_asked_of_own_images_only(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "cifar" / "cifar-10-batches-py").mkdir(parents=True)
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat" / "1.png").touch()
    with pytest.raises(DataError, match=said):
        require_own_images(tmp_path / name, "--image-size")
    require_own_images(fill(tmp_path / "own", a=1), "--image-size")


def test_cifar10_itself(cifar10_folder: Path) -> None:
    data = load(cifar10_folder, 1000, 8, Console(quiet=True))
    assert data.train.images.shape == (49_000, 3, 32, 32)


def test_a_folder_to_test_on_is_not_split(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path, cat=3, dog=4)
    (tmp_path / "dog" / "notes.txt").write_text("no image")
    data = load_test(tmp_path / "absent", tmp_path, 8)
    assert (data.classes, len(data.train), len(data.held_out), len(data.test)) == (("cat", "dog"), 0, 0, 7)
    assert "left out dog/notes.txt" in capsys.readouterr().err
    (tmp_path / "bird").mkdir()
    with pytest.raises(DataError, match="class 'bird' has no readable image"):
        load_test(tmp_path / "absent", tmp_path, 8)


def test_without_one_it_is_the_data_themselves(tmp_path: Path) -> None:
    assert len(load_test(fill(tmp_path, cat=10, dog=10), None, 8).test) == 4
