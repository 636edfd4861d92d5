"""Requests of the Open Inference Protocol to the small model, and what is in the answers."""

import base64
from typing import Any

import httpx

from tests.support.service import Client

MODEL = "/v2/models/lenet-test"


def asking(
    name: str, datatype: str, shape: tuple[int, ...] | list[int], data: object, **more: object
) -> dict[str, Any]:
    return {"inputs": [{"name": name, "datatype": datatype, "shape": list(shape), "data": data}], **more}


def in_base64(files: list[bytes], **more: object) -> dict[str, Any]:
    texts = [base64.b64encode(content).decode() for content in files]
    return asking("image_bytes", "BYTES", [len(files)], texts, **more)


def infer(client: Client, content: dict[str, Any], status: int = 200) -> dict[str, Any]:
    response = client.post(f"{MODEL}/infer", json=content)
    assert response.status_code == status, response.text
    answer: dict[str, Any] = response.json()
    return answer


def outputs(answer: dict[str, Any]) -> dict[str, Any]:
    return {each["name"]: each["data"] for each in answer["outputs"]}


def refused(response: httpx.Response, status: int) -> str:
    """The message of an error, after a check of the shape that the protocol gives it."""
    assert response.status_code == status, response.text
    body = response.json()
    assert set(body) == {"error"}
    assert isinstance(body["error"], str)
    return str(body["error"])
