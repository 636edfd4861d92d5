"""POST /explain: where the evidence lies, by the bundled model, whose engine computes in int8."""

import io
import threading
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from PIL import Image

from app.batching.thread_pools import ThreadPools
from app.main import create_app
from app.routes import explain
from app.routes.samples import SAMPLES
from app.settings import BUNDLED_MODEL, Settings
from models.artifact.store import load_artifact
from models.preprocessing.transform import Preprocessing
from tests.support.service import Client, error_of, png_of, running

PATH = "/explain"
RAW = {"Content-Type": "image/png"}
CAT = SAMPLES["cat"].read_bytes()


@pytest.fixture(scope="module")
def bundled() -> Iterator[Client]:
    settings = Settings(model_dir=BUNDLED_MODEL, device="cpu", engine="openvino", max_batch=1)
    with running(create_app(settings)) as client:
        yield client


def _photo() -> Image.Image:
    return Image.effect_noise((90, 60), 80).convert("RGB")


def test_answer_has_exactly_this_shape(bundled: Client) -> None:
    response = bundled.post(PATH, files={"file": ("photo.png", png_of(_photo()))})
    assert response.status_code == 200, response.text
    body = response.json()
    assert explain.ExplainResponse.model_validate(body).model_dump() == body
    assert set(body) == {"model", "label", "probability", "logit", "bias", "map", "input_size", "top"}
    assert body["model"] == {"name": "resnet18-cifar10", "version": "1"}
    assert body["input_size"] == 32
    assert [len(row) for row in body["map"]] == [4] * 4
    assert [set(entry) for entry in body["top"]] == [{"label", "probability"}] * 5


def test_the_most_probable_class_is_explained_and_its_map_adds_up(bundled: Client) -> None:
    body = bundled.post(PATH, content=CAT, headers=RAW).json()
    assert body["label"] == body["top"][0]["label"] == "cat"
    assert body["probability"] == body["top"][0]["probability"]
    assert np.mean(body["map"]) + body["bias"] == pytest.approx(body["logit"], abs=1e-5)


def test_figures_are_those_of_the_stored_weights(bundled: Client) -> None:
    """The artifact, its preprocessing and the network in float32, with no service around."""
    artifact = load_artifact(BUNDLED_MODEL)
    photo = _photo()
    with torch.inference_mode():
        logits = artifact.model(Preprocessing.from_metadata(artifact.metadata)(photo).unsqueeze(0))[0]
    probabilities = torch.softmax(logits / artifact.metadata.temperature, dim=0)
    for index, label in enumerate(artifact.metadata.classes):
        body = bundled.post(PATH, params={"class": label}, content=png_of(photo), headers=RAW).json()
        assert body["label"] == label
        assert body["logit"] == pytest.approx(logits[index].item(), abs=1e-4)
        assert body["probability"] == pytest.approx(probabilities[index].item(), abs=1e-5)
        assert body["bias"] == pytest.approx(artifact.model.classifier.bias[index].item())  # type: ignore[union-attr, index]


def test_png_is_the_image_enlarged_with_colour_where_the_map_is_above_zero(bundled: Client) -> None:
    body = bundled.post(PATH, params={"class": "ship"}, content=CAT, headers=RAW).json()
    response = bundled.post(PATH, params={"class": "ship", "format": "png"}, content=CAT, headers=RAW)
    assert response.headers["content-type"] == "image/png"
    drawn = np.asarray(Image.open(io.BytesIO(response.content))).astype(int)
    plain = np.asarray(Image.open(SAMPLES["cat"]).resize((256, 256), Image.Resampling.NEAREST)).astype(int)
    assert drawn.shape == (256, 256, 3)
    changed = np.abs(drawn - plain).max(axis=2).reshape(4, 64, 4, 64)[:, 24:40, :, 24:40].max(axis=(1, 3))
    strong = np.array(body["map"]) > 0.5 * np.max(body["map"])
    assert (changed[strong] > 20).all()
    assert strong.any()


@pytest.mark.parametrize(
    ("query", "code", "field", "says"),
    [
        ("class=unicorn", "invalid_parameter", "class", "choose from airplane, automobile"),
        ("format=gif", "invalid_parameter", "format", "'json' or 'png'"),
        ("label=cat", "unknown_parameter", "label", "no such parameter"),
    ],
)
def test_illegal_query_is_422_naming_the_parameter(
    bundled: Client, query: str, code: str, field: str, says: str
) -> None:
    response = bundled.post(f"{PATH}?{query}", content=CAT, headers=RAW)
    assert response.status_code == 422
    error = error_of(response)
    assert (error["code"], error["field"]) == (code, field)
    assert says in str(error["message"])


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ({"content": b"", "headers": RAW}, 400, "empty_file"),
        ({"content": b"hello", "headers": RAW}, 415, "unsupported_image"),
        ({"content": b"hello"}, 415, "unsupported_image"),
        ({"files": [("file", ("a.png", CAT)), ("file", ("b.png", CAT))]}, 413, "too_many_images"),
        ({"files": {"image": CAT}}, 422, "unknown_field"),
    ],
)
def test_what_is_not_one_image_is_refused(
    bundled: Client, options: dict[str, object], status: int, code: str
) -> None:
    response = bundled.post(PATH, **options)
    assert (response.status_code, error_of(response)["code"]) == (status, code)


@pytest.mark.parametrize(("query", "field"), [("model=other", "model"), ("version=9", "version")])
def test_an_unknown_model_or_version_is_404(bundled: Client, query: str, field: str) -> None:
    """The message names what there is."""
    refused = bundled.post(f"{PATH}?{query}", content=CAT, headers=RAW)
    assert refused.status_code == 404
    assert error_of(refused)["field"] == field


def test_a_network_with_another_end_is_refused_as_told_beforehand(client: Client, bundled: Client) -> None:
    response = client.post(PATH, content=CAT, headers=RAW)
    assert response.status_code == 422
    error = error_of(response)
    assert error["code"] == "no_class_activation"
    assert "lenet does not" in str(error["message"])
    assert client.get("/models/lenet-test").json()["class_activation"] is False
    assert bundled.get("/models/resnet18-cifar10").json()["class_activation"] is True


def test_an_explanation_that_takes_too_long_is_504(bundled: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(explain, "_respond", lambda *_: release.wait(10))
    response = bundled.post(PATH, content=CAT, headers={**RAW, "X-Request-Timeout": "0.2"})
    release.set()
    assert (response.status_code, error_of(response)["code"]) == (504, "deadline_exceeded")
    assert "waiting for the explanation" in str(error_of(response)["message"])


def test_beyond_the_bound_on_requests_it_is_429(bundled: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ThreadPools, "is_full", True)
        response = bundled.post(PATH, content=CAT, headers=RAW)
    assert (response.status_code, error_of(response)["code"]) == (429, "overloaded")
