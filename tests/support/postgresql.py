"""A PostgreSQL server for tests, where the system has its programs."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
"""As Debian lays them out; elsewhere they are on the path."""


def program_folder() -> Path | None:
    """Where the server's programs are; None where there are none, or nobody who may start them."""
    found = str(PROGRAMS[-1]) if PROGRAMS else shutil.which("postgres")
    if found is None or (os.geteuid() == 0 and _account() is None):
        return None
    return Path(found).parent


def _account() -> str | None:
    """The server refuses to run as root; Debian's package brings a user of its own."""
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        return None


@contextmanager
def postgresql() -> Iterator[str]:
    """The address of a server with an empty database, on a socket in a folder of its own."""
    programs = program_folder()
    assert programs is not None, "ask for `program_folder` first"
    user = _account() if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        if user is not None:
            shutil.chown(folder, user)

        def run(program: str, *arguments: str) -> None:
            subprocess.run(
                [programs / program, *arguments],
                user=user,
                cwd=folder,
                check=True,
                stdout=subprocess.DEVNULL,
                timeout=120,
            )

        data = folder / "data"
        run("initdb", "-D", str(data), "-U", "tester", "--auth=trust", "-E", "UTF8", "--no-sync")
        options = f"-k {folder} -c listen_addresses= -c fsync=off"
        run("pg_ctl", "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield f"postgresql://tester@/postgres?host={folder}"
        finally:
            run("pg_ctl", "-D", str(data), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
