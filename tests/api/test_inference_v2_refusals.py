"""What the Open Inference Protocol refuses, in its own words and before it costs anything."""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.batching.thread_pools import ThreadPools
from app.http import request_scope
from app.http.content_encoding import decompress
from app.main import create_app
from app.settings import Settings
from app.v2.repository import MAX_BODY_BYTES, MAX_PARAMETERS
from tests.support.artifacts import CLASSES
from tests.support.inference_v2 import MODEL, asking, in_base64, refused
from tests.support.predicting import noise_image
from tests.support.service import Client, png_of, running


@pytest.fixture(scope="module")
def size(client: Client) -> int:
    return int(client.app.state.context.model.metadata.input_size)


@pytest.fixture(scope="module")
def files(size: int) -> list[bytes]:
    return [png_of(noise_image(seed, (size, size))) for seed in range(3)]


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
        (in_base64([files[0], b""]), 400, "file 2: the file is empty"),
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
        (
            in_base64(files, parameters={"binary_data_output": 1}),
            400,
            "parameters.binary_data_output: must be true or false, got 1",
        ),
        (
            in_base64(files, outputs=[{"name": "label", "parameters": {"binary_data": "yes"}}]),
            400,
            "outputs[0].parameters.binary_data: must be true or false, got 'yes'",
        ),
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


@pytest.mark.parametrize("count", [MAX_PARAMETERS + 2, 20 * MAX_PARAMETERS])
def test_many_unknown_keys_make_one_error(client: Client, count: int) -> None:
    """Counted before they are parsed, as each of them would make an error of its own."""
    body = json.dumps(dict.fromkeys(map(str, range(count)), 0)).encode()
    response = client.post("/v2/repository/index", content=body)
    assert response.status_code == 400
    assert response.json() == {"error": f"the body has more than {MAX_PARAMETERS} parameters"}


def test_as_many_keys_as_allowed_are_parsed(client: Client) -> None:
    body = json.dumps(dict.fromkeys(map(str, range(MAX_PARAMETERS + 1)), 0)).encode()
    response = client.post("/v2/repository/index", content=body)
    assert response.status_code == 422
    assert "there is no such parameter" in response.json()["error"]


def test_a_body_for_the_repository_is_small(client: Client) -> None:
    assert client.post("/v2/repository/index", content=b"{}".rjust(MAX_BODY_BYTES)).status_code == 200
    response = client.post("/v2/repository/index", content=b"{}".rjust(MAX_BODY_BYTES + 1))
    assert response.status_code == 413
    assert response.json() == {"error": f"the request body is larger than {MAX_BODY_BYTES} bytes"}
