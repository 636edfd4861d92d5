"""Where an export goes, and what the model is called there."""

import re
from dataclasses import dataclass
from pathlib import Path

from models.artifact.metadata import LONGEST_SLUG

WEIGHTS = Path("models/weights")


@dataclass(frozen=True)
class Destination:
    """The artifact's folder, and the model's name and version, as its metadata state them."""

    folder: Path
    name: str
    version: str


def destination(out: Path | None, name: str | None, version: str | None, default_name: str) -> Destination:
    """Where the artifact goes: to `out`, or a folder of `WEIGHTS` that no version has yet.

    A service finds models in folders NAME/VERSION, which must be what the artifact says of itself. So an
    `out` that ends in a number tells both, as far as `name` and `version` do not.
    """
    if out is None:
        name = name or default_name
        version = version or next_version(WEIGHTS / name)
        return Destination(WEIGHTS / name / version, name, version)
    if out.name.isdecimal():
        name, version = name or slugified(out.absolute().parent.name), version or out.name
    return Destination(out, name or default_name, version or "1")


def next_version(versions: Path) -> str:
    """One more than the highest number of a version in this folder, which is then the newest of all."""
    found = versions.iterdir() if versions.is_dir() else ()
    return str(1 + max((int(each.name) for each in found if each.name.isdecimal()), default=0))


def slugified(text: str) -> str:
    """A model's name from that of a folder."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:LONGEST_SLUG] or "images"
