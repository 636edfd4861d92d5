"""A Python that has imported the large libraries already, of which every command is a fork.

To import PyTorch and all that training and export use of it takes ten seconds of a core: more than what most
commands in the documents do otherwise, and most processes of torchrun. A fork is a process of its own, which
has none of the project's modules yet.

    python forked_python.py SOCKET            serves, until it is killed
    python forked_python.py SOCKET -m ...     runs a command: like `python -m ...`

A command has the arguments, environment, folder and streams of whoever asks for it, gets the signals that are
sent there, and does not outlive it.
"""

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

LARGE = (
    "fastapi",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_svg",
    "matplotlib.figure",
    "rich.progress",
    "scipy.ndimage",
    "tensorboard.summary.writer.record_writer",
    "torch._dynamo",
    "torch.distributed.elastic.agent.server.local_elastic_agent",
    "torch.export._trace",
    "torch.utils.tensorboard.summary",
    "torchvision",
)
"""With what they import; what else a command needs, it imports itself."""

STREAMS = (0, 1, 2)
LARGEST_REQUEST = 1 << 20  # bytes
SECONDS_TO_START = 200


@contextmanager
def forked_python() -> Iterator[Path]:
    """Start to serve; yields the program that can be called in place of `python` for `-m` and `-c`."""
    here = Path(__file__)
    with TemporaryDirectory() as folder:  # not one of pytest's: a socket's path may have 107 bytes
        address, program = Path(folder) / "socket", Path(folder) / "python"
        program.write_text(
            "#!/bin/sh\n"
            'while [ "$1" = -u ]; do shift; done\n'
            f'case "$1" in -m|-c) exec {sys.executable} -S {here} {address} "$@";; esac\n'
            f'exec {sys.executable} "$@"\n'
        )
        program.chmod(0o755)
        with subprocess.Popen([sys.executable, here, address]) as server:
            try:
                deadline = time.monotonic() + SECONDS_TO_START
                while not address.exists():
                    assert server.poll() is None, "the libraries cannot be imported"
                    assert time.monotonic() < deadline, "the libraries were not imported in time"
                    time.sleep(0.05)
                yield program
            finally:
                server.kill()


def ask(address: str, command: list[str]) -> int:
    """Have a command run as this process; returns its exit status, or dies by the signal that it died by."""
    request = {"command": command, "folder": str(Path.cwd()), "environment": dict(os.environ)}
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(address)

        def forward(number: int, _frame: FrameType | None) -> None:
            connection.send(str(number).encode())

        socket.send_fds(connection, [json.dumps(request).encode()], STREAMS)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, forward)
        status = int(connection.recv(LARGEST_REQUEST) or b"1")
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


def serve(address: str) -> list[str]:
    """Never returns but in a fork, with the command that it is to run."""
    for name in LARGE:
        importlib.import_module(name)
    gc.freeze()  # so that no fork looks through what it shares, and by that copies it
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(f"{address}.partial")
        listening.listen()
        Path(f"{address}.partial").rename(address)  # whoever sees it can connect
        while True:
            connection, _ = listening.accept()
            with connection:
                if os.fork() == 0:
                    listening.close()
                    return attend(connection)
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def attend(connection: socket.socket) -> list[str]:
    """Fork once more: the parent waits for the child and tells its end, the child gets what it is to run."""
    request, streams, _, _ = socket.recv_fds(connection, LARGEST_REQUEST, len(STREAMS))
    child = os.fork()
    if child != 0:
        for stream in streams:
            os.close(stream)
        status = outcome(child, connection)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.send(str(status).encode())
        os._exit(0)
    connection.close()
    for stream, own in zip(streams, STREAMS, strict=True):
        os.dup2(stream, own)
        os.close(stream)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    asked = json.loads(request)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    return list(asked["command"])


def outcome(child: int, connection: socket.socket) -> int:
    """Pass on the signals that come, kill the child if whoever asked is gone, and return its exit status."""
    ended = os.pidfd_open(child)
    while ended not in select.select([ended, connection.fileno()], [], [])[0]:
        with contextlib.suppress(ConnectionResetError):
            if number := connection.recv(LARGEST_REQUEST):
                os.kill(child, int(number))
                continue
        os.kill(child, signal.SIGKILL)
        break
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run(option: str, what: str, arguments: list[str]) -> int:
    """What `python option what arguments` does; returns its exit status."""
    sys.argv = [option, *arguments]
    sys.path[0] = str(Path.cwd()) if option == "-m" else ""
    try:
        if option == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(ask(sys.argv[1], sys.argv[2:]))
    option, what, *arguments = serve(sys.argv[1])
    status = run(option, what, arguments)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # to take thousands of modules apart first takes a second
