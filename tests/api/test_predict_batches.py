"""POST /predict of many images and by many clients: batches, threads and what waits."""

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from PIL import Image

from app.inference import preparation
from models.preprocessing.decode import Decoded, decode_picture
from models.preprocessing.picture import Picture
from models.preprocessing.stopping import Stop
from tests.support.predicting import TOLERANCE, file_field, noise_image, probabilities_of
from tests.support.service import Client, png_of


def test_an_images_result_does_not_depend_on_its_batch(client: Client) -> None:
    """Alone, among others, at another place, or in another batch: the same, up to 1e-5."""
    images = [noise_image(seed) for seed in range(20)]
    alone = [probabilities_of(client, image)[0] for image in images]
    together = probabilities_of(client, *images)
    reversed_order = probabilities_of(client, *reversed(images))[::-1]
    for single, batched, moved in zip(alone, together, reversed_order, strict=True):
        assert batched == pytest.approx(single, abs=TOLERANCE)
        assert moved == pytest.approx(single, abs=TOLERANCE)


def test_many_files_are_answered_in_order_and_split_into_batches(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = client.app.state.context.model.engine
    sizes: list[int] = []
    compute = engine.predict

    def spy(images: torch.Tensor) -> torch.Tensor:
        sizes.append(len(images))
        logits: torch.Tensor = compute(images)
        return logits

    monkeypatch.setattr(engine, "predict", spy)
    files = [file_field(png_of(noise_image(seed, (32 + seed, 32))), f"{seed}.png") for seed in range(20)]
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
    for image in (noise_image(), Image.new("RGB", (2000, 1000)), noise_image(size=(80, 80))):
        assert client.post("/predict", files=[file_field(png_of(image))]).status_code == 200
    assert client.post("/predict", files=[file_field(png_of(noise_image()))] * 2).status_code == 200
    assert threads[0] != "decode"
    assert threads[1:] == ["decode-large", "decode", "decode", "decode"]


def test_requests_at_the_same_time_share_batches(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one batch is computed, the others gather: 9 requests are answered by 1 + 8."""
    engine = client.app.state.context.model.engine
    assert engine.concurrency == 1
    release, busy, sizes = threading.Event(), threading.Event(), list[int]()
    compute = engine.predict

    def slow(images: torch.Tensor) -> torch.Tensor:
        sizes.append(len(images))
        busy.set()
        release.wait(10)
        logits: torch.Tensor = compute(images)
        return logits

    contents = [png_of(noise_image(seed)) for seed in range(9)]
    alone = [
        client.post("/predict", files=[file_field(content)]).json()["predictions"] for content in contents
    ]
    monkeypatch.setattr(engine, "predict", slow)
    with ThreadPoolExecutor(9) as pool:
        answers = [pool.submit(client.post, "/predict", files=[file_field(contents[0])])]
        assert busy.wait(60)
        answers += [
            pool.submit(client.post, "/predict", files=[file_field(content)]) for content in contents[1:]
        ]
        while client.app.state.context.batcher.depth < 8:
            time.sleep(0.001)
        release.set()
        together = [answer.result().json()["predictions"] for answer in answers]
    assert sizes == [1, 8]
    for first, second in zip(alone, together, strict=True):
        assert [entry["label"] for entry in first[0]["top"]] == [entry["label"] for entry in second[0]["top"]]


def test_the_time_in_which_other_batches_of_a_request_are_computed_is_no_waiting(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty images are three batches: the time of each is `inference`, and all stages add up."""
    engine = client.app.state.context.model.engine
    compute, seconds = engine.predict, 0.2

    def slow(images: torch.Tensor) -> torch.Tensor:
        time.sleep(seconds)
        logits: torch.Tensor = compute(images)
        return logits

    monkeypatch.setattr(engine, "predict", slow)
    response = client.post("/predict", files=[file_field(png_of(noise_image()))] * 20)
    timings = response.json()["timings_ms"]
    assert timings["inference"] >= 3 * seconds * 1000
    told = dict(re.findall(r"(\w+);dur=([0-9.]+)", response.headers["server-timing"]))
    for stage in ("receive", "decode", "preprocess", "queue", "inference"):
        assert float(told[stage]) == timings[stage]
    assert sum(timings.values()) - timings["total"] <= timings["total"] + 0.003  # each is rounded
