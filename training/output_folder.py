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


def _try_to_write(folder: Path, option: str = "--out") -> None:
    nearest = next(each for each in (folder, *folder.parents) if os.path.lexists(each))
    if not nearest.is_dir():
        raise OutputError(f"{option}: {nearest} is a file, and must be a folder")
    try:
        with tempfile.TemporaryFile(dir=nearest) as file:
            file.write(bytes(1024))
    except OSError as error:
        raise OutputError(f"{option}: {folder} cannot be written: {error.strerror or error}") from error


def write_file(path: Path, content: bytes) -> None:
    """Write `content` to `path`: at any time that holds all of it, or what it held before.

    Raises `OSError` with its name, of a full disk too.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def require_place_for_artifact(folder: Path, option: str = "--out") -> None:
    """As `require_writable`, for an artifact's folder, which is replaced as a whole where it exists.

    So `OutputError` is raised for a folder with anything else in it, too. It names the `option` that gave it.
    """
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MODEL_FILE).is_file():
        raise OutputError(f"{option}: {folder} holds other files than an artifact, which would be removed")
    _try_to_write(folder, option)
    # Of a link, the folder that it leads to is replaced.
    _try_to_write(folder.resolve().parent, option)
