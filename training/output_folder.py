"""Whether a command can write where it is told to, found out before the work and not after it."""

import tempfile
from pathlib import Path

from models.artifact.store import MODEL_FILE


class OutputError(ValueError):
    """Nothing can be written there; the message names the folder and says why."""


def require_writable(folder: Path) -> None:
    """Create `folder` where it is absent, and write a file into it and away again. Raises `OutputError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(1024))
    except FileExistsError as error:
        raise OutputError(f"--out: {folder} is a file, and must be a folder") from error
    except OSError as error:
        raise OutputError(f"--out: {folder} cannot be written: {error.strerror or error}") from error


def require_place_for_artifact(folder: Path) -> None:
    """As `require_writable`, for an artifact's folder, which is replaced as a whole where it exists.

    So `OutputError` is raised for a folder with anything else in it, too.
    """
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MODEL_FILE).is_file():
        raise OutputError(f"--out: {folder} holds other files than an artifact, which export would remove")
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"--out: {folder} is a file, and must be a folder")
    require_writable(folder.parent)
