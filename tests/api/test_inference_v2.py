"""The Open Inference Protocol, request by request. With the clients of others: test_inference_clients.py."""

import gzip
import json
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.main import create_app
from app.settings import Settings
from tests.support.artifacts import CLASSES
from tests.support.inference_v2 import MODEL, asking, in_base64, infer, outputs, refused
from tests.support.service import Client, png_of, running

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


def test_null_stands_for_no_parameters(client: Client, files: list[bytes]) -> None:
    plain, null = in_base64(files), in_base64(files, parameters=None)
    null["inputs"][0]["parameters"] = None
    null["outputs"] = [{"name": name, "parameters": None} for name in ("probabilities", "label")]
    assert infer(client, null)["outputs"] == infer(client, plain)["outputs"]


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
