"""POST /predict, with a small model whose answers are compared with the network's own."""

import base64
import gzip
import io
import json
import re
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from app.inference import preparation
from app.main import create_app
from app.routes import predict
from app.settings import Settings
from models.artifact.store import load_artifact
from models.engines import Floats, Images
from models.preprocessing.decode import Decoded, decode_picture
from models.preprocessing.picture import Picture
from models.preprocessing.stopping import Stop
from models.preprocessing.transform import Preprocessing
from tests.support.artifacts import CLASSES
from tests.support.service import Client, chunks, error_of, png_of, running

TOLERANCE = 1e-5
"""Of a probability: libraries may add up a batch of another size in another order."""


def _image(seed: int = 0, size: tuple[int, int] = (32, 32)) -> Image.Image:
    width, height = size
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def _file(content: bytes, name: str = "image.png") -> tuple[str, tuple[str, bytes]]:
    return ("file", (name, content))


def _probabilities(client: Client, *images: Image.Image) -> list[dict[str, float]]:
    response = client.post("/predict?top_k=10", files=[_file(png_of(image)) for image in images])
    assert response.status_code == 200, response.text
    return [
        {entry["label"]: entry["probability"] for entry in prediction["top"]}
        for prediction in response.json()["predictions"]
    ]


def _expected(client: Client, image: Image.Image) -> dict[str, float]:
    """As evaluation computes it: the artifact, its preprocessing and the network, with no service around."""
    artifact = load_artifact(client.app.state.context.settings.model_dir)
    with torch.inference_mode():
        logits = artifact.model(Preprocessing.from_metadata(artifact.metadata)(image).unsqueeze(0))
        probabilities = torch.softmax(logits / artifact.metadata.temperature, dim=1)[0]
    return dict(zip(CLASSES, probabilities.tolist(), strict=True))


def test_answer_has_exactly_this_shape(client: Client) -> None:
    response = client.post("/predict", files=[_file(png_of(_image(size=(40, 30))), "photo.png")])
    assert response.status_code == 200
    body = response.json()
    assert predict.PredictResponse.model_validate(body).model_dump() == body
    assert set(body) == {"model", "predictions", "timings_ms"}
    assert body["model"] == {"name": "lenet-test", "version": "1"}
    (prediction,) = body["predictions"]
    assert set(prediction) == {"filename", "width", "height", "top", "familiar", "unfamiliarity"}
    assert (prediction["filename"], prediction["width"], prediction["height"]) == ("photo.png", 40, 30)
    assert [set(entry) for entry in prediction["top"]] == [{"label", "probability"}] * 5
    timings = body["timings_ms"]
    stages = ("receive", "decode", "preprocess", "queue", "inference")
    assert set(timings) == {*stages, "total"}
    assert all(value > 0 for value in timings.values())
    assert sum(timings[stage] for stage in stages) <= timings["total"] + 0.003  # each is rounded


def test_probabilities_are_the_networks_own_divided_by_the_temperature(client: Client) -> None:
    image = _image()
    assert _probabilities(client, image)[0] == pytest.approx(_expected(client, image), abs=TOLERANCE)


def test_classes_come_most_probable_first_and_sum_to_one(client: Client) -> None:
    (probabilities,) = _probabilities(client, _image())
    values = list(probabilities.values())
    assert values == sorted(values, reverse=True)
    assert sum(values) == pytest.approx(1, abs=1e-5)
    assert set(probabilities) == set(CLASSES)


def test_no_skew_between_evaluation_and_service(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 32x32 PNG reaches the engine, as in evaluation, as exactly its pixels; the engine normalises them."""
    service = client.app.state.context
    seen: list[Images] = []
    compute = service.model.engine.predict

    def spy(images: Images) -> Floats:
        seen.append(images)
        logits: Floats = compute(images)
        return logits

    monkeypatch.setattr(service.model.engine, "predict", spy)
    image = _image()
    _probabilities(client, image)
    assert seen[0].dtype == np.uint8
    assert np.array_equal(seen[0], np.array(image).transpose(2, 0, 1)[None])


def test_raw_body_gives_what_multipart_gives(client: Client) -> None:
    content = png_of(_image())
    raw = client.post("/predict", content=content, headers={"Content-Type": "image/png"}).json()
    form = client.post("/predict", files=[_file(content)]).json()
    assert raw["predictions"][0]["filename"] is None
    assert raw["predictions"][0]["top"] == form["predictions"][0]["top"]


@pytest.mark.parametrize(
    "content_type", [None, "application/octet-stream", "application/x-www-form-urlencoded"]
)
def test_a_body_whose_type_says_nothing_is_an_image(client: Client, content_type: str | None) -> None:
    """The last is what `curl --data-binary @photo.png` sends."""
    headers = {} if content_type is None else {"Content-Type": content_type}
    sent = client.post("/predict", content=png_of(_image()), headers=headers).json()
    assert sent["predictions"][0]["top"] == _tops(client, _image())


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,", "DATA:;BASE64,"])
@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded"])
def test_an_image_in_json_is_base64_or_a_data_url(client: Client, prefix: str, content_type: str) -> None:
    text = prefix + base64.b64encode(png_of(_image())).decode()
    body = json.dumps({"image": text}).encode()
    sent = client.post("/predict", content=body, headers={"Content-Type": content_type}).json()
    assert sent["predictions"][0]["top"] == _tops(client, _image())


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_body_is_what_is_in_it(client: Client, encoding: str) -> None:
    content = png_of(_image())
    packed = gzip.compress(content) if encoding == "gzip" else zlib.compress(content)
    headers = {"Content-Type": "image/png", "Content-Encoding": encoding}
    sent = client.post("/predict", content=packed, headers=headers).json()
    assert sent["predictions"][0]["top"] == _tops(client, _image())


def _tops(client: Client, image: Image.Image) -> object:
    return client.post("/predict", files=[_file(png_of(image))]).json()["predictions"][0]["top"]


def test_content_decides_over_the_stated_image_type(client: Client) -> None:
    response = client.post("/predict", content=png_of(_image()), headers={"Content-Type": "image/jpeg; q=1"})
    assert response.status_code == 200


def test_an_images_result_does_not_depend_on_its_batch(client: Client) -> None:
    """Alone, among others, at another place, or in another batch: the same, up to 1e-5."""
    images = [_image(seed) for seed in range(20)]
    alone = [_probabilities(client, image)[0] for image in images]
    together = _probabilities(client, *images)
    reversed_order = _probabilities(client, *reversed(images))[::-1]
    for single, batched, moved in zip(alone, together, reversed_order, strict=True):
        assert batched == pytest.approx(single, abs=TOLERANCE)
        assert moved == pytest.approx(single, abs=TOLERANCE)


def test_many_files_are_answered_in_order_and_split_into_batches(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = client.app.state.context.model.engine
    sizes: list[int] = []
    compute = engine.predict

    def spy(images: Images) -> Floats:
        sizes.append(len(images))
        logits: Floats = compute(images)
        return logits

    monkeypatch.setattr(engine, "predict", spy)
    files = [_file(png_of(_image(seed, (32 + seed, 32))), f"{seed}.png") for seed in range(20)]
    predictions = client.post("/predict", files=files).json()["predictions"]
    assert [prediction["filename"] for prediction in predictions] == [f"{seed}.png" for seed in range(20)]
    assert [prediction["width"] for prediction in predictions] == [32 + seed for seed in range(20)]
    assert sizes == [8, 8, 4]


def test_a_lone_small_image_is_decoded_at_once_and_all_others_off_the_event_loop(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By bytes and by pixels: an image of one colour has few bytes however large it is."""
    threads: list[str] = []

    def spy(picture: Picture, shortest_side: int, stop: Stop) -> Decoded:
        threads.append(threading.current_thread().name.partition("_")[0])
        return decode_picture(picture, shortest_side, stop)

    monkeypatch.setattr(preparation, "decode_picture", spy)
    for image in (_image(), Image.new("RGB", (2000, 1000)), _image(size=(80, 80))):
        assert client.post("/predict", files=[_file(png_of(image))]).status_code == 200
    assert client.post("/predict", files=[_file(png_of(_image()))] * 2).status_code == 200
    assert threads[0] != "decode"
    assert threads[1:] == ["decode-large", "decode", "decode", "decode"]


def test_requests_at_the_same_time_share_batches(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one batch is computed, the others gather: 9 requests are answered by 1 + 8."""
    engine = client.app.state.context.model.engine
    assert engine.concurrency == 1
    release, busy, sizes = threading.Event(), threading.Event(), list[int]()
    compute = engine.predict

    def slow(images: Images) -> Floats:
        sizes.append(len(images))
        busy.set()
        release.wait(10)
        logits: Floats = compute(images)
        return logits

    contents = [png_of(_image(seed)) for seed in range(9)]
    alone = [client.post("/predict", files=[_file(content)]).json()["predictions"] for content in contents]
    monkeypatch.setattr(engine, "predict", slow)
    with ThreadPoolExecutor(9) as pool:
        answers = [pool.submit(client.post, "/predict", files=[_file(contents[0])])]
        assert busy.wait(10)
        answers += [pool.submit(client.post, "/predict", files=[_file(content)]) for content in contents[1:]]
        while client.app.state.context.batcher.depth < 8:
            time.sleep(0.001)
        release.set()
        together = [answer.result().json()["predictions"] for answer in answers]
    assert sizes == [1, 8]
    for first, second in zip(alone, together, strict=True):
        assert [entry["label"] for entry in first[0]["top"]] == [entry["label"] for entry in second[0]["top"]]


def test_width_and_height_are_those_of_the_upright_image(client: Client) -> None:
    image = _image(size=(60, 20))
    exif = Image.Exif()
    exif[0x0112] = 6
    content = png_of(image)
    rotated = client.post("/predict", files=[_file(_png_with(image, exif)), _file(content)]).json()
    first, second = rotated["predictions"]
    assert (first["width"], first["height"]) == (20, 60)
    assert (second["width"], second["height"]) == (60, 20)


def _png_with(image: Image.Image, exif: Image.Exif) -> bytes:
    turned = image.copy()
    turned.info.clear()
    buffer = io.BytesIO()
    turned.save(buffer, "PNG", exif=exif)
    return buffer.getvalue()


def test_exif_rotation_changes_nothing_but_the_way_it_is_stored(client: Client) -> None:
    upright = _image(size=(40, 32))
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = _png_with(upright.transpose(Image.Transpose.ROTATE_90), exif)
    response = client.post("/predict?top_k=10", files=[_file(stored), _file(png_of(upright))])
    first, second = response.json()["predictions"]
    assert first["top"] == second["top"]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
def test_other_colour_modes_are_accepted(client: Client, mode: str) -> None:
    response = client.post("/predict", files=[_file(png_of(_image().convert(mode)))])
    assert response.status_code == 200


def test_filename_in_any_script_comes_back(client: Client) -> None:
    response = client.post("/predict", files=[_file(png_of(_image()), "Größe 猫.png")])
    assert response.json()["predictions"][0]["filename"] == "Größe 猫.png"


def test_body_of_unknown_length_is_accepted(client: Client) -> None:
    content = chunks(png_of(_image()), 100)
    response = client.post("/predict", content=content, headers={"Content-Type": "image/png"})
    assert response.status_code == 200


@pytest.mark.parametrize("top_k", [1, 3, 10])
def test_top_k_is_the_number_of_classes_answered(client: Client, top_k: int) -> None:
    response = client.post(f"/predict?top_k={top_k}", files=[_file(png_of(_image()))])
    assert len(response.json()["predictions"][0]["top"]) == top_k


@pytest.mark.parametrize("top_k", ["0", "-1", "11", "many", "1.5", ""])
def test_top_k_out_of_range_is_422_and_names_it(client: Client, top_k: str) -> None:
    response = client.post(f"/predict?top_k={top_k}", files=[_file(png_of(_image()))])
    assert response.status_code == 422
    error = error_of(response)
    assert (error["code"], error["field"]) == ("invalid_parameter", "top_k")


def test_unknown_query_parameter_is_422_and_names_it(client: Client) -> None:
    response = client.post("/predict?topk=3", files=[_file(png_of(_image()))])
    assert response.status_code == 422
    assert error_of(response) == {
        "code": "unknown_parameter",
        "message": "topk: there is no such parameter",
        "field": "topk",
    }


def test_answer_is_strict_json(client: Client) -> None:
    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is no JSON")

    text = client.post("/predict", files=[_file(png_of(_image()))]).text
    json.loads(text, parse_constant=refuse)


def test_the_time_in_which_other_batches_of_a_request_are_computed_is_no_waiting(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty images are three batches: the time of each is `inference`, and all stages add up."""
    engine = client.app.state.context.model.engine
    compute, seconds = engine.predict, 0.2

    def slow(images: Images) -> Floats:
        time.sleep(seconds)
        logits: Floats = compute(images)
        return logits

    monkeypatch.setattr(engine, "predict", slow)
    response = client.post("/predict", files=[_file(png_of(_image()))] * 20)
    timings = response.json()["timings_ms"]
    assert timings["inference"] >= 3 * seconds * 1000
    told = dict(re.findall(r"(\w+);dur=([0-9.]+)", response.headers["server-timing"]))
    for stage in ("receive", "decode", "preprocess", "queue", "inference"):
        assert float(told[stage]) == timings[stage]
    assert sum(timings.values()) - timings["total"] <= timings["total"] + 0.003  # each is rounded


def test_a_response_has_a_limit_too(model_dir: Path) -> None:
    """Known before anything is computed: ten classes of a file take many times the bytes of one."""
    settings = Settings(model_dir=model_dir, device="cpu", max_body_bytes=4_000)
    with running(create_app(settings)) as small:
        files = [_file(png_of(Image.new("RGB", (4, 4))))] * 6
        rejected = small.post("/predict?top_k=10", files=files)
        error = error_of(rejected)
        assert (rejected.status_code, error["code"], error["field"]) == (413, "response_too_large", "top_k")
        assert small.post("/predict?top_k=1", files=files).status_code == 200
