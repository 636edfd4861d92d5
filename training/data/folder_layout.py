"""Which files of a folder are images of which class, for training, held out or test; nothing is read yet."""

import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from models.artifact.metadata import LONGEST_LABEL
from training.data.cifar10 import DataError
from training.data.split import Role

ROLE_NAMES: dict[Role, tuple[str, ...]] = {
    "train": ("train", "training"),
    "held_out": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
"""What the folder of each role may be called, in any case."""
PASSED_OVER = frozenset(
    {
        "__macosx",
        "__pycache__",
        "@eadir",
        "#recycle",
        "@recycle",
        "$recycle.bin",
        "system volume information",
        "lost+found",
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "icon\r",
    }
)
"""What systems and programs leave in folders, in any case. Hidden names, with a dot first, are passed over
too."""
LONGEST_NAME = 255
"""Bytes of a folder's name, on the usual file systems."""
LISTED = 50
"""Conflicts of which each is named; of more, the number."""


@dataclass(frozen=True)
class Skipped:
    """A file or folder that is left out, its path relative to the folder, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class File:
    """A file of a class's folder, its class by number; of what is to be split, the `role` is `train`."""

    path: Path
    label: int
    role: Role


@dataclass(frozen=True)
class Layout:
    """Classes; files, the tests' first, then the held-out ones; the roles' folders; what is left out.

    With `only_test`, all files are to test on, and nothing is split off.
    """

    classes: tuple[str, ...]
    files: list[File]
    role_folders: dict[Role, Path]
    skipped: list[Skipped]
    only_test: bool = False

    @property
    def missing(self) -> list[Role]:
        """The roles to split off the training images."""
        return [role for role in ROLE_NAMES if role not in ("train", *self.role_folders)]


def is_image_folder(folder: Path) -> bool:
    """Whether there are sub-folders, and so classes, in `folder`."""
    return folder.is_dir() and bool(sub_folders(folder))


def is_class_name(name: str) -> bool:
    """Whether a folder of this name is that of a class of this name."""
    return (
        name.isprintable()
        and "/" not in name
        and 0 < len(name.encode()) <= LONGEST_NAME
        and len(name) <= LONGEST_LABEL
        and name == class_name(Path(name))
        and not _is_passed_over(name)
    )


def class_folders(folder: Path) -> dict[str, Path]:
    """The folders of the classes in `folder` by `class_key`; none where there is no such folder yet."""
    return {class_key(each.name): each for each in sub_folders(folder)} if folder.is_dir() else {}


def class_key(name: str) -> str:
    """What is the same for names of which `find_layout` takes one class only: those that look alike."""
    return unicodedata.normalize("NFC", name).casefold().strip()


def require_no_conflicts(folder: Path, conflicts: list[str]) -> None:
    """Raise `DataError` naming all `conflicts`, where there are any."""
    if conflicts:
        more = [f"and {len(conflicts) - LISTED:,} more"] if len(conflicts) > LISTED else []
        raise DataError(f"{folder}: {'; '.join([*conflicts[:LISTED], *more])}")


def find_layout(folder: Path) -> Layout:
    """The layout of `folder`: a sub-folder for each class, or train/ with these in it.

    A folder is that of a role (see `ROLE_NAMES`) where it holds folders and train/ does so too, or where its
    folders are called like classes beside it. Links are followed, but to each folder only once a class.

    Raises `DataError` naming all that is wrong: several folders for one role, a role's folder without train/
    or without classes, fewer than two classes, names that are too long, not printable or differ in case or
    Unicode form only, and classes that there are no training images of.
    """
    role_folders, conflicts = _role_folders(folder)
    if not role_folders:
        require_no_conflicts(folder, conflicts)
    skipped: list[Skipped] = []
    roots: dict[Role, list[Path]] = {role: sub_folders(each) for role, each in role_folders.items()}
    if "train" in roots:
        used = set(role_folders.values())
        outside = f"not in {', '.join(f'{each.name}/' for each in role_folders.values())}, and so not used"
        skipped += [Skipped(each.name, outside) for each in _entries(folder) if each not in used]
    else:
        roots["train"] = [each for each in sub_folders(folder) if each not in role_folders.values()]
        skipped += [Skipped(each.name, "in no class's folder") for each in _entries(folder) if each.is_file()]
    names = [class_name(path) for path in roots["train"]]
    conflicts += _wrong_names(names) or _roles_by_other_names(roots["train"])
    classes = tuple(sorted(set(names)))
    files: list[File] = []
    for role in reversed(ROLE_NAMES):
        if role not in roots:
            continue
        if role != "train":
            root = role_folders[role]
            if unknown := sorted({class_name(each) for each in roots[role]} - set(classes)):
                conflicts.append(f"{root.name}/ has classes without training images: {', '.join(unknown)}")
            skipped += [
                Skipped(f"{root.name}/{each.name}", "in no class's folder")
                for each in _entries(root)
                if each.is_file()
            ]
        for path in roots[role]:
            if class_name(path) not in classes:
                continue
            label = classes.index(class_name(path))
            for found in files_below(path):
                if isinstance(found, Skipped):
                    skipped.append(Skipped(str(Path(found.path).relative_to(folder)), found.reason))
                else:
                    files.append(File(found, label, role))
    require_no_conflicts(folder, conflicts)
    return Layout(classes, files, role_folders, skipped)


def training_part(folder: Path) -> Path:
    """Where the images to train on lie: train/ in `folder`, where that is such a layout, or else `folder`."""
    return _role_folders(folder)[0].get("train", folder) if folder.is_dir() else folder


def find_test_layout(folder: Path) -> Layout:
    """The layout of `folder`, a sub-folder for each class, all of whose images are to test on.

    Raises `DataError` as `find_layout` does, and where there are folders for roles.
    """
    layout = find_layout(folder)
    if layout.role_folders:
        listed = ", ".join(f"{each.name}/" for each in layout.role_folders.values())
        raise DataError(
            f"{folder}: must hold a sub-folder for each class, and has {listed}: give one of these"
        )
    files = [replace(file, role="test") for file in layout.files]
    return replace(layout, files=files, only_test=True)


def _role_folders(folder: Path) -> tuple[dict[Role, Path], list[str]]:
    """The folder of each role that has one, and what is wrong with them."""
    folders = sub_folders(folder)
    named: dict[Role, list[Path]] = {
        role: [each for each in folders if each.name.casefold() in names]
        for role, names in ROLE_NAMES.items()
    }
    everything = {each for found in named.values() for each in found}
    # A class may be called train; as a role it holds folders.
    if any(sub_folders(each) for each in named["train"]):
        conflicts = [
            f"{each.name}/ must hold a folder for each class, as {named['train'][0].name}/ does"
            for found in named.values()
            for each in found
            if not sub_folders(each)
        ]
    else:
        beside = {class_name(each) for each in folders if each not in everything}
        only_roles = everything and not beside and all(map(sub_folders, everything))
        if only_roles:
            names = " and ".join(f"{each.name}/" for each in sorted(everything))
            return {}, [f"beside {names} there must be train/, with a folder for each class as well"]
        for role, found in named.items():
            named[role] = [
                each for each in found if beside & {class_name(inner) for inner in sub_folders(each)}
            ]
        conflicts = []
    conflicts += [
        f"one folder is needed for each role, but there are {' and '.join(f'{each.name}/' for each in found)}"
        for found in named.values()
        if len(found) > 1
    ]
    return {role: found[0] for role, found in named.items() if found}, conflicts


def _wrong_names(names: list[str]) -> list[str]:
    wrong = []
    if len(names) < 2:
        wrong.append(
            f"at least 2 classes are needed, each a sub-folder of images, got {', '.join(names) or 'none'}"
        )
    wrong += [
        f"the class name {name!r} must be printable Unicode text" for name in names if not name.isprintable()
    ]
    wrong += [
        f"the class name {name!r} must have at most {LONGEST_LABEL} characters, got {len(name)}"
        for name in names
        if len(name) > LONGEST_LABEL
    ]
    count = Counter(map(class_key, names))
    if alike := [name for name in names if count[class_key(name)] > 1]:
        wrong.append(f"class names must differ in more than case or form: {', '.join(alike)}")
    return wrong


def _roles_by_other_names(folders: list[Path]) -> list[str]:
    """Where what would be the classes, as training_set/ and test_set/, holds the same folders each."""
    starts = tuple(name for names in ROLE_NAMES.values() for name in names)
    alike = {frozenset(class_name(each) for each in sub_folders(folder)) for folder in folders}
    if len(alike) > 1 or frozenset() in alike:
        return []
    if not all(folder.name.casefold().startswith(starts) for folder in folders):
        return []
    listed = " and ".join(f"{folder.name}/" for folder in folders)
    return [f"{listed} hold the same folders: if these are the classes, call them train/, val/ and test/"]


def class_name(path: Path) -> str:
    """The class of a folder: its name, in the one form of Unicode that makes equal what looks equal."""
    return unicodedata.normalize("NFC", path.name)


def _is_passed_over(name: str) -> bool:
    return name.startswith(".") or name.casefold() in PASSED_OVER


def _entries(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if not _is_passed_over(each.name))


def sub_folders(folder: Path) -> list[Path]:
    """The folders in `folder` in order, those that systems and programs leave (`PASSED_OVER`) left out."""
    return [each for each in _entries(folder) if each.is_dir()]


def files_below(folder: Path) -> Iterator[Path | Skipped]:
    """The files in `folder` and below, in order, and what else is there, but nothing of `PASSED_OVER`.

    A folder that links lead to several times is entered once: links may go in circles.
    """
    entered: set[tuple[int, int]] = set()

    def walk(inner: Path) -> Iterator[Path | Skipped]:
        status = inner.stat()  # of what a link leads to
        if (status.st_dev, status.st_ino) in entered:
            yield Skipped(str(inner), "a link to a folder that is read already")
            return
        entered.add((status.st_dev, status.st_ino))
        for each in _entries(inner):
            if each.is_dir():
                yield from walk(each)
            elif each.is_file():
                yield each
            elif each.is_symlink():
                yield Skipped(str(each), "a link that leads nowhere")
            else:
                yield Skipped(str(each), "not a regular file")

    return walk(folder)
