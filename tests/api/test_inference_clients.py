"""The Open Inference Protocol as others speak it: NVIDIA's tritonclient, against the real server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tritonclient import http as triton
from tritonclient.utils import InferenceServerException

from models.artifact.store import load_artifact
from tests.support.artifacts import save_small_artifact
from tests.support.server_process import running

SAMPLE = Path(__file__).parents[1] / "data" / "cifar10-test-sample"
MODEL = "lenet-test"


@pytest.fixture(scope="module")
def client(model_dir: Path) -> Iterator[triton.InferenceServerClient]:
    with (
        running(model_dir) as (_, address, _),
        triton.InferenceServerClient(address.removeprefix("http://"), concurrency=4) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def labels(model_dir: Path) -> tuple[str, ...]:
    return load_artifact(model_dir).metadata.classes


@pytest.fixture(scope="module")
def pixels(model_dir: Path) -> npt.NDArray[np.uint8]:
    size = load_artifact(model_dir).metadata.input_size
    return np.random.default_rng(0).integers(0, 256, (3, 3, size, size), dtype=np.uint8)


def images(values: npt.NDArray[Any], *, binary: bool) -> triton.InferInput:
    datatype = {"uint8": "UINT8", "float32": "FP32", "object": "BYTES"}[values.dtype.name]
    name = "image_bytes" if datatype == "BYTES" else "images"
    tensor = triton.InferInput(name, list(values.shape), datatype)
    tensor.set_data_from_numpy(values, binary_data=binary)
    return tensor


def test_health_and_metadata(client: triton.InferenceServerClient, labels: tuple[str, ...]) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(MODEL)
    assert client.is_model_ready(MODEL, "1")
    assert not client.is_model_ready(MODEL, "2")
    assert not client.is_model_ready("other")
    assert client.get_server_metadata()["name"] == "resnet-serve"
    for version in ("", "1"):
        described = client.get_model_metadata(MODEL, version)
        assert described["name"] == MODEL
        assert described["outputs"][0]["shape"] == [-1, len(labels)]
    assert client.get_model_repository_index() == [
        {"name": MODEL, "version": "1", "state": "READY", "reason": ""}
    ]


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("version", ["", "1"])
def test_pixels_both_ways(
    client: triton.InferenceServerClient,
    pixels: npt.NDArray[np.uint8],
    labels: tuple[str, ...],
    binary: bool,
    dtype: type,
    version: str,
) -> None:
    values = pixels if dtype is np.uint8 else (pixels / np.float32(255))
    wanted = [triton.InferRequestedOutput(name, binary_data=binary) for name in ("label", "probabilities")]
    result = client.infer(
        MODEL, [images(values, binary=binary)], version, outputs=wanted, request_id="my-request"
    )
    assert result.get_response()["id"] == "my-request"
    probabilities = result.as_numpy("probabilities")
    assert probabilities.shape == (3, len(labels))
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    found = [each.decode() if isinstance(each, bytes) else each for each in result.as_numpy("label")]
    assert found == [labels[best] for best in probabilities.argmax(1)]


def test_without_named_outputs_all_come_as_binary_data(
    client: triton.InferenceServerClient, pixels: npt.NDArray[np.uint8]
) -> None:
    result = client.infer(MODEL, [images(pixels, binary=True)])
    assert result.as_numpy("probabilities").dtype == np.float32
    assert result.as_numpy("label").shape == (3,)
    assert all("data" not in each for each in result.get_response()["outputs"])


def test_files_of_any_size(client: triton.InferenceServerClient) -> None:
    files = [path.read_bytes() for path in sorted(SAMPLE.glob("*/*.png"))[:5]]
    files.append((Path(__file__).parents[1] / "data" / "page.png").read_bytes())
    result = client.infer(MODEL, [images(np.array(files, dtype=object), binary=True)])
    assert result.as_numpy("label").shape == (6,)


def test_classification(
    client: triton.InferenceServerClient, pixels: npt.NDArray[np.uint8], labels: tuple[str, ...]
) -> None:
    wanted = [triton.InferRequestedOutput("probabilities", class_count=3)]
    ranked = client.infer(MODEL, [images(pixels, binary=True)], outputs=wanted).as_numpy("probabilities")
    assert ranked.shape == (3, 3)
    values, numbers, names = zip(*(text.decode().split(":") for text in ranked[0]), strict=True)
    assert [float(value) for value in values] == sorted((float(value) for value in values), reverse=True)
    assert list(names) == [labels[int(number)] for number in numbers]


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compressed_requests(
    client: triton.InferenceServerClient, pixels: npt.NDArray[np.uint8], algorithm: str
) -> None:
    asked = [images(pixels, binary=True)]
    result = client.infer(
        MODEL, asked, request_compression_algorithm=algorithm, response_compression_algorithm=algorithm
    )
    expected = client.infer(MODEL, asked).as_numpy("probabilities")
    np.testing.assert_allclose(result.as_numpy("probabilities"), expected, atol=1e-6)


def test_requests_at_the_same_time(
    client: triton.InferenceServerClient, pixels: npt.NDArray[np.uint8]
) -> None:
    expected = client.infer(MODEL, [images(pixels, binary=True)]).as_numpy("probabilities")
    running = [client.async_infer(MODEL, [images(pixels[n % 3][None], binary=True)]) for n in range(12)]
    for n, request in enumerate(running):
        np.testing.assert_allclose(
            request.get_result().as_numpy("probabilities")[0], expected[n % 3], atol=1e-5
        )


def test_errors_reach_the_client_in_words(
    client: triton.InferenceServerClient, pixels: npt.NDArray[np.uint8]
) -> None:
    with pytest.raises(InferenceServerException, match="there is no model 'other'; choose from lenet-test"):
        client.infer("other", [images(pixels, binary=True)])
    with pytest.raises(InferenceServerException, match="send pictures of other sizes as image_bytes"):
        client.infer(MODEL, [images(pixels[:, :, :2], binary=True)])
    with pytest.raises(InferenceServerException, match="not an image in one of the formats"):
        client.infer(MODEL, [images(np.array([b"no image"], dtype=object), binary=True)])


def test_models_are_loaded_and_unloaded(tmp_path: Path) -> None:
    for name, version in (("cats", "1"), ("cats", "2"), ("dogs", "1")):
        save_small_artifact(tmp_path / name / version, name=name, version=version)
    settings = {
        "RESNET_SERVE_MODEL_REPOSITORY": str(tmp_path),
        "RESNET_SERVE_MANAGEMENT": "true",
    }
    with (
        running(tmp_path, settings) as (_, address, _),
        triton.InferenceServerClient(address.removeprefix("http://")) as client,
    ):
        client.unload_model("dogs")
        assert not client.is_model_ready("dogs")
        states = {
            (each["name"], each["version"]): each["state"] for each in client.get_model_repository_index()
        }
        assert states == {("cats", "2"): "READY", ("cats", "1"): "UNAVAILABLE", ("dogs", "1"): "UNAVAILABLE"}
        client.load_model("dogs")
        assert client.is_model_ready("dogs", "1")
        with pytest.raises(
            InferenceServerException, match="there is no model 'birds'; choose from cats, dogs"
        ):
            client.load_model("birds")
        with pytest.raises(InferenceServerException, match="config: there is no such parameter"):
            client.load_model("dogs", config="{}")
