"""The Open Inference Protocol, request by request. With the clients of others: test_inference_clients.py."""

import base64
import gzip
import json
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from app.batching.thread_pools import ThreadPools
from app.http import request_scope
from app.http.content_encoding import decompress
from app.main import create_app
from app.settings import Settings
from tests.support.artifacts import CLASSES
from tests.support.service import Client, png_of, running

MODEL = "/v2/models/lenet-test"
LENGTH = "Inference-Header-Content-Length"


@pytest.fixture(scope="module")
def size(client: Client) -> int:
    return int(client.app.state.context.model.metadata.input_size)


@pytest.fixture(scope="module")
def pixels(size: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Three images (3, C, S, S)."""
    return np.random.default_rng(0).integers(0, 256, (3, 3, size, size), dtype=np.uint8)


@pytest.fixture(scope="module")
def files(pixels: np.ndarray[Any, Any]) -> list[bytes]:
    """The same images as files."""
    return [png_of(Image.fromarray(image.transpose(1, 2, 0))) for image in pixels]


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


def test_health_is_in_the_status_and_in_the_body(client: Client) -> None:
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    context, client.app.state.context = client.app.state.context, None
    try:
        response = client.get("/v2/health/ready")
        assert (response.status_code, response.json()) == (503, {"ready": False})
        assert client.get("/v2/health/live").status_code == 200
        assert refused(client.get(f"{MODEL}/ready"), 503) == "the model is not loaded"
    finally:
        client.app.state.context = context


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
def test_the_server_describes_itself(client: Client, path: str) -> None:
    described = client.get(path).json()
    assert described["name"] == "resnet-serve"
    assert described["version"] == client.app.version
    assert described["extensions"] == ["binary_tensor_data", "classification", "model_repository"]


@pytest.mark.parametrize("path", [MODEL, f"{MODEL}/versions/1"])
def test_a_model_describes_itself(client: Client, path: str, size: int) -> None:
    described = client.get(path).json()
    assert (described["name"], described["versions"]) == ("lenet-test", ["1"])
    assert described["inputs"] == [
        {"name": "image_bytes", "datatype": "BYTES", "shape": [-1]},
        {"name": "images", "datatype": "UINT8", "shape": [-1, 3, size, size]},
    ]
    assert described["outputs"] == [
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, len(CLASSES)]},
        {"name": "label", "datatype": "BYTES", "shape": [-1]},
    ]
    assert client.get(f"{path}/ready").json() == {"name": "lenet-test", "ready": True}


@pytest.mark.parametrize("action", ["", "/ready", "/infer"])
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/v2/models/other", "there is no model 'other'; choose from lenet-test"),
        ("/v2/models/lenet-test/versions/2", "there is no version '2' of lenet-test; choose from 1"),
    ],
)
def test_an_unknown_model_or_version_is_404(client: Client, path: str, message: str, action: str) -> None:
    response = client.post(path + action) if action == "/infer" else client.get(path + action)
    assert refused(response, 404) == message


@pytest.mark.parametrize("action", ["", "/ready", "/infer"])
def test_a_version_is_part_of_the_path_and_not_of_the_query(client: Client, action: str) -> None:
    path = f"{MODEL}{action}?version=1"
    response = client.post(path) if action == "/infer" else client.get(path)
    assert refused(response, 422) == "version: there is no such parameter"


def test_an_unknown_path_has_the_protocols_error_too(client: Client) -> None:
    assert refused(client.get("/v2/other"), 404) == "GET /v2/other: Not Found"
    assert refused(client.get(f"{MODEL}/infer"), 405).startswith("GET ")
    assert set(client.get("/v20").json()["error"]) == {"code", "message", "field"}


@pytest.mark.parametrize("body", [None, {}, {"ready": True}])
def test_the_repository_lists_what_is_served(client: Client, body: dict[str, bool] | None) -> None:
    listed = client.post("/v2/repository/index", json=body)
    assert listed.json() == [{"name": "lenet-test", "version": "1", "state": "READY", "reason": ""}]


def test_pixels_and_files_of_the_same_images_get_the_answer_of_predict(
    client: Client, pixels: np.ndarray[Any, Any], files: list[bytes]
) -> None:
    predicted = client.post("/predict?top_k=10", files=[("file", ("a.png", content)) for content in files])
    expected = [{e["label"]: e["probability"] for e in p["top"]} for p in predicted.json()["predictions"]]
    asked = [
        in_base64(files),
        asking("images", "UINT8", pixels.shape, pixels.tolist()),
        asking("images", "UINT8", pixels.shape, pixels.ravel().tolist()),
        asking("images", "FP32", pixels.shape, (pixels / np.float32(255)).tolist()),
    ]
    for content in asked:
        answer = infer(client, content)
        assert (answer["model_name"], answer["model_version"]) == ("lenet-test", "1")
        found = outputs(answer)
        rows = np.reshape(found["probabilities"], (3, len(CLASSES)))
        assert [each["shape"] for each in answer["outputs"]] == [[3, len(CLASSES)], [3]]
        for row, label, probabilities in zip(rows, found["label"], expected, strict=True):
            assert label == max(probabilities, key=lambda name: probabilities[name])
            np.testing.assert_allclose(row, [probabilities[name] for name in CLASSES], atol=1e-6)


def test_a_version_answers_alike(client: Client, files: list[bytes]) -> None:
    response = client.post(f"{MODEL}/versions/1/infer", json=in_base64(files))
    assert response.json() == infer(client, in_base64(files))


def test_uint8_and_fp32_may_share_a_batch(client: Client, pixels: np.ndarray[Any, Any]) -> None:
    model = client.app.state.context.model
    mixed = [pixels[0], pixels[1] / np.float32(255)]
    for one, other in zip(model.classify(mixed), model.classify(list(pixels[:2])), strict=True):
        assert one.classes == other.classes
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-6)


def test_views_are_made_of_binary_data_too(settings: Settings, pixels: np.ndarray[Any, Any]) -> None:
    """Which lies in the body of the request, where nothing may write."""
    tensor = {"name": "images", "datatype": "UINT8", "shape": list(pixels.shape)}
    header = json.dumps({"inputs": [{**tensor, "parameters": {"binary_data_size": pixels.size}}]}).encode()
    with running(create_app(settings.model_copy(update={"views": 2}))) as client:
        response = client.post(
            f"{MODEL}/infer", content=header + pixels.tobytes(), headers={LENGTH: str(len(header))}
        )
        assert response.status_code == 200, response.text
        expected = outputs(infer(client, asking("images", "UINT8", pixels.shape, pixels.tolist())))
        found = outputs(response.json())
        np.testing.assert_allclose(found["probabilities"], expected["probabilities"], atol=1e-6)


def test_binary_data_both_ways(client: Client, pixels: np.ndarray[Any, Any]) -> None:
    header = json.dumps(
        {
            "id": "one",
            "inputs": [
                {
                    "name": "images",
                    "datatype": "UINT8",
                    "shape": list(pixels.shape),
                    "parameters": {"binary_data_size": pixels.size},
                }
            ],
            "parameters": {"binary_data_output": True},
            "outputs": [
                {"name": "label", "parameters": {"binary_data": False}},
                {"name": "probabilities"},
            ],
        }
    ).encode()
    response = client.post(
        f"{MODEL}/infer", content=header + pixels.tobytes(), headers={LENGTH: str(len(header))}
    )
    assert response.status_code == 200, response.text
    length = int(response.headers[LENGTH])
    answer = json.loads(response.content[:length])
    assert answer["id"] == "one"
    expected = outputs(infer(client, asking("images", "UINT8", pixels.shape, pixels.tolist())))
    assert answer["outputs"][0]["data"] == expected["label"]
    found = np.frombuffer(response.content[length:], "<f4")
    assert answer["outputs"][1]["parameters"] == {"binary_data_size": found.nbytes}
    np.testing.assert_allclose(found, expected["probabilities"], atol=1e-6)


def test_classification_gives_the_best_classes_as_text(client: Client, files: list[bytes]) -> None:
    every = outputs(infer(client, in_base64(files)))
    wanted = [{"name": "probabilities", "parameters": {"classification": 2}}]
    (answer,) = infer(client, in_base64(files, outputs=wanted))["outputs"]
    assert (answer["datatype"], answer["shape"]) == ("BYTES", [3, 2])
    ranked = np.argsort(-np.reshape(every["probabilities"], (3, -1)), axis=1)[:, :2].ravel()
    for text, index in zip(answer["data"], ranked, strict=True):
        probability, number, label = text.split(":")
        assert int(number) == index
        assert label == CLASSES[index]
        assert 0 <= float(probability) <= 1


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_body_is_read(client: Client, files: list[bytes], encoding: str) -> None:
    content = json.dumps(in_base64(files)).encode()
    compressed = gzip.compress(content) if encoding == "gzip" else zlib.compress(content)
    response = client.post(f"{MODEL}/infer", content=compressed, headers={"Content-Encoding": encoding})
    assert response.json() == infer(client, in_base64(files))


@pytest.mark.parametrize(
    ("content", "encoding", "status", "message"),
    [
        (b"x", "gzip", 400, "not valid gzip"),
        (gzip.compress(b"{}", mtime=0)[:-4], "gzip", 400, "not valid gzip"),
        (gzip.compress(b"{}", mtime=0) + b"more", "gzip", 400, "not valid gzip"),
        (b"x", "br", 415, "Content-Encoding must be one of gzip, x-gzip, deflate or identity, got 'br'"),
        (
            gzip.compress(b" " * 5_000_000, mtime=0),
            "gzip",
            413,
            "larger than 1000000 bytes once it is decompressed",
        ),
    ],
)
def test_a_bad_compressed_body_is_refused(
    client: Client, content: bytes, encoding: str, status: int, message: str
) -> None:
    response = client.post(f"{MODEL}/infer", content=content, headers={"Content-Encoding": encoding})
    assert message in refused(response, status)


def test_what_is_malformed_is_refused_in_words(client: Client, size: int, files: list[bytes]) -> None:
    one = [1, 3, size, size]
    count = 3 * size * size
    for content, status, message in [
        ({"inputs": []}, 400, "inputs: List should have at least 1 item"),
        (
            {"inputs": in_base64(files)["inputs"] * 2},
            400,
            "inputs: must be one, image_bytes or images",
        ),
        (asking("x", "UINT8", [1], [1]), 400, "inputs[0].name: must be image_bytes or images, got 'x'"),
        (asking("images", "BYTES", [1], ["a"]), 400, "inputs[0].datatype: must be UINT8 or FP32"),
        (
            asking("images", "UINT8", [1, 3, 2, 2], [0] * 12),
            400,
            "send pictures of other sizes as",
        ),
        (asking("images", "FP32", one, [1.5] * count), 400, "images of FP32 must be in 0..1"),
        (asking("images", "UINT8", [0, 3, size, size], []), 400, "must begin with 1 at least"),
        (asking("image_bytes", "UINT8", [1], [1]), 400, "inputs[0].datatype: must be BYTES"),
        (asking("image_bytes", "BYTES", [1, 1], ["a"]), 400, "inputs[0].shape: must be [N]"),
        (asking("image_bytes", "BYTES", [1], ["?"]), 400, "must hold files in Base64"),
        (in_base64([b"no image"]), 415, "not an image in one of the formats"),
        (in_base64([files[0][:60]]), 400, "the PNG image is damaged or cut off"),
        (in_base64([files[0], b""]), 400, "file 2"),
        (in_base64([b"x"] * 41), 413, "must begin with at most 40, the number of images, got 41"),
        (in_base64(files, outputs=[{"name": "x"}]), 400, "outputs[0].name: must be probabilities or label"),
        (
            in_base64(files, outputs=[{"name": "label", "parameters": {"classification": 1}}]),
            400,
            "is for probabilities alone",
        ),
        (
            in_base64(files, outputs=[{"name": "probabilities", "parameters": {"classification": 99}}]),
            400,
            f"outputs[0].parameters.classification: must be in 0..{len(CLASSES)}, got 99",
        ),
        (in_base64(files, parameters={"binary_data_output": 1}), 400, "must be true or false, got 1"),
        (
            in_base64(files, outputs=[{"name": "label"}, {"name": "probabilities"}, {"name": "label"}]),
            400,
            "outputs[2].name: 'label' is named already",
        ),
    ]:
        assert message in refused(client.post(f"{MODEL}/infer", json=content), status), message
    for broken in (b"", b"{", b"\xff"):
        assert "Invalid JSON" in refused(client.post(f"{MODEL}/infer", content=broken), 400)
    refused(client.post(f"{MODEL}/infer", content=b"x" * 1_000_001), 413)


def test_null_stands_for_no_parameters(client: Client, files: list[bytes]) -> None:
    plain, null = in_base64(files), in_base64(files, parameters=None)
    null["inputs"][0]["parameters"] = None
    null["outputs"] = [{"name": name, "parameters": None} for name in ("probabilities", "label")]
    assert infer(client, null)["outputs"] == infer(client, plain)["outputs"]


def test_a_response_has_a_limit_too(model_dir: Path, files: list[bytes]) -> None:
    """Known before anything is computed: ten probabilities are at most 320 bytes of JSON, binary 40."""
    settings = Settings(model_dir=model_dir, device="cpu", max_body_bytes=6_000)
    many = in_base64([files[0][:60]] * 18, outputs=[{"name": "probabilities"}])
    with running(create_app(settings)) as small:
        rejected = small.post(f"{MODEL}/infer", json=many)
        assert "the response may have 5760 bytes" not in refused(rejected, 400)  # for the images are damaged
        many["inputs"][0].update(shape=[19], data=many["inputs"][0]["data"] + ["AA=="])
        message = refused(small.post(f"{MODEL}/infer", json=many), 413)
        assert "the response may have 6080 bytes, more than 6000: send fewer images" in message
        many["outputs"][0]["parameters"] = {"binary_data": True}
        refused(small.post(f"{MODEL}/infer", json=many), 415)  # for the last is no image


def test_a_body_is_decompressed_only_once_it_is_admitted(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = {"content": gzip.compress(bytes(900_000)), "headers": {"Content-Encoding": "gzip"}}
    threads: list[str] = []

    def spy(body: bytes, encoding: str, hold: Callable[[int], None]) -> bytes:
        threads.append(threading.current_thread().name.partition("_")[0])
        return decompress(body, encoding, hold)

    monkeypatch.setattr(request_scope, "decompress", spy)
    with monkeypatch.context() as full:
        full.setattr(ThreadPools, "is_full", True)
        refused(client.post(f"{MODEL}/infer", **bomb), 429)
    assert threads == []
    refused(client.post(f"{MODEL}/infer", **bomb), 400)
    assert threads == ["decode"]


@pytest.fixture
def hurried(model_dir: Path) -> Iterator[Client]:
    with running(create_app(Settings(model_dir=model_dir, device="cpu", request_seconds=1e-6))) as client:
        yield client


def test_a_deadline_holds_here_too(hurried: Client, files: list[bytes]) -> None:
    assert "the deadline passed" in refused(hurried.post(f"{MODEL}/infer", json=in_base64(files)), 504)


def test_images_and_stages_are_counted(client: Client, files: list[bytes]) -> None:
    def images() -> float:
        (line,) = (
            each
            for each in client.get("/metrics").text.splitlines()
            if each.startswith("resnet_serve_images_total")
        )
        return float(line.split()[-1])

    before = images()
    infer(client, in_base64(files))
    assert images() == before + 3
