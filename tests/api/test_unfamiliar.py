"""Images that are unlike all that the model knows, and views of an image, over HTTP."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from app.main import create_app
from app.settings import Settings
from models.artifact.store import load_artifact
from models.preprocessing.transform import Preprocessing
from models.views import views_of
from tests.support.artifacts import noise, save_small_artifact, small_detector, small_model
from tests.support.exposition import samples
from tests.support.service import Client, png_of, running

KNOWN = Image.fromarray(noise(1, 7)[0].permute(1, 2, 0).numpy())
STRANGE = Image.new("RGB", (32, 32), (250, 10, 10))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_artifact(tmp_path_factory.mktemp("models") / "lenet-test" / "1", with_detector=True)


@pytest.fixture(scope="module")
def service(settings: Settings, folder: Path) -> Iterator[Client]:
    own = settings.model_copy(update={"model_dir": folder, "cache_files": 10})
    with running(create_app(own)) as client:
        yield client


def files(*images: Image.Image) -> list[tuple[str, tuple[str, bytes]]]:
    return [("file", (f"{number}.png", png_of(image))) for number, image in enumerate(images)]


def test_each_image_is_told_apart(service: Client, folder: Path) -> None:
    artifact = load_artifact(folder)
    preprocessing = Preprocessing.from_metadata(artifact.metadata)
    classifier = [each for each in artifact.model.modules() if isinstance(each, torch.nn.Linear)][-1]
    taken = []
    hook = classifier.register_forward_pre_hook(lambda _, inputs: taken.append(inputs[0]))
    with torch.no_grad():
        logits = artifact.model(torch.stack([preprocessing(KNOWN), preprocessing(STRANGE)]))
    hook.remove()
    expected = small_detector(small_model()).unfamiliarity(taken[0].numpy(), logits.numpy())
    known, strange = service.post("/predict", files=files(KNOWN, STRANGE)).json()["predictions"]
    assert [known["unfamiliarity"], strange["unfamiliarity"]] == pytest.approx(list(expected), abs=0.02)
    assert (known["familiar"], strange["familiar"]) == (True, False)


def test_unfamiliar_images_are_counted_and_the_cache_knows_them(service: Client) -> None:
    def counted() -> float:
        name = 'resnet_serve_unfamiliar_images_total{name="lenet-test",version="1"}'
        return samples(service.get("/metrics").text).get(name, 0.0)

    before = counted()
    first = service.post("/predict", files=files(KNOWN, STRANGE))
    again = service.post("/predict", files=files(KNOWN, STRANGE))
    assert again.headers["Cache-Status"] == "resnet-serve; hit"
    assert again.json()["predictions"] == first.json()["predictions"]
    assert counted() - before == 2


def test_the_inference_protocol_has_an_output_for_it(service: Client) -> None:
    pixels = torch.stack([noise(1, 7)[0], torch.tensor([250, 10, 10]).view(3, 1, 1).expand(3, 32, 32)])
    tensor = {"name": "images", "datatype": "UINT8", "shape": [2, 3, 32, 32], "data": pixels.tolist()}
    outputs = service.post("/v2/models/lenet-test/infer", json={"inputs": [tensor]}).json()["outputs"]
    assert [each["name"] for each in outputs] == ["probabilities", "label", "unfamiliarity"]
    expected = service.post("/predict", files=files(KNOWN, STRANGE)).json()["predictions"]
    assert (outputs[2]["datatype"], outputs[2]["shape"]) == ("FP32", [2])
    assert outputs[2]["data"] == pytest.approx([each["unfamiliarity"] for each in expected], abs=0.01)
    named = {"inputs": [tensor], "outputs": [{"name": "unfamiliarity"}]}
    (only,) = service.post("/v2/models/lenet-test/infer", json=named).json()["outputs"]
    assert only == outputs[2]
    described = service.get("/v2/models/lenet-test").json()["outputs"]
    assert {"name": "unfamiliarity", "datatype": "FP32", "shape": [-1]} in described
    config = service.get("/v2/models/lenet-test/config").json()["output"]
    assert {"name": "unfamiliarity", "data_type": "TYPE_FP32", "dims": [-1]} in config


def test_a_model_that_cannot_tell_says_nothing(client: Client) -> None:
    (answer,) = client.post("/predict", files=files(STRANGE)).json()["predictions"]
    assert (answer["familiar"], answer["unfamiliarity"]) == (None, None)
    tensor = {"name": "images", "datatype": "UINT8", "shape": [1, 3, 32, 32], "data": noise(1, 7).tolist()}
    asked = {"inputs": [tensor], "outputs": [{"name": "unfamiliarity"}]}
    refused = client.post("/v2/models/lenet-test/infer", json=asked)
    assert refused.status_code == 400
    assert "outputs[0].name: must be probabilities or label" in refused.json()["error"]


def test_views_are_averaged(service: Client, folder: Path) -> None:
    artifact = load_artifact(folder)
    preprocessing = Preprocessing.from_metadata(artifact.metadata)
    views = views_of(noise(1, 7), 3)[0]
    with torch.no_grad():
        logits = artifact.model(preprocessing.normalize(views))
    expected = torch.softmax(logits / artifact.metadata.temperature, 1).mean(0)
    one = service.post("/predict?top_k=10", files=files(KNOWN)).json()["predictions"][0]
    for _ in range(2):  # the second is from the cache, which keeps it apart from that of one view
        three = service.post("/predict?top_k=10&views=3", files=files(KNOWN)).json()["predictions"][0]
        found = {each["label"]: each["probability"] for each in three["top"]}
        assert [found[name] for name in artifact.metadata.classes] == pytest.approx(
            expected.tolist(), abs=1e-4
        )
        assert three["top"] == sorted(three["top"], key=lambda each: -each["probability"])
        assert three["unfamiliarity"] == pytest.approx(one["unfamiliarity"], abs=0.02)
    assert service.post("/predict?top_k=10", files=files(KNOWN)).json()["predictions"][0] == one
    assert one["top"] != three["top"]


def test_views_count_as_images(settings: Settings, folder: Path) -> None:
    own = settings.model_copy(update={"model_dir": folder, "max_files": 5, "views": 2})
    with running(create_app(own)) as client:
        assert client.post("/predict", files=files(KNOWN, STRANGE)).status_code == 200
        refused = client.post("/predict", files=files(KNOWN, STRANGE, KNOWN))
        assert (refused.status_code, refused.json()["error"]["code"]) == (413, "too_many_images")
        assert "2 views of 3 images are 6 images; at most 5" in refused.json()["error"]["message"]
        assert client.post("/predict?views=1", files=files(KNOWN, STRANGE, KNOWN)).status_code == 200


@pytest.mark.parametrize("views", ["0", "5", "many"])
def test_other_numbers_of_views_are_refused(client: Client, views: str) -> None:
    refused = client.post(f"/predict?views={views}", files=files(KNOWN))
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "views")
