"""The service that a program meets with requests of any kind, and what becomes of each."""

import http.client
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.bench.server import Server

PATIENCE_SECONDS = 60.0
"""After which an answer is not waited for any more."""


@dataclass(frozen=True)
class Target:
    """`folder` holds the server's temporary files and its file of keys."""

    host: str
    port: int
    pid: int
    folder: Path

    @classmethod
    def of(cls, server: Server, folder: Path) -> "Target":
        host, port = server.address.removeprefix("http://").split(":")
        return cls(host, int(port), server.pid, folder)

    def ask(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> str:
        """The status of the answer, or the name of what went wrong instead."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE_SECONDS)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__
        else:
            return str(answer.status)
        finally:
            connection.close()

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> str:
        return self.ask("POST", path, body, headers)

    def send(self, *segments: bytes, leave: bool = False) -> str:
        """The statuses of all answers on one connection; with `leave` it is closed instead."""
        with socket.create_connection((self.host, self.port), timeout=PATIENCE_SECONDS) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for segment in segments:
                connection.sendall(segment)
                time.sleep(0.05)
            if leave:
                return "left"
            received = b""
            connection.settimeout(3)
            try:
                while piece := connection.recv(65536):
                    received += piece
            except OSError:
                pass
        return " ".join(part[:3].decode("ascii", "replace") for part in received.split(b"HTTP/1.1 ")[1:])

    def workers(self) -> list[psutil.Process]:
        return [child for child in psutil.Process(self.pid).children() if _is_worker(child)]

    def serving(self) -> list[psutil.Process]:
        """The workers that listen; one that still loads its model does not."""
        return [worker for worker in self.workers() if _listens(worker)]


def _listens(worker: psutil.Process) -> bool:
    try:
        return any(each.status == psutil.CONN_LISTEN for each in worker.net_connections("tcp"))
    except psutil.Error:  # it has just ended
        return False


def _is_worker(child: psutil.Process) -> bool:
    try:
        return "spawn_main" in " ".join(child.cmdline())
    except psutil.Error:  # it has just ended
        return False
