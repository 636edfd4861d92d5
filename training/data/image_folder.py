"""A folder of images, a sub-folder for each class, as uint8 tensors: decoded and scaled as in serving."""

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from models.artifact.metadata import LEAST_STD
from models.hardware import usable_cores
from models.preprocessing.decode import decode
from models.preprocessing.image_error import ImageError
from models.preprocessing.transform import Preprocessing
from training.data.cifar10 import CIFAR10_NAME, DataError, ImageData, Split, channel_statistics
from training.data.folder_layout import (
    File,
    Layout,
    Skipped,
    find_layout,
    find_test_layout,
    require_no_conflicts,
)
from training.data.image_file import read_image_file
from training.data.memory import lack_of_memory
from training.data.split import Role, split

ROLES: tuple[Role, ...] = ("train", "held_out", "test")
MAX_PIXELS = 25_000_000
"""Of one image, as the service has it by default: a larger one could not be sent there either."""


@dataclass(frozen=True)
class ImageFolder:
    """A folder that was read: its images, and what in it was left out."""

    data: ImageData
    skipped: tuple[Skipped, ...]


def load_image_folder(folder: Path, image_size: int, *, only_test: bool = False) -> ImageFolder:
    """Read `folder`: a sub-folder for each class, or train/ with these in it, and perhaps val/ and test/.

    Images are scaled to `image_size` × `image_size` pixels by the code that scales them in serving. A class's
    images may lie in sub-folders of its own, links are followed. Images of val/ are held out. What has no
    folder, val/ or test/, is split off the training images (see `training.data.split`). Which folders count
    as these, and what is passed over, is told in `training.data.folder_layout`.

    Files that cannot be read as images are left out, and so is every file but the first of the same content,
    for a copy among the test images would be known by heart: the one in test/ stays, then the one in val/.

    With `only_test`, `folder` has a sub-folder for each class, and all images are to test on.

    Raises `DataError` for an unfit layout (see `find_layout`), naming all classes without images or with too
    few to split and all contents that are in two classes, and where the images would not fit into memory.
    """
    layout = find_test_layout(folder) if only_test else find_layout(folder)
    classes, files = layout.classes, layout.files
    if lack := lack_of_memory(len(files), image_size):
        raise DataError(f"{folder}: {lack}: choose a smaller --image-size, or fewer images")
    images, results = _read_all(files, image_size)
    kept, roles, skipped = _choose(folder, layout, results)
    labels = torch.tensor([file.label for file in files], dtype=torch.int64)
    parts: dict[Role, Split] = {}
    for role in ROLES:
        index = torch.tensor([i for i in kept if roles[i] == role], dtype=torch.int64)
        parts[role] = Split(images[index], labels[index])
    mean, std = channel_statistics(parts["test" if only_test else "train"].images)
    if min(std) < LEAST_STD and not only_test:
        raise DataError(f"{folder}: all training images have the same value in one channel: nothing to learn")
    data = ImageData(
        name=_data_name(folder),
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


def _data_name(folder: Path) -> str:
    """The folder's own name; one that is called as CIFAR-10 is gets a path, as that name is CIFAR-10's."""
    name = _printable(folder.resolve().name) or "images"
    return f"./{name}" if name == CIFAR10_NAME else name


def _printable(name: str) -> str:
    """A file's name as text that can be stored, what is not UTF-8 in it as escapes."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _read_all(files: list[File], image_size: int) -> tuple[Tensor, list[str | Skipped]]:
    """The images (N, 3, S, S) uint8, and of each file its digest, or why there is no image."""
    images = torch.zeros(len(files), 3, image_size, image_size, dtype=torch.uint8)
    preprocessing = Preprocessing(
        input_size=image_size, in_channels=3, interpolation="bilinear", mean=(0.0,) * 3, std=(1.0,) * 3
    )

    def read(index: int) -> str | Skipped:
        try:
            content = read_image_file(files[index].path)
            # As the service does it, the reduced scale of large JPEGs included.
            decoded = decode(content, MAX_PIXELS, image_size)
        except (ImageError, OSError) as error:
            return Skipped(str(files[index].path), str(error))
        images[index] = torch.from_numpy(preprocessing.resize(decoded.image, decoded.box))
        return hashlib.sha256(content).hexdigest()

    with ThreadPoolExecutor(usable_cores()) as threads:
        return images, list(threads.map(read, range(len(files))))


def _choose(
    folder: Path, layout: Layout, results: list[str | Skipped]
) -> tuple[list[int], dict[int, Role], list[Skipped]]:
    """The files to keep, by index; the role of each; what is left out."""
    files, conflicts = layout.files, list[str]()
    first: dict[str, int] = {}
    skipped = list(layout.skipped)
    for index, (file, result) in enumerate(zip(files, results, strict=True)):
        path = file.path.relative_to(folder)
        if isinstance(result, Skipped):
            skipped.append(Skipped(str(path), result.reason))
            continue
        same = files[first.setdefault(result, index)]
        same_path = same.path.relative_to(folder)
        if same.label != file.label:
            conflicts.append(f"the same image is in two classes: {same_path}, {path}")
        elif same is not file:
            skipped.append(Skipped(str(path), f"the same content as {same_path}"))
    kept = sorted(first.values())
    roles: dict[int, Role] = {index: files[index].role for index in kept}
    for label, name in enumerate(layout.classes):
        own = [i for i in kept if files[i].label == label]
        if layout.only_test:
            conflicts += [] if own else [f"class {name!r} has no readable image"]
            continue
        to_split = [i for i in own if roles[i] == "train"]
        try:
            shares = split([str(results[i]) for i in to_split], layout.missing)
        except ValueError as error:
            unread = [
                f"{file.path.relative_to(folder)}: {result.reason}"
                for file, result in zip(files, results, strict=True)
                if file.label == label and isinstance(result, Skipped)
            ]
            why = f"; left out are {len(unread)}, first {unread[0]}" if unread else ""
            conflicts.append(f"class {name!r} has too few readable images to train on: {error}{why}")
        else:
            roles |= dict(zip(to_split, shares, strict=True))
        conflicts += [
            f"class {name!r} has no readable image in {path.name}/"
            for role, path in layout.role_folders.items()
            if role != "train" and role not in {roles[i] for i in own}
        ]
    require_no_conflicts(folder, conflicts)
    return kept, roles, skipped


def _digest(classes: tuple[str, ...], image_size: int, parts: dict[Role, Split]) -> str:
    """SHA-256 over names, size, and each role's pixels and labels."""
    digest = hashlib.sha256(json.dumps([classes, image_size]).encode())
    for role, part in parts.items():
        digest.update(f"{role} {len(part)}".encode())
        for tensor in (part.images, part.labels):
            digest.update(tensor.numpy().data)
    return digest.hexdigest()
