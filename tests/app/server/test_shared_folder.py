"""The folder is there, and locked, as long as it is used."""

import fcntl
import os
from pathlib import Path

import pytest

from app.server.shared_folder import shared_folder


def _try_to_lock(folder: Path) -> None:
    """As systemd-tmpfiles does before it looks for files that are old."""
    file = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(file)


def test_nobody_clears_it_away_while_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    _try_to_lock(tmp_path)
    with shared_folder() as folder:
        assert folder.parent == tmp_path
        with pytest.raises(BlockingIOError):
            _try_to_lock(folder)
    assert list(tmp_path.iterdir()) == []
