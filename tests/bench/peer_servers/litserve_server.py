"""LitServe around the int8 network: FastAPI in one process, decoding and batches in another.

python -m tests.bench.peer_servers.litserve_server
"""

import os
from typing import Any, cast

import litserve
import numpy as np
import numpy.typing as npt
import torch
from fastapi import Request
from starlette.datastructures import FormData, UploadFile

from models.engines.quiet_openvino import openvino
from tests.bench.peer_servers import classifier

MAX_BATCH = 32
BATCH_SECONDS = 0.002
"""How long a batch gathers. Without any such time LitServe polls its queue, and takes a whole core for it."""


class Classifier(litserve.LitAPI):  # type: ignore[misc]
    """Decodes the images of a batch one after the other, then computes it with a thread for each core."""

    _model: classifier.Described
    _network: openvino.CompiledModel

    def setup(self, device: str) -> None:  # noqa: ARG002
        # Beside OpenVINO torch only normalises and sorts.
        torch.set_num_threads(1)
        self._model = classifier.describe(classifier.artifact(), "int8")
        self._network = classifier.compile_int8()
        size = self._model.preprocessing.input_size
        blank = np.zeros((self._model.preprocessing.in_channels, size, size), np.uint8)
        for number in range(1, MAX_BATCH + 1):
            self.predict([blank] * number)

    def decode_request(self, request: Request) -> npt.NDArray[np.uint8]:
        # By this type LitServe knows what to read, and passes the form that it has read.
        file = cast("FormData", request)["file"]
        assert isinstance(file, UploadFile)
        return self._model.prepare(file.file.read())

    def batch(self, inputs: list[npt.NDArray[np.uint8]]) -> list[npt.NDArray[np.uint8]]:
        return inputs

    def predict(self, x: list[npt.NDArray[np.uint8]]) -> list[dict[str, Any]]:
        return self._model.answers(classifier.infer(self._network, self._model.normalize(x)))

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        return output


def main() -> None:
    api = Classifier(max_batch_size=MAX_BATCH, batch_timeout=BATCH_SECONDS)
    # One worker: two would have one thread each, and answer a lone request in twice the time.
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1, timeout=60)
    server.run(
        host=os.environ["RESNET_SERVE_HOST"],
        port=int(os.environ["PORT"]),
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
    )


if __name__ == "__main__":
    main()
