"""Whether a command can write where it is told to, found out before the work and not after it."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from models.artifact.store import MODEL_FILE


class OutputError(ValueError):
    """Nothing can be written there; the message names the folder and says why."""


def require_writable(folder: Path) -> None:
    """Write a file into `folder`, or the nearest one above that is there, and away again; create nothing.

    Raises `OutputError` where that fails, a file is in the way, or the folder is an artifact, which would not
    be whole any more with another file in the place of one of its own.
    """
    if (folder / MODEL_FILE).is_file():
        raise OutputError(
            f"--out: {folder} holds an artifact, whose files would be overwritten: choose another"
        )
    _try_to_write(folder)


def _try_to_write(folder: Path) -> None:
    nearest = next(each for each in (folder, *folder.parents) if os.path.lexists(each))
    if not nearest.is_dir():
        raise OutputError(f"--out: {nearest} is a file, and must be a folder")
    try:
        with tempfile.TemporaryFile(dir=nearest) as file:
            file.write(bytes(1024))
    except OSError as error:
        raise OutputError(f"--out: {folder} cannot be written: {error.strerror or error}") from error


def write_file(path: Path, content: bytes) -> None:
    """Write `content` to `path`, or nothing: raises `OSError` with its name, of a full disk too."""
    try:
        path.write_bytes(content)
    except OSError as error:
        with suppress(OSError):
            path.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error


def require_place_for_artifact(folder: Path) -> None:
    """As `require_writable`, for an artifact's folder, which is replaced as a whole where it exists.

    So `OutputError` is raised for a folder with anything else in it, too.
    """
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MODEL_FILE).is_file():
        raise OutputError(f"--out: {folder} holds other files than an artifact, which export would remove")
    _try_to_write(folder)
    _try_to_write(folder.parent)
