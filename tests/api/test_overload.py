"""Too much to do, or too little time for it: what is refused, when, and in which words."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from PIL import Image

from app.inference import preparation
from app.main import create_app
from app.settings import Settings
from app.v2 import routes as inference_v2
from models.engines import Floats, Images
from models.preprocessing.decode import Decoded
from models.preprocessing.picture import Picture
from models.preprocessing.stopping import Stop
from tests.support.service import Client, error_of, png_of, running

PNG = png_of(Image.new("RGB", (32, 32), "red"))
RAW = {"Content-Type": "image/png"}


def _check(response: httpx.Response, status: int, code: str, field: str | None) -> str:
    error = error_of(response)
    assert (response.status_code, error["code"], error["field"]) == (status, code, field)
    assert error["message"]
    return str(error["message"])


def test_beyond_the_bound_on_requests_it_is_429(model_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two may be worked on; meanwhile the third is rejected at once, and the process stays ready."""
    settings = Settings(model_dir=model_dir, device="cpu", max_concurrent_requests=2)
    with running(create_app(settings)) as client:
        release, busy = _blocked(client, monkeypatch)
        answers: list[int] = []

        def post() -> None:
            answers.append(client.post("/predict", content=PNG, headers=RAW).status_code)

        first, second = threading.Thread(target=post), threading.Thread(target=post)
        first.start()
        assert busy.acquire(timeout=60)
        second.start()
        while client.app.state.context.threads.admitted < 2:
            assert second.is_alive()
        response = client.post("/predict", content=PNG, headers=RAW)
        readiness = [client.get(path) for path in ("/health/ready", "/v2/health/ready")]
        # Two requests wait: at an image in ten seconds that is twenty seconds.
        monkeypatch.setattr(client.app.state.context.batcher.throughput, "per_second", lambda: 0.1)
        slowly = client.post("/predict", content=PNG, headers=RAW)
        release.set()
        first.join()
        second.join()
        _check(response, 429, "overloaded", None)
        assert response.headers["retry-after"] == "1"
        assert slowly.headers["retry-after"] == "20"
        assert [each.status_code for each in readiness] == [200, 200]
        assert answers == [200, 200]
        assert client.post("/predict", content=PNG, headers=RAW).status_code == 200
        assert client.get("/health/ready").status_code == 200


def test_a_pause_does_not_look_like_a_slow_service(model_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(create_app(Settings(model_dir=model_dir, device="cpu"))) as client:
        for _ in range(3):
            client.post("/predict", content=PNG, headers=RAW)
        context = client.app.state.context
        rate = context.images_per_second()
        assert rate > 0
        monkeypatch.setattr(context.threads.worked, "_clock", lambda: time.monotonic() + 60)
        assert context.images_per_second() == rate
        assert context.retry_after(b"a", 1, keeps_place=True) == 1
        assert context.retry_after(b"b", 1, keeps_place=True) < 60


def test_bodies_beyond_the_memory_for_all_of_them_are_429(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is being worked on holds its body still; the next one finds no room, and is welcome afterwards."""
    settings = Settings(model_dir=model_dir, device="cpu", max_body_bytes=1000, max_bodies_bytes=1000)
    body = PNG.ljust(600, b"\0")
    with running(create_app(settings)) as client, ThreadPoolExecutor(1) as pool:
        assert client.post("/predict", content=PNG, headers=RAW).status_code == 200  # so that a rate is known
        release, busy = _blocked(client, monkeypatch)
        first = pool.submit(client.post, "/predict", content=body, headers=RAW)
        assert busy.acquire(timeout=60)
        response = client.post("/predict", content=body, headers=RAW)
        # It has not been read, and would not be recognised when it comes back.
        assert not client.app.state.context.schedule.tickets
        release.set()
        assert "1000 bytes" in _check(response, 429, "overloaded", None)
        assert response.headers["retry-after"] == "1"
        assert response.headers["connection"] == "close"
        assert first.result().status_code == 200
        assert client.post("/predict", content=body, headers=RAW).status_code == 200


def test_who_is_rejected_for_a_kept_place_is_kept_none(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(model_dir=model_dir, device="cpu", max_concurrent_requests=2)
    with running(create_app(settings)) as client, ThreadPoolExecutor(1) as pool:
        assert client.post("/predict", content=PNG, headers=RAW).status_code == 200  # so that a rate is known
        schedule = client.app.state.context.schedule
        schedule.reserve(b"who does not come", 1, 0.0, 1000.0)
        release, busy = _blocked(client, monkeypatch)
        first = pool.submit(client.post, "/predict", content=PNG, headers=RAW)
        assert busy.acquire(timeout=60)
        response = client.post("/predict", content=PNG, headers=RAW)
        release.set()
        assert first.result().status_code == 200
        assert "kept for requests" in _check(response, 429, "overloaded", None)
        assert schedule.redeem(b"who does not come")
        assert not schedule.is_expecting()


def _blocked(client: Client, monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Semaphore]:
    """Let every batch wait for the event; the semaphore counts the batches that do."""
    engine = client.app.state.context.model.engine
    predict, release, busy = engine.predict, threading.Event(), threading.Semaphore(0)

    def slow(images: Images) -> Floats:
        busy.release()
        release.wait(10)
        logits: Floats = predict(images)
        return logits

    monkeypatch.setattr(engine, "predict", slow)
    return release, busy


def test_a_result_that_takes_too_long_is_504_and_says_where_the_time_went(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(create_app(Settings(model_dir=model_dir, device="cpu", request_seconds=0.2))) as client:
        release, busy = _blocked(client, monkeypatch)
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(client.post, "/predict", content=PNG, headers=RAW)
            assert busy.acquire(timeout=60)
            second = pool.submit(client.post, "/predict", content=PNG, headers=RAW)
            assert "running in a batch" in _check(first.result(), 504, "deadline_exceeded", None)
            assert "waiting for a batch" in _check(second.result(), 504, "deadline_exceeded", None)
        release.set()
        # On a busy machine one may take longer than this service gives.
        assert any(client.post("/predict", content=PNG, headers=RAW).status_code == 200 for _ in range(20))


@pytest.mark.parametrize("asked", ["0.2", "2e-1"])
def test_a_request_may_ask_for_less_time(client: Client, monkeypatch: pytest.MonkeyPatch, asked: str) -> None:
    release, _ = _blocked(client, monkeypatch)
    response = client.post("/predict", content=PNG, headers={**RAW, "X-Request-Timeout": asked})
    release.set()
    assert "running in a batch" in _check(response, 504, "deadline_exceeded", None)
    assert client.post("/predict", content=PNG, headers=RAW).status_code == 200


def test_a_request_gets_no_more_time_than_the_service_gives(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(create_app(Settings(model_dir=model_dir, device="cpu", request_seconds=0.2))) as client:
        release, _ = _blocked(client, monkeypatch)
        response = client.post("/predict", content=PNG, headers={**RAW, "X-Request-Timeout": "3600"})
        release.set()
        _check(response, 504, "deadline_exceeded", None)


@pytest.mark.parametrize("asked", ["0", "-1", "soon", "nan", "inf", ""])
def test_a_time_that_is_none_is_422(client: Client, asked: str) -> None:
    response = client.post("/predict", content=PNG, headers={**RAW, "X-Request-Timeout": asked})
    message = _check(response, 422, "invalid_parameter", "X-Request-Timeout")
    assert f"must be a number of seconds above 0, got {asked!r}" in message


@pytest.mark.parametrize("path", ["/predict", "/augment-preview", "/v2/models/lenet-test/infer"])
def test_a_body_that_takes_too_long_is_what_the_time_went_into(client: Client, path: str) -> None:
    async def slowly() -> AsyncIterator[bytes]:
        await asyncio.sleep(0.05)
        yield PNG

    late = client.post(path, content=slowly(), headers={**RAW, "X-Request-Timeout": "0.01"})
    assert late.status_code == 504
    assert "after 0.010 s, waiting for the request's body" in late.text


def test_the_rest_of_a_body_is_waited_for_no_longer_than_the_deadline(client: Client) -> None:
    async def half() -> AsyncIterator[bytes]:
        yield PNG[:10]
        await asyncio.Event().wait()

    late = client.post("/predict", content=half(), headers={**RAW, "X-Request-Timeout": "0.01"})
    assert "waiting for the request's body" in _check(late, 504, "deadline_exceeded", None)
    assert late.headers["connection"] == "close"


def test_a_request_that_takes_too_long_to_parse_is_504(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    monkeypatch.setattr(inference_v2, "parse_request", lambda *_: release.wait(10))
    large = {"content": b" " * (preparation.INLINE_BYTES + 1), "headers": {"X-Request-Timeout": "0.2"}}
    late = client.post("/v2/models/lenet-test/infer", **large)
    release.set()
    assert late.status_code == 504
    assert "waiting for the request to be parsed" in late.json()["error"]


def test_decoding_that_takes_too_long_is_504(model_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    with running(create_app(Settings(model_dir=model_dir, device="cpu", request_seconds=0.2))) as client:
        monkeypatch.setattr(preparation, "prepare_small", lambda *_: release.wait(10))
        large = {"content": PNG + b" " * preparation.INLINE_BYTES, "headers": RAW}
        response = client.post("/predict", **large)
        release.set()
        assert "decoded" in _check(response, 504, "deadline_exceeded", None)


def test_decoding_that_nobody_waits_for_ends_and_gives_its_place_back(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def endless(_picture: Picture, _side: int, stop: Stop) -> Decoded:
        try:
            while True:
                stop.check()
        finally:
            ended.set()

    with running(create_app(Settings(model_dir=model_dir, device="cpu", request_seconds=0.2))) as client:
        monkeypatch.setattr(preparation, "decode_picture", endless)
        large = png_of(Image.new("RGB", (2000, 1000)))
        _check(client.post("/predict", content=large, headers=RAW), 504, "deadline_exceeded", None)
        assert ended.wait(60)
        while client.app.state.context.threads.admitted:
            pass


def test_more_images_than_may_ever_wait_is_413(model_dir: Path) -> None:
    settings = Settings(model_dir=model_dir, device="cpu", max_batch=2, max_queue=3)
    with running(create_app(settings)) as client:
        refused = client.post("/predict", files=[("file", ("a.png", PNG))] * 6)
        assert "3" in _check(refused, 413, "too_many_images", "file")
        assert "retry-after" not in refused.headers


def test_more_images_than_may_wait_is_429(model_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(model_dir=model_dir, device="cpu", max_batch=2, max_queue=3)
    with running(create_app(settings)) as client:
        release, busy = _blocked(client, monkeypatch)
        with ThreadPoolExecutor(1) as pool:
            running_request = pool.submit(client.post, "/predict", files=[("file", ("a.png", PNG))] * 3)
            assert busy.acquire(timeout=60)
            refused = client.post("/predict", files=[("file", ("a.png", PNG))] * 3)
            release.set()
            assert running_request.result().status_code == 200
        _check(refused, 429, "overloaded", None)
        assert refused.headers["retry-after"] == "1"
