"""Every call that KServe's client has for the Open Inference Protocol over REST, made to a running service.

    python tests/support/kserve_client.py http://127.0.0.1:8000 MODEL IMAGE_FILE INPUT_SIZE

Run by the interpreter of an environment that has `kserve`, and nothing of this project. Prints one JSON
object: what each call gave, or the message of the error that it raised.
"""

import asyncio
import base64
import json
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput


async def outcome_of(call: Awaitable[Any]) -> object:
    """What `call` gives, or its error as text."""
    try:
        return await call
    except httpx.HTTPStatusError as error:
        return f"{error.response.status_code}: {error}"


def image_bytes(content: bytes, *, binary: bool) -> InferInput:
    tensor = InferInput("image_bytes", [1], "BYTES")
    values = np.array([content if binary else base64.b64encode(content)], dtype=object)
    tensor.set_data_from_numpy(values, binary_data=binary)
    return tensor


def pixels(values: npt.NDArray[Any], *, binary: bool) -> InferInput:
    datatype = {"uint8": "UINT8", "float32": "FP32"}[values.dtype.name]
    tensor = InferInput("images", list(values.shape), datatype)
    tensor.set_data_from_numpy(values, binary_data=binary)
    return tensor


async def infer(
    client: InferenceRESTClient, url: str, model: str, tensor: InferInput, *, binary: bool
) -> dict[str, object]:
    """The labels and the probabilities, both asked for as binary data or both as JSON."""
    outputs = [
        RequestedOutput(name, parameters={"binary_data": binary}) for name in ("label", "probabilities")
    ]
    request = InferRequest(model, [tensor], request_id="my-request", request_outputs=outputs)
    response = await client.infer(url, request, model_name=model)
    label, probabilities = (
        response.get_output_by_name("label"),
        response.get_output_by_name("probabilities"),
    )
    return {
        "id": response.id,
        "model": response.model_name,
        "version": response.model_version,
        "label": [text if isinstance(text, str) else text.decode() for text in label.as_numpy().tolist()],
        "shape": list(probabilities.shape),
        "probabilities": probabilities.as_numpy().astype(float).ravel().tolist(),
    }


async def ask(url: str, model: str, content: bytes, size: int) -> dict[str, object]:
    config = RESTConfig(protocol="v2", retries=0, timeout=60)
    values = np.random.default_rng(0).integers(0, 256, (3, 3, size, size), dtype=np.uint8)
    client = InferenceRESTClient(config)
    given: dict[str, object] = {
        "live": await client.is_server_live(url),
        "ready": await client.is_server_ready(url),
        "model_ready": await client.is_model_ready(url, model),
        "other_ready": await client.is_model_ready(url, "other"),
    }
    for binary in (False, True):
        form = "binary" if binary else "json"
        for name, tensor in (
            ("image_bytes", image_bytes(content, binary=binary)),
            ("uint8", pixels(values, binary=binary)),
            ("float32", pixels(values / np.float32(255), binary=binary)),
        ):
            given[f"{name}_{form}"] = await infer(client, url, model, tensor, binary=binary)
    damaged, whole = image_bytes(content[:99], binary=True), image_bytes(content, binary=True)
    given["damaged"] = await outcome_of(infer(client, url, model, damaged, binary=True))
    given["unknown"] = await outcome_of(infer(client, url, "other", whole, binary=True))
    await client.close()
    return given


if __name__ == "__main__":
    address, name, image, input_size = sys.argv[1:]
    print(json.dumps(asyncio.run(ask(address, name, Path(image).read_bytes(), int(input_size)))))
