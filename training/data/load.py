"""What `--data` names: CIFAR-10, or a folder of images."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape

from training.data.cifar10 import DataError, ImageData, load_cifar10
from training.data.folder_layout import is_image_folder
from training.data.image_folder import ImageFolder, class_counts, load_image_folder

CIFAR10_FOLDER = "cifar-10-batches-py"
LISTED = 20
"""Files that were left out, of which each is named."""
IMBALANCED = 2.0
"""Images of the largest class to those of the smallest, from which on it is worth a word."""


def holds_cifar10(folder: Path) -> bool:
    """Whether `load` takes `folder` for CIFAR-10: it is there, or nothing is."""
    return (folder / CIFAR10_FOLDER).is_dir() or not is_image_folder(folder)


def require_own_images(folder: Path, option: str) -> None:
    """Raise `DataError` unless `folder` holds folders of images, which `option` is for."""
    if (folder / CIFAR10_FOLDER).is_dir():
        raise DataError(f"{option} is for a folder of images: those of CIFAR-10 have 32 pixels")
    if not folder.is_dir():
        raise DataError(f"--data: there is no folder {folder}")
    if not is_image_folder(folder):
        raise DataError(f"--data: {folder} has no sub-folders: each class needs one, with its images in it")


def load(folder: Path, held_out: int, image_size: int, console: Console) -> ImageData:
    """CIFAR-10 where `folder` holds it, with `held_out` images kept apart; otherwise a folder of classes.

    A folder of classes is scaled to `image_size` pixels, and says itself what is held out; its class counts
    and the files left out are printed. Raises `DataError` for a folder that is neither, or damaged.
    """
    if holds_cifar10(folder):
        return load_cifar10(folder, held_out, ", or one of your own images, with a sub-folder for each class")
    loaded = load_image_folder(folder, image_size)
    describe(loaded, console)
    return loaded.data


def describe(loaded: ImageFolder, console: Console) -> None:
    """Print the class counts, how unequal they are, and the files left out."""
    data = loaded.data
    parts = [class_counts(part, data.classes) for part in (data.train, data.held_out, data.test)]
    for name in data.classes:
        train, held_out, test = (counts[name] for counts in parts)
        console.print(f"  {escape(name)}: {train:,} to train on, {held_out:,} held out, {test:,} to test")
    most, least = max(parts[0].values()), min(parts[0].values())
    if most >= IMBALANCED * least:
        console.print(
            f"the classes are imbalanced, {most / least:.1f} to 1: see --balance loss and --balance sampling"
        )
    show_skipped(loaded, console)


def show_skipped(loaded: ImageFolder, console: Console) -> None:
    """Print the files left out."""
    skipped = loaded.skipped
    for each in skipped[:LISTED]:
        console.print(f"left out {escape(each.path)}: {escape(each.reason)}", soft_wrap=True)
    if len(skipped) > LISTED:
        console.print(f"left out {len(skipped) - LISTED:,} more files")


def load_test(data: Path, test: Path | None, image_size: int) -> ImageData:
    """What to measure on: all images of the folder `test`, or else the test images of `data`.

    Those of a folder are scaled to `image_size` pixels. Raises `DataError`.
    """
    if test is None:
        return load(data, 0, image_size, Console(quiet=True))
    loaded = load_image_folder(test, image_size, only_test=True)
    show_skipped(loaded, Console(stderr=True))
    return loaded.data
