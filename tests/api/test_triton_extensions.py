"""What clients of Triton ask besides the protocol."""

import pytest
from PIL import Image

from tests.support.artifacts import CLASSES
from tests.support.service import Client, png_of

MODEL = "/v2/models/lenet-test"


@pytest.mark.parametrize("path", [f"{MODEL}/config", f"{MODEL}/versions/1/config"])
def test_the_configuration_tells_the_tensors(client: Client, path: str) -> None:
    config = client.get(path).json()
    size = client.app.state.context.model.metadata.input_size
    assert (config["name"], config["max_batch_size"]) == ("lenet-test", 0)
    assert config["input"] == [
        {"name": "image_bytes", "data_type": "TYPE_STRING", "dims": [-1]},
        {"name": "images", "data_type": "TYPE_UINT8", "dims": [-1, 3, size, size]},
    ]
    assert config["output"][0]["dims"] == [-1, len(CLASSES)]


@pytest.mark.parametrize("path", ["/v2/models/stats", f"{MODEL}/stats", f"{MODEL}/versions/1/stats"])
def test_statistics_count_images_and_batches(client: Client, path: str) -> None:
    (before,) = client.get(path).json()["model_stats"]
    files = [("file", ("a.png", png_of(Image.new("RGB", (32, 32)))))] * 9
    assert client.post("/predict", files=files).status_code == 200
    (after,) = client.get(path).json()["model_stats"]
    assert (after["name"], after["version"]) == ("lenet-test", "1")
    assert after["inference_count"] - before["inference_count"] == 9
    assert after["execution_count"] - before["execution_count"] == 2


@pytest.mark.parametrize("kind", ["system", "cuda"])
def test_there_is_no_shared_memory(client: Client, kind: str) -> None:
    assert client.get(f"/v2/{kind}sharedmemory/status").json() == []


@pytest.mark.parametrize("path", ["/v2/models/other/config", f"{MODEL}/versions/2/stats"])
def test_an_unknown_model_is_404(client: Client, path: str) -> None:
    response = client.get(path)
    assert (response.status_code, set(response.json())) == (404, {"error"})
