"""GET and POST /models/{name}/batch-norm: both modes side by side, and a served network that stays in one."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from PIL import Image

from app.batching.thread_pools import ThreadPools
from app.routes.batch_norm import BatchNormResponse
from app.routes.samples import SAMPLES
from models.artifact.store import load_artifact
from models.batch_norm import view as view_module
from models.batch_norm.view import logits_by_batch_statistics, view_batch_norm
from models.preprocessing.transform import Preprocessing
from tests.support.service import Client, error_of, png_of

PATH = "/models/lenet-test/batch-norm"
RAW = {"Content-Type": "image/png"}
CAT = SAMPLES["cat"].read_bytes()
LAYERS = ("features.1", "features.5", "classifier.1", "classifier.4")


def _files(*names: str) -> list[tuple[str, tuple[str, bytes]]]:
    return [("file", (f"{name}.png", SAMPLES[name].read_bytes())) for name in names]


def _network(client: Client) -> tuple[torch.nn.Module, Preprocessing, float]:
    """As it is stored, with no service around."""
    artifact = load_artifact(client.app.state.context.settings.model_dir)
    return artifact.model, Preprocessing.from_metadata(artifact.metadata), artifact.metadata.temperature


def _inputs(preprocessing: Preprocessing, *names: str) -> torch.Tensor:
    return torch.stack([preprocessing(Image.open(SAMPLES[name])) for name in names])


def _probabilities(top: list[dict[str, float]]) -> list[float]:
    return [entry["probability"] for entry in top]


def test_answer_has_exactly_this_shape(client: Client) -> None:
    response = client.post(PATH, files=_files("cat", "dog", "ship"))
    assert response.status_code == 200, response.text
    body = response.json()
    assert BatchNormResponse.model_validate(body).model_dump() == body
    assert body["model"] == {"name": "lenet-test", "version": "1"}
    assert (body["layer"], body["channels"], body["channel"]) == ("features.1", 6, None)
    assert body["image"] == "cat.png"
    assert body["neighbours"] == {"source": "request", "names": ["dog.png", "ship.png"]}
    assert set(body["histogram"]) == {"edges", "before", "training", "eval"}
    assert set(body["statistics"]) == {
        *("batch_mean", "batch_var", "running_mean", "running_var", "weight", "bias")
    }
    assert {len(values) for values in body["statistics"].values()} == {6}
    assert set(body["predictions"]) == {"eval", "eval_with_neighbours", "training"}
    assert [entry["neighbours"] for entry in body["predictions"]["training"]] == [1, 2]
    for entry in body["predictions"]["training"]:
        assert len(entry["names"]) == entry["neighbours"]
        assert len(entry["top"]) == 5


@pytest.mark.parametrize("layer", LAYERS)
def test_figures_are_those_of_the_layer_and_the_batch(client: Client, layer: str) -> None:
    body = client.post(f"{PATH}?layer={layer}", files=_files("cat", "dog", "ship")).json()
    model, preprocessing, _ = _network(client)
    view = view_batch_norm(model, layer, _inputs(preprocessing, "cat", "dog", "ship"))
    assert (body["layer"], body["channels"]) == (layer, len(view.bias))
    for name, values in body["statistics"].items():
        assert values == pytest.approx(getattr(view, name).tolist(), abs=1e-5), name
    for counts in ("before", "training", "eval"):
        assert sum(body["histogram"][counts]) == view.before.numel()


def test_one_channel_is_counted_where_one_is_asked_for(client: Client) -> None:
    every = client.post(PATH, files=_files("cat", "dog")).json()
    one = client.post(f"{PATH}?channel=3", files=_files("cat", "dog")).json()
    assert (one["channel"], every["channel"]) == (3, None)
    assert sum(one["histogram"]["before"]) * 6 == sum(every["histogram"]["before"])
    assert one["statistics"] == every["statistics"]


def test_predictions_move_with_the_neighbours_in_training_mode_alone(client: Client) -> None:
    model, preprocessing, temperature = _network(client)
    predictions = client.post(PATH, files=_files("cat", "dog")).json()["predictions"]
    others = client.post(PATH, files=_files("cat", "ship")).json()["predictions"]
    assert _probabilities(predictions["eval"]) == _probabilities(others["eval"])
    for mine in (predictions, others):
        assert _probabilities(mine["eval_with_neighbours"]) == pytest.approx(
            _probabilities(mine["eval"]), abs=1e-5
        )
    ((with_dog,), (with_ship,)) = predictions["training"], others["training"]
    assert (with_dog["names"], with_ship["names"]) == (["dog.png"], ["ship.png"])
    assert _probabilities(with_dog["top"]) != pytest.approx(_probabilities(with_ship["top"]), abs=1e-4)
    assert _probabilities(with_dog["top"]) != pytest.approx(_probabilities(predictions["eval"]), abs=1e-4)
    logits = logits_by_batch_statistics(model, _inputs(preprocessing, "cat", "dog"))[0]
    expected = torch.softmax(logits / temperature, dim=0).sort(descending=True).values[:5].tolist()
    assert _probabilities(with_dog["top"]) == pytest.approx(expected, abs=1e-5)


def test_without_neighbours_they_are_sample_images_and_the_answer_says_so(client: Client) -> None:
    photo = png_of(Image.effect_noise((90, 60), 80).convert("RGB"))
    body = client.post(f"{PATH}?batch=9", content=photo, headers=RAW).json()
    assert body["image"] is None
    assert body["neighbours"]["source"] == "samples"
    names = body["neighbours"]["names"]
    assert len(names) == len(set(names)) == 9
    assert set(names) <= {f"{name}.png" for name in SAMPLES}
    sets = body["predictions"]["training"]
    assert [entry["neighbours"] for entry in sets] == [1, 3, 7, 9]
    for entry in sets:
        assert len(set(entry["names"])) == entry["neighbours"]
        assert set(entry["names"]) <= set(names)


def _up_to_rounding(value: object) -> object:
    """The order of a sum is that of the threads at work, so the last digit of a probability is free."""
    if isinstance(value, dict):
        return {key: _up_to_rounding(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_up_to_rounding(each) for each in value]
    return pytest.approx(value, abs=1e-6) if isinstance(value, float) else value


def test_a_sample_is_looked_at_by_a_link(client: Client) -> None:
    body = client.get(PATH, params={"sample": "dog", "batch": 4}).json()
    assert body["image"] == "dog.png"
    assert body["neighbours"]["source"] == "samples"
    assert len(body["neighbours"]["names"]) == 4
    assert "dog.png" not in body["neighbours"]["names"]
    sent = client.post(
        PATH, files=_files("dog", *(name.removesuffix(".png") for name in body["neighbours"]["names"]))
    )
    assert sent.json() == _up_to_rounding({**body, "neighbours": {**body["neighbours"], "source": "request"}})


def test_the_seed_decides_which_neighbours_there_are(client: Client) -> None:
    first, again, other = (client.get(PATH, params={"seed": seed}).json() for seed in (1, 1, 2))
    assert first == again
    assert first["neighbours"]["names"] != other["neighbours"]["names"]


def test_the_served_network_is_never_switched_nor_changed(client: Client) -> None:
    """Bit for bit, while both modes are looked at and others are predicted."""
    network = client.app.state.context.model.network
    stored = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    expected = client.post("/predict", content=CAT, headers=RAW).json()["predictions"][0]["top"]
    stop, seen_training = threading.Event(), list[str]()

    def watch() -> None:
        while not stop.is_set():
            seen_training.extend(name for name, module in network.named_modules() if module.training)

    def view(number: int) -> int:
        return client.get(PATH, params={"layer": LAYERS[number % 4], "seed": number}).status_code

    def predict(_: int) -> list[dict[str, object]]:
        answer = client.post("/predict", content=CAT, headers=RAW).json()
        top: list[dict[str, object]] = answer["predictions"][0]["top"]
        return top

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(8) as pool:
        views = pool.map(view, range(12))
        predictions = list(pool.map(predict, range(40)))
        assert list(views) == [200] * 12
    stop.set()
    watcher.join()
    assert seen_training == []
    for top in predictions:
        assert [entry["label"] for entry in top] == [entry["label"] for entry in expected]
        assert _probabilities(top) == pytest.approx(_probabilities(expected), abs=1e-5)  # type: ignore[arg-type]
    assert all(torch.equal(stored[name], tensor) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("query", "code", "field", "says"),
    [
        ("layer=stem.1", "invalid_parameter", "layer", "choose from features.1, features.5, classifier.1"),
        ("channel=6", "invalid_parameter", "channel", "must be in 0..5, got 6"),
        ("layer=classifier.1&channel=120", "invalid_parameter", "channel", "must be in 0..119"),
        ("channel=-1", "invalid_parameter", "channel", "greater than or equal to 0"),
        ("batch=0", "invalid_parameter", "batch", "greater than or equal to 1"),
        ("batch=10", "invalid_parameter", "batch", "less than or equal to 9"),
        ("seed=-1", "invalid_parameter", "seed", "greater than or equal to 0"),
        ("mode=eval", "unknown_parameter", "mode", "no such parameter"),
    ],
)
def test_illegal_query_is_422_naming_the_parameter(
    client: Client, method: str, query: str, code: str, field: str, says: str
) -> None:
    options = {"content": CAT, "headers": RAW} if method == "POST" else {}
    response = client.request(method, f"{PATH}?{query}", **options)
    assert response.status_code == 422
    error = error_of(response)
    assert (error["code"], error["field"]) == (code, field)
    assert says in str(error["message"])


def test_a_sample_that_there_is_not_is_422(client: Client) -> None:
    error = error_of(client.get(f"{PATH}?sample=unicorn"))
    assert (error["code"], error["field"]) == ("invalid_parameter", "sample")
    assert "airplane, automobile" in str(error["message"])
    assert error_of(client.post(f"{PATH}?sample=cat", content=CAT, headers=RAW))["field"] == "sample"


def test_neighbours_are_either_sent_or_counted(client: Client) -> None:
    error = error_of(client.post(f"{PATH}?batch=1", files=_files("cat", "dog")))
    assert (error["code"], error["field"]) == ("invalid_parameter", "batch")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_unknown_model_is_404(client: Client, method: str) -> None:
    options = {"content": CAT, "headers": RAW} if method == "POST" else {}
    response = client.request(method, "/models/resnet50/batch-norm", **options)
    assert (response.status_code, error_of(response)["code"]) == (404, "unknown_model")


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ({"content": b"", "headers": RAW}, 400, "empty_file"),
        ({"content": b"hello", "headers": RAW}, 415, "unsupported_image"),
        ({"files": [*_files("cat"), ("file", ("b.png", b"hello"))]}, 415, "unsupported_image"),
        ({"files": _files("cat") * 33}, 413, "too_many_images"),
        ({"files": {"image": CAT}}, 422, "unknown_field"),
    ],
)
def test_what_are_no_images_is_refused(
    client: Client, options: dict[str, object], status: int, code: str
) -> None:
    response = client.post(PATH, **options)
    assert (response.status_code, error_of(response)["code"]) == (status, code)


def test_a_neighbour_that_is_no_image_is_named(client: Client) -> None:
    files = [*_files("cat", "dog"), ("file", ("b.png", b"hello"))]
    assert str(error_of(client.post(PATH, files=files))["message"]).startswith("file 3 (b.png): ")
    alone = error_of(client.post(PATH, files=[("file", ("b.png", b"hello"))]))
    assert str(alone["message"]).startswith("not an image")


def test_a_view_that_takes_too_long_is_504(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(view_module, "view_batch_norm", lambda *_: release.wait(10))
    response = client.get(PATH, headers={"X-Request-Timeout": "0.2"})
    release.set()
    assert (response.status_code, error_of(response)["code"]) == (504, "deadline_exceeded")


def test_beyond_the_bound_on_requests_it_is_429(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ThreadPools, "is_full", True)
        response = client.get(PATH)
    assert (response.status_code, error_of(response)["code"]) == (429, "overloaded")
