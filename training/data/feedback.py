"""Corrections of the feedback database -> a folder of images, a sub-folder for each class, for `--data`."""

import hashlib
import json
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from models.feedback.records import Entry
from models.preprocessing.decode import inspect
from models.preprocessing.image_error import ImageError
from training.data.cifar10 import DataError
from training.data.folder_layout import class_folders, class_key, class_name, is_class_name
from training.data.image_folder import MAX_PIXELS
from training.output_folder import write_file

SUFFIXES = {"JPEG": "jpg"}
"""Of files of a format, where it is not the format's own name."""


@dataclass(frozen=True)
class Exported:
    """What became of the corrections: images written of each class, and how many were not, and why.

    `without_image` came without one, and their label went to the image of the same request and item, where
    there is just one. `superseded` are those of an image that was corrected once more, with the image again.
    `unfit` are no images that training reads, or last said to be of a class that no folder can be named
    after. `ambiguous` are of those without an image: their request and item have different images.
    `new_classes` are those that got a folder beside the folders of others that were there.
    """

    written: dict[str, int]
    without_image: int
    superseded: int
    unfit: int
    ambiguous: int
    new_classes: tuple[str, ...] = ()

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    def show(self, folder: Path, console: Console) -> None:
        for name, count in self.written.items():
            console.print(f"  {name:12} {count}", markup=False)
        words = f"{sum(self.written.values())} images written to {folder}"
        console.print(words, markup=False, soft_wrap=True)
        if self.new_classes:
            words = f"new beside the classes that the folder had: {', '.join(self.new_classes)}"
            console.print(words, markup=False, soft_wrap=True)
        for count, why in (
            (self.without_image, "have no image"),
            (self.ambiguous, "of these have a request id that came with different images, and are not used"),
            (self.superseded, "are of an image that was corrected once more"),
            (self.unfit, "are not fit to be trained on"),
        ):
            if count:
                console.print(f"{count} corrections {why}")


def of_model(entries: Sequence[Entry], name: str | None, console: Console) -> list[Entry]:
    """Those of `entries` whose prediction the model `name` made, or all where none is named.

    The console says how many are left out, and which models they are of where none is named and there are
    several: their classes may have nothing in common. Raises `DataError` where nothing is left of some.
    """
    counts = Counter(entry.prediction.model for entry in entries if entry.prediction is not None)
    listed = ", ".join(f"{model} ({count})" for model, count in sorted(counts.items()))
    if name is None:
        if len(counts) > 1:
            words = f"the corrections are of several models: {listed}; --model exports those of one"
            console.print(words, markup=False, soft_wrap=True)
        return list(entries)
    own = [entry for entry in entries if entry.prediction is not None and entry.prediction.model == name]
    if entries and not own:
        raise DataError(f"--model: no correction is of {name}; known are those of {listed or 'no model'}")
    if left_out := len(entries) - len(own):
        console.print(f"{left_out} corrections are of other models, or of none that is known")
    return own


def export_corrections(
    entries: Sequence[Entry], image: Callable[[str], bytes | None], folder: Path
) -> Exported:
    """Write the image of each of `entries`, the oldest first, to `folder`/CLASS/feedback-ID.FORMAT.

    A label goes to the folder of its class that is there, also where that is written in another case or form
    of Unicode: training takes no two classes that differ in nothing else.

    `image` gives that of an entry by its id. An image is known by its content: request ids may come from
    clients, which may use one again. Of several corrections of an image the last one counts, also where that
    came without the image, by its request and item. The folder may hold other images, and those of an earlier
    export, of which superseded ones are removed.
    """
    files: dict[str, tuple[str, str]] = {}  # of each entry: the image's digest, and the file's name
    images: dict[tuple[str, int], set[str]] = {}
    unfit = 0
    for entry in entries:
        content = image(entry.id) if entry.image_bytes else None
        suffix = None if content is None else _suffix(content)
        if content is not None and suffix is not None:
            digest = hashlib.sha256(content).hexdigest()
            files[entry.id] = digest, f"feedback-{entry.id}.{suffix}"
            images.setdefault((entry.request_id, entry.item), set()).add(digest)
        elif content is not None:
            unfit += 1
    labels: dict[str, str] = {}
    ambiguous = 0
    for entry in reversed(entries):
        of_request = images.get((entry.request_id, entry.item), set())
        if entry.id in files:
            labels.setdefault(files[entry.id][0], entry.label)
        elif len(of_request) == 1:
            labels.setdefault(next(iter(of_request)), entry.label)
        elif of_request and not entry.image_bytes:
            ambiguous += 1
    folders = class_folders(folder)
    former_classes = set(folders)
    written: Counter[str] = Counter()
    places: set[Path] = set()
    seen: set[str] = set()
    superseded = 0
    for entry in reversed(entries):
        content = image(entry.id) if entry.id in files else None
        if content is None:
            continue  # or deleted since
        digest, name = files[entry.id]
        label = unicodedata.normalize("NFC", labels[digest])
        if digest in seen:
            superseded += 1
        elif is_class_name(label):
            file = folders.setdefault(class_key(label), folder / label) / name
            file.parent.mkdir(parents=True, exist_ok=True)
            write_file(file, content)
            places.add(file)
            written[class_name(file.parent)] += 1
        else:
            unfit += 1
        seen.add(digest)
    # What an earlier export wrote, before there were the corrections that count now.
    names = {name for _, name in files.values()}
    for former in set(folder.glob("*/feedback-*")) - places:
        if former.name in names:
            former.unlink(missing_ok=True)
    without_image = sum(not entry.image_bytes for entry in entries)
    new = [name for name in sorted(written) if former_classes and class_key(name) not in former_classes]
    return Exported(dict(sorted(written.items())), without_image, superseded, unfit, ambiguous, tuple(new))


def _suffix(content: bytes) -> str | None:
    """Of the file's name; None for what training does not read."""
    try:
        name = inspect(content, MAX_PIXELS).name
    except ImageError:
        return None
    return SUFFIXES.get(name, name.lower())
