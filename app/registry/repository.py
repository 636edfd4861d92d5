"""A folder of models, `<name>/<version>/`, as it lies on disk."""

import re
from collections.abc import Iterator
from pathlib import Path

SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class UnknownModelError(LookupError):
    """There is no model of this name, or no such version of it; the message says which there are.

    `version` is None where the name is unknown already.
    """

    def __init__(self, name: str, version: str | None, choices: list[str]) -> None:
        what = f"model {name!r}" if version is None else f"version {version!r} of {name}"
        super().__init__(f"there is no {what}; choose from {', '.join(choices) or 'none'}")
        self.version = version


class Repository:
    """Looks into `folder` anew at every call, so that a model copied into it is there at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def versions(self) -> dict[str, list[str]]:
        """The versions of every model, the newest last: 10 comes after 9, and 1.10 after 1.9.

        Raises `OSError` if the folder cannot be read.
        """
        found = {
            name.name: sorted((version.name for version in _folders(name)), key=_natural)
            for name in _folders(self.folder)
        }
        return {name: versions for name, versions in sorted(found.items()) if versions}

    def find(self, name: str, version: str | None = None) -> tuple[str, Path]:
        """A version, the newest if none is given, and its folder.

        Only what `versions` lists can be found, however the name is spelt. Raises `UnknownModelError`, and
        `OSError` if the folder cannot be read.
        """
        listed = self.versions()
        if name not in listed:
            raise UnknownModelError(name, None, list(listed))
        versions = listed[name]
        if version is not None and version not in versions:
            raise UnknownModelError(name, version, versions)
        chosen = version or versions[-1]
        return chosen, self.folder / name / chosen


def _folders(parent: Path) -> Iterator[Path]:
    """Those whose names a model or a version can have; one that is being written begins with a dot."""
    return (each for each in parent.iterdir() if each.is_dir() and SLUG.fullmatch(each.name))


def _natural(version: str) -> list[tuple[int, str]]:
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", version) if part
    ]
