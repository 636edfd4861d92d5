"""Which workers of a server serve, as opposed to those that still start."""

import multiprocessing
import os
import socket
from multiprocessing.connection import Connection
from pathlib import Path

from tests.bench.target import Target


def _listen_when_told(told: Connection) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        told.send("bound")
        told.recv()
        listener.listen()
        told.send("listening")
        told.recv()


def test_a_worker_serves_once_it_listens(tmp_path: Path) -> None:
    target = Target("127.0.0.1", 1, os.getpid(), tmp_path)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    worker = context.Process(target=_listen_when_told, args=(theirs,), daemon=True)
    worker.start()
    assert ours.recv() == "bound"
    assert worker.pid in {each.pid for each in target.workers()}
    assert worker.pid not in {each.pid for each in target.serving()}
    ours.send("listen")
    assert ours.recv() == "listening"
    assert worker.pid in {each.pid for each in target.serving()}
    worker.kill()
    worker.join()
    assert worker.pid not in {each.pid for each in target.serving()}
