"""GET and POST /augment-preview with `predict=true` and `preset=training`."""

import base64
import threading

import httpx
import pytest

from app.main import create_app
from app.routes import preview
from app.routes.samples import SAMPLES
from app.settings import Settings
from models.training_augmentation import training_augmentation
from tests.support.service import Client, error_of, running

PATH = "/augment-preview"
ASK = {"format": "json", "predict": "true"}
RAW = {"Content-Type": "image/png"}
WILD = {"ops": "trivial_augment,random_resized_crop", "rows": 4, "cols": 5, "scale": 1}


def _best(client: Client, png: bytes) -> dict[str, float]:
    best: dict[str, float] = client.post("/predict", content=png, headers=RAW).json()["predictions"][0][
        "top"
    ][0]
    return best


def _check_predictions(client: Client, response: httpx.Response, original: bytes) -> None:
    """Every tile and the image itself have what `/predict` says of them, uploaded as PNG."""
    assert response.status_code == 200, response.text
    body = response.json()
    for given, png in [
        (body["original"], original),
        *((tile["prediction"], base64.b64decode(tile["image"].partition(",")[2])) for tile in body["tiles"]),
    ]:
        expected = _best(client, png)
        assert given["label"] == expected["label"]
        assert given["probability"] == pytest.approx(expected["probability"], abs=1e-5)
    labels = [tile["prediction"]["label"] for tile in body["tiles"]]
    assert body["kept"] == labels.count(body["original"]["label"]) / len(labels)


def test_every_tile_gets_what_predict_says_of_it(client: Client) -> None:
    response = client.get(PATH, params={"image": "ship", **WILD, **ASK})
    _check_predictions(client, response, SAMPLES["ship"].read_bytes())
    assert len({str(tile["prediction"]) for tile in response.json()["tiles"]}) > 10


def test_an_upload_is_predicted_too(client: Client) -> None:
    content = SAMPLES["frog"].read_bytes()
    response = client.post(PATH, params={**WILD, **ASK}, content=content, headers=RAW)
    _check_predictions(client, response, content)
    assert response.json() == client.get(PATH, params={"image": "frog", **WILD, **ASK}).json()


def test_without_operations_every_label_is_kept(client: Client) -> None:
    body = client.get(PATH, params={"ops": "", **ASK}).json()
    assert body["kept"] == 1
    assert {tile["prediction"]["label"] for tile in body["tiles"]} == {body["original"]["label"]}


def test_unasked_there_is_no_prediction_and_the_same_tiles(client: Client) -> None:
    asked = client.get(PATH, params={**WILD, **ASK}).json()
    unasked = client.get(PATH, params={**WILD, "format": "json"}).json()
    assert (unasked["original"], unasked["kept"]) == (None, None)
    for with_one, without in zip(asked["tiles"], unasked["tiles"], strict=True):
        assert without == {**with_one, "prediction": None}


def test_all_tiles_and_the_image_go_to_the_batcher_at_once(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    batcher = client.app.state.context.batcher
    counts, submit = list[int](), batcher.submit

    async def spy(items: list[object], **options: object) -> object:
        counts.append(len(items))
        return await submit(items, **options)

    monkeypatch.setattr(batcher, "submit", spy)
    assert client.get(PATH, params={"rows": 3, "cols": 2, **ASK}).status_code == 200
    assert counts == [7]


def test_a_grid_has_no_room_for_predictions(client: Client) -> None:
    response = client.get(PATH, params={"predict": "true"})
    assert response.status_code == 422
    error = error_of(response)
    assert (error["code"], error["field"]) == ("invalid_parameter", "predict")
    assert "format=json" in str(error["message"])


def test_more_tiles_than_the_queue_ever_holds_are_422(settings: Settings) -> None:
    with running(create_app(settings.model_copy(update={"max_queue": 8, "max_batch": 1}))) as client:
        response = client.get(PATH, params={"rows": 2, "cols": 4, **ASK})
        assert (response.status_code, error_of(response)["field"]) == (422, "rows")
        assert client.get(PATH, params={"rows": 2, "cols": 3, **ASK}).status_code == 200
        assert client.get(PATH, params={"rows": 2, "cols": 4, "format": "json"}).status_code == 200


def test_tiles_that_take_too_long_are_504(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = client.app.state.context.model.engine
    release = threading.Event()
    monkeypatch.setattr(engine, "predict", lambda _: release.wait(10))
    response = client.get(PATH, params=ASK, headers={"X-Request-Timeout": "0.2"})
    release.set()
    assert (response.status_code, error_of(response)["code"]) == (504, "deadline_exceeded")


def test_the_training_preset_is_what_the_artifact_tells(client: Client) -> None:
    """As this model's recipe has it: an alternating flip, and then its only operation."""
    expected = [
        {"name": "horizontal_flip", "probability": 0.5},
        {"name": "random_crop", "padding": 3, "padding_mode": "reflect"},
    ]
    body = client.get(PATH, params={"preset": "training", "format": "json"}).json()
    assert body["operations"] == expected
    assert client.get("/models/lenet-test").json()["augmentation"] == expected
    written_out = {
        "ops": "horizontal_flip,random_crop",
        "random_crop.padding": 3,
        "random_crop.padding_mode": "reflect",
        "format": "json",
    }
    assert body == client.get(PATH, params=written_out).json()
    sent = client.post(
        PATH,
        params={"preset": "training", "format": "json"},
        content=SAMPLES["cat"].read_bytes(),
        headers=RAW,
    )
    assert sent.json() == body


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("preset=training&ops=cutout", "ops"),
        ("preset=training&ops=", "ops"),
        ("preset=training&random_crop.padding=3", "random_crop.padding"),
        ("preset=lesson", "preset"),
    ],
)
def test_a_preset_leaves_nothing_to_say(client: Client, query: str, field: str) -> None:
    response = client.get(f"{PATH}?{query}")
    assert response.status_code == 422
    assert (error_of(response)["code"], error_of(response)["field"]) == ("invalid_parameter", field)


def test_a_model_whose_recipe_does_not_tell_has_no_preset(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "training_augmentation", lambda _: training_augmentation({}))
    response = client.get(PATH, params={"preset": "training"})
    error = error_of(response)
    assert (response.status_code, error["field"]) == (422, "preset")
    assert "lenet-test cannot tell: the recipe does not tell its augmentation" in str(error["message"])
