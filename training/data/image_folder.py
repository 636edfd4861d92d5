"""A folder of images, a sub-folder for each class, as uint8 tensors: decoded and scaled as in serving."""

import hashlib
import json
import os
import unicodedata
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from models.preprocessing.decode import decode
from models.preprocessing.image_error import ImageError
from models.preprocessing.transform import Preprocessing
from training.data.cifar10 import DataError, ImageData, Split, channel_statistics
from training.data.split import Role, split

ROLE_FOLDERS: dict[str, Role] = {"train": "train", "val": "held_out", "test": "test"}
MAX_PIXELS = 25_000_000
"""Of one image, as the service has it by default: a larger one could not be sent there either."""
MEMORY_SHARE = 0.5
"""Of the machine's memory, that the images may take, the copy included that is made to split them."""


@dataclass(frozen=True)
class Skipped:
    """A file that is left out, its path relative to the folder, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class ImageFolder:
    """A folder that was read: its images, and the files among them that were left out."""

    data: ImageData
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True)
class _File:
    path: Path
    label: int
    role: Role
    """That of the folder it is in; of what is to be split, `train`."""


def is_image_folder(folder: Path) -> bool:
    """Whether there are sub-folders, and so classes, in `folder`."""
    return folder.is_dir() and bool(_sub_folders(folder))


def load_image_folder(folder: Path, image_size: int) -> ImageFolder:
    """Read `folder`: a sub-folder for each class, or train/ with these in it, and perhaps val/ and test/.

    Images are scaled to `image_size` × `image_size` pixels by the code that scales them in serving. A class's
    images may lie in sub-folders of its own; names that begin with a dot are passed over. Images of val/ are
    held out. What has no folder, val/ or test/, is split off the training images (see `training.data.split`).

    Files that cannot be read as images are left out, and so is every file but the first of the same content,
    for a copy among the test images would be known by heart: the one in test/ stays, then the one in val/.

    Raises `DataError` for fewer than two classes, a class without images, or with too few to split, for names
    that differ in case or Unicode form only, for the same content in two classes, and where the images would
    not fit into memory.
    """
    classes, files, missing = _list_files(folder)
    _require_memory(len(files), image_size)
    images, results = _read_all(files, image_size)
    kept, roles, skipped = _choose(folder, classes, files, results, missing)
    labels = torch.tensor([file.label for file in files], dtype=torch.int64)
    parts: dict[Role, Split] = {}
    for role in ROLE_FOLDERS.values():
        index = torch.tensor([i for i in kept if roles[i] == role], dtype=torch.int64)
        parts[role] = Split(images[index], labels[index])
    mean, std = channel_statistics(parts["train"].images)
    if min(std) == 0:
        raise DataError(f"{folder}: all training images have the same value in one channel: nothing to learn")
    data = ImageData(
        name=folder.resolve().name or "images",
        classes=classes,
        train=parts["train"],
        held_out=parts["held_out"],
        test=parts["test"],
        mean=mean,
        std=std,
        sha256=_digest(classes, image_size, parts),
    )
    return ImageFolder(data, tuple(skipped))


def class_counts(split_: Split, classes: tuple[str, ...]) -> dict[str, int]:
    """Images of each class."""
    counts = torch.bincount(split_.labels.cpu(), minlength=len(classes)).tolist()
    return dict(zip(classes, counts, strict=True))


def _sub_folders(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))


def _list_files(folder: Path) -> tuple[tuple[str, ...], list[_File], list[Role]]:
    """Classes, files (tests' first, then the held-out ones), and the roles to split off."""
    # A class may be called train; as a role it holds folders.
    roots: dict[Role, Path] = {"train": folder}
    if (folder / "train").is_dir() and _sub_folders(folder / "train"):
        roots = {role: folder / name for name, role in ROLE_FOLDERS.items() if (folder / name).is_dir()}
    classes = _class_names(roots["train"])
    files: list[_File] = []
    for role, root in reversed(roots.items()):
        if unknown := sorted({_class_name(each) for each in _sub_folders(root)} - set(classes)):
            raise DataError(f"{root}: classes that train/ does not have: {', '.join(unknown)}")
        for path in _sub_folders(root):
            label = classes.index(_class_name(path))
            files += (_File(file, label, role) for file in _files_below(path))
    return classes, files, [role for role in ROLE_FOLDERS.values() if role not in roots]


def _class_name(path: Path) -> str:
    return unicodedata.normalize("NFC", path.name)


def _class_names(root: Path) -> tuple[str, ...]:
    names = [_class_name(path) for path in _sub_folders(root)]
    if len(names) < 2:
        raise DataError(
            f"{root}: at least 2 classes are needed, each a sub-folder of images, "
            f"got {', '.join(names) or 'none'}"
        )
    for name in names:
        if not name.isprintable():
            raise DataError(f"{root}: the class name {name!r} must be printable Unicode text")
    count = Counter(name.casefold().strip() for name in names)
    if alike := [name for name in names if count[name.casefold().strip()] > 1]:
        raise DataError(f"{root}: class names must differ in more than case or form: {', '.join(alike)}")
    return tuple(sorted(names))


def _files_below(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _require_memory(count: int, image_size: int) -> None:
    needed = 2 * count * 3 * image_size**2
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory * MEMORY_SHARE:
        raise DataError(
            f"{count:,} images of {image_size} pixels take {needed / 1e9:,.1f} GB, more than "
            f"{MEMORY_SHARE:.0%} of the machine's {memory / 1e9:,.1f} GB: "
            f"choose a smaller --image-size, or fewer images"
        )


def _read_all(files: list[_File], image_size: int) -> tuple[Tensor, list[str | Skipped]]:
    """The images (N, 3, S, S) uint8, and of each file its digest, or why there is no image."""
    images = torch.zeros(len(files), 3, image_size, image_size, dtype=torch.uint8)
    preprocessing = Preprocessing(
        input_size=image_size, in_channels=3, interpolation="bilinear", mean=(0.0,) * 3, std=(1.0,) * 3
    )

    def read(index: int) -> str | Skipped:
        try:
            content = files[index].path.read_bytes()
            # As the service does it, the reduced scale of large JPEGs included.
            decoded = decode(content, MAX_PIXELS, image_size)
        except (ImageError, OSError) as error:
            return Skipped(str(files[index].path), str(error))
        images[index] = preprocessing.resize(decoded.image, decoded.box)
        return hashlib.sha256(content).hexdigest()

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        return images, list(threads.map(read, range(len(files))))


def _choose(
    folder: Path,
    classes: tuple[str, ...],
    files: list[_File],
    results: list[str | Skipped],
    missing: list[Role],
) -> tuple[list[int], dict[int, Role], list[Skipped]]:
    """The files to keep, by index; the role of each; the files left out."""
    first: dict[str, int] = {}
    skipped: list[Skipped] = []
    for index, (file, result) in enumerate(zip(files, results, strict=True)):
        path = file.path.relative_to(folder)
        if isinstance(result, Skipped):
            skipped.append(Skipped(str(path), result.reason))
            continue
        same = files[first.setdefault(result, index)]
        if same.label != file.label:
            raise DataError(
                f"{folder}: the same image is in two classes: {same.path.relative_to(folder)}, {path}"
            )
        if same is not file:
            skipped.append(Skipped(str(path), f"the same content as {same.path.relative_to(folder)}"))
    kept = sorted(first.values())
    roles: dict[int, Role] = {index: files[index].role for index in kept}
    for label, name in enumerate(classes):
        mine = [i for i in kept if files[i].label == label and roles[i] == "train"]
        try:
            shares = split([str(results[i]) for i in mine], missing)
        except ValueError as error:
            raise DataError(
                f"{folder}: class {name!r} has too few readable images to train on: {error}"
            ) from error
        roles |= dict(zip(mine, shares, strict=True))
        for each, role in ROLE_FOLDERS.items():
            if not any(roles[i] == role for i in kept if files[i].label == label):
                raise DataError(f"{folder / each}: class {name!r} has no readable image")
    return kept, roles, skipped


def _digest(classes: tuple[str, ...], image_size: int, parts: dict[Role, Split]) -> str:
    """SHA-256 over names, size, and each role's pixels and labels."""
    digest = hashlib.sha256(json.dumps([classes, image_size]).encode())
    for role, part in parts.items():
        digest.update(f"{role} {len(part)}".encode())
        for tensor in (part.images, part.labels):
            digest.update(tensor.numpy().data)
    return digest.hexdigest()
