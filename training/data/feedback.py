"""Corrections of the feedback database -> a folder of images, a sub-folder for each class, for `--data`."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from models.feedback.records import Entry
from models.preprocessing.decode import inspect
from models.preprocessing.image_error import ImageError
from training.data.folder_layout import is_class_name
from training.data.image_folder import MAX_PIXELS
from training.output_folder import write_file

SUFFIXES = {"JPEG": "jpg"}
"""Of files of a format, where it is not the format's own name."""


@dataclass(frozen=True)
class Exported:
    """What became of the corrections: images written of each class, and how many were not, and why.

    `without_image` came without one, whether or not their label went to an earlier one's image. `superseded`
    are those of an image that was corrected once more, with an image again: by the same request and item, or
    with the same content. `unfit` are no images that training reads, or last said to be of a class that no
    folder can be named after.
    """

    written: dict[str, int]
    without_image: int
    superseded: int
    unfit: int

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    def show(self, folder: Path, console: Console) -> None:
        for name, count in self.written.items():
            console.print(f"  {name:12} {count}", markup=False)
        words = f"{sum(self.written.values())} images written to {folder}"
        console.print(words, markup=False, soft_wrap=True)
        for count, why in (
            (self.without_image, "have no image"),
            (self.superseded, "are of an image that was corrected once more"),
            (self.unfit, "are not fit to be trained on"),
        ):
            if count:
                console.print(f"{count} corrections {why}")


def export_corrections(
    entries: Sequence[Entry], image: Callable[[str], bytes | None], folder: Path
) -> Exported:
    """Write the image of each of `entries`, the oldest first, to `folder`/CLASS/feedback-ID.FORMAT.

    `image` gives that of an entry by its id. Of several corrections of an image the last one counts, also
    where it came without the image. The folder may hold other images, and those of an earlier export, of
    which superseded ones are removed.
    """
    seen: set[tuple[str, int] | str] = set()
    labels: dict[tuple[str, int], list[str]] = {}
    for entry in reversed(entries):
        labels.setdefault((entry.request_id, entry.item), []).append(entry.label)
    written: Counter[str] = Counter()
    superseded = unfit = 0
    for entry in reversed(entries):
        asked = (entry.request_id, entry.item)
        label = labels[asked][0]
        content = image(entry.id) if entry.image_bytes else None
        if content is None:
            continue  # or deleted since
        keys: set[tuple[str, int] | str] = {asked, hashlib.sha256(content).hexdigest()}
        suffix = _suffix(content)
        if suffix is None:
            unfit += 1
            continue
        name = f"feedback-{entry.id}.{suffix}"
        # What an earlier export wrote, before there were the corrections that count now.
        for former in filter(is_class_name, labels[asked]):
            if keys & seen or former != label:
                (folder / former / name).unlink(missing_ok=True)
        if keys & seen:
            superseded += 1
        elif is_class_name(label):
            file = folder / label / name
            file.parent.mkdir(parents=True, exist_ok=True)
            write_file(file, content)
            written[label] += 1
        else:
            unfit += 1
        seen |= keys
    without_image = sum(not entry.image_bytes for entry in entries)
    return Exported(dict(sorted(written.items())), without_image, superseded, unfit)


def _suffix(content: bytes) -> str | None:
    """Of the file's name; None for what training does not read."""
    try:
        name = inspect(content, MAX_PIXELS).name
    except ImageError:
        return None
    return SUFFIXES.get(name, name.lower())
