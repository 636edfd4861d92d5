"""Mosec around the int8 network: its HTTP front end in Rust, decoding processes, one batching process.

    python -m tests.bench.peer_servers.mosec_server

Mosec hands a worker the body of a request without its headers: a form is told by the boundary it begins with.
"""

import os
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from mosec import Server, Worker

from app.http.multipart import parse_form
from models.hardware import usable_cores
from tests.bench.peer_servers import classifier

MAX_BATCH = 32
WAIT_MS = 1
"""Shortest time that mosec lets a batch gather. Under load a batch fills while the one before it computes."""


class Prepare(Worker):  # type: ignore[misc]
    """Decodes and resizes; a process of one thread for each core."""

    def __init__(self) -> None:
        super().__init__()
        torch.set_num_threads(1)
        self._model = classifier.describe(classifier.artifact(), "int8")

    def deserialize(self, data: bytes) -> bytes:
        return data

    def forward(self, data: bytes) -> npt.NDArray[np.uint8]:
        return self._model.prepare(_file(data) if data.startswith(b"--") else data)


def _file(form: bytes) -> bytes:
    boundary = form[2 : form.index(b"\r\n")].decode()
    (part,) = parse_form(f"multipart/form-data; boundary={boundary}", form, 1)
    return part.content


class Classify(Worker):  # type: ignore[misc]
    """Computes batches of up to `MAX_BATCH`: one process, in which OpenVINO has a thread for each core."""

    def __init__(self) -> None:
        super().__init__()
        # Beside OpenVINO torch only normalises and sorts.
        torch.set_num_threads(1)
        self._model = classifier.describe(classifier.artifact(), "int8")
        self._network = classifier.compile_int8()
        size = self._model.preprocessing.input_size
        blank = np.zeros((self._model.preprocessing.in_channels, size, size), np.uint8)
        for number in range(1, MAX_BATCH + 1):
            self.forward([blank] * number)

    def forward(self, data: list[npt.NDArray[np.uint8]]) -> list[dict[str, Any]]:
        return self._model.answers(classifier.infer(self._network, self._model.normalize(data)))


def main() -> None:
    # Mosec reads its own arguments from the command line.
    sys.argv[1:] = [
        "--address",
        os.environ["RESNET_SERVE_HOST"],
        "--port",
        os.environ["PORT"],
        "--timeout",
        "60000",
    ]
    sys.argv += ["--log-level", "warning"]
    server = Server()
    server.append_worker(Prepare, num=usable_cores(), route="/predict")
    server.append_worker(Classify, max_batch_size=MAX_BATCH, max_wait_time=WAIT_MS, route="/predict")
    server.run()


if __name__ == "__main__":
    main()
