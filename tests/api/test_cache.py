"""CACHE_FILES: the same file is answered at once, by the same model, and says so."""

import base64
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from app.inference import classification
from app.inference.preparation import INLINE_BYTES
from app.main import create_app
from app.settings import Settings
from tests.support.artifacts import save_small_artifact
from tests.support.exposition import samples
from tests.support.service import Client, error_of, png_of, running

RED, GREEN, BLUE, GREY = (
    png_of(Image.new("RGB", (40, 30), color)) for color in ("red", "green", "blue", "grey")
)
RAW = {"Content-Type": "image/png"}


@pytest.fixture
def cached(tmp_path: Path) -> Iterator[Client]:
    save_small_artifact(tmp_path / "lenet-test" / "1")
    settings = Settings(
        model_repository=tmp_path,
        management=True,
        engine="torch",
        device="cpu",
        engine_threads=1,
        max_batch=2,
        cache_files=3,
    )
    with running(create_app(settings)) as client:
        yield client


def _batches(client: Client) -> float:
    return samples(client.get("/metrics").text)["resnet_serve_batch_size_count"]


def test_the_same_file_gets_the_same_answer_without_being_computed(cached: Client) -> None:
    first = cached.post("/predict", content=RED, headers=RAW)
    assert first.headers["cache-status"] == "resnet-serve; fwd=miss"
    computed = _batches(cached)
    again = cached.post("/predict?top_k=2", files={"file": ("other-name.png", RED)})
    assert again.headers["cache-status"] == "resnet-serve; hit"
    assert _batches(cached) == computed
    (before,), (after,) = first.json()["predictions"], again.json()["predictions"]
    assert (after["width"], after["height"], after["filename"]) == (40, 30, "other-name.png")
    assert after["top"] == before["top"][:2]
    assert again.json()["timings_ms"]["inference"] == again.json()["timings_ms"]["decode"] == 0


def test_of_several_files_only_the_unknown_are_computed(cached: Client) -> None:
    alone = [
        cached.post("/predict", content=image, headers=RAW).json()["predictions"][0]["top"]
        for image in (RED, GREEN)
    ]
    computed = _batches(cached)
    mixed = cached.post("/predict", files=[("file", ("a", image)) for image in (GREEN, BLUE, RED)])
    assert mixed.headers["cache-status"] == "resnet-serve; fwd=partial"
    assert _batches(cached) == computed + 1
    tops = [prediction["top"] for prediction in mixed.json()["predictions"]]
    assert [tops[2], tops[0]] == alone
    blue = cached.post("/predict", content=BLUE, headers=RAW)
    assert blue.headers["cache-status"] == "resnet-serve; hit"
    assert blue.json()["predictions"][0]["top"] == tops[1]


def test_a_large_file_is_found_again_too(cached: Client) -> None:
    large = RED + b" " * INLINE_BYTES
    for status in ("fwd=miss", "hit"):
        answer = cached.post("/predict", content=large, headers=RAW)
        assert answer.headers["cache-status"] == f"resnet-serve; {status}"


def test_looking_up_has_a_deadline(cached: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(classification, "digests_of", lambda _: release.wait(10))
    large = RED + b" " * INLINE_BYTES
    late = cached.post("/predict", content=large, headers={**RAW, "X-Request-Timeout": "0.2"})
    release.set()
    assert late.status_code == 504
    assert "waiting for the files to be looked up" in str(error_of(late)["message"])


def test_a_refused_file_is_refused_again_by_its_number(cached: Client) -> None:
    cached.post("/predict", content=RED, headers=RAW)
    for _ in range(2):
        refused = cached.post("/predict", files=[("file", ("a", RED)), ("file", ("b", RED[:60]))])
        assert refused.status_code == 400
        assert str(error_of(refused)["message"]).startswith("file 2 (b): ")
    assert "cache-status" not in refused.headers


def test_no_more_is_kept_than_may_be(cached: Client) -> None:
    for image in (RED, GREEN, BLUE, GREY, RED):
        answer = cached.post("/predict", content=image, headers=RAW)
        assert answer.headers["cache-status"] == "resnet-serve; fwd=miss"
    read = samples(cached.get("/metrics").text)
    assert read["resnet_serve_cache_files"] == 3
    assert read["resnet_serve_cache_evictions_total"] == 2
    assert (read["resnet_serve_cache_hits_total"], read["resnet_serve_cache_misses_total"]) == (0, 5)


def test_what_is_kept_goes_with_its_model(cached: Client) -> None:
    repository = cached.app.state.context.settings.model_repository
    save_small_artifact(repository / "lenet-test" / "2", version="2")
    assert cached.post("/v2/repository/models/lenet-test/load").status_code == 200
    for version, image in (("1", RED), ("1", BLUE), ("2", RED)):
        asked = cached.post(f"/predict?version={version}", content=image, headers=RAW)
        assert asked.headers["cache-status"] == "resnet-serve; fwd=miss"
    kept = [samples(cached.get("/metrics").text)["resnet_serve_cache_files"]]
    unloaded = {"parameters": {"version": "1"}}
    assert cached.post("/v2/repository/models/lenet-test/unload", json=unloaded).status_code == 200
    kept.append(samples(cached.get("/metrics").text)["resnet_serve_cache_files"])
    assert kept == [3, 1]


def test_both_protocols_share_what_is_known(cached: Client) -> None:
    known = cached.post("/predict", content=RED, headers=RAW).json()["predictions"][0]["top"][0]
    data = [base64.b64encode(RED).decode()]
    tensor = {"name": "image_bytes", "datatype": "BYTES", "shape": [1], "data": data}
    answer = cached.post("/v2/models/lenet-test/infer", json={"inputs": [tensor]})
    assert answer.headers["cache-status"] == "resnet-serve; hit"
    outputs = {output["name"]: output["data"] for output in answer.json()["outputs"]}
    assert outputs["label"] == [known["label"]]
    assert max(outputs["probabilities"]) == pytest.approx(known["probability"])


def test_a_model_that_is_loaded_anew_answers_from_nothing_old(cached: Client) -> None:
    cached.post("/predict", content=RED, headers=RAW)
    folder = cached.app.state.context.settings.model_repository / "lenet-test"
    shutil.rmtree(folder / "1")
    save_small_artifact(folder / "1")
    assert cached.post("/v2/repository/models/lenet-test/load").status_code == 200
    answer = cached.post("/predict", content=RED, headers=RAW)
    assert answer.headers["cache-status"] == "resnet-serve; fwd=miss"


def test_without_it_nothing_is_said(client: Client) -> None:
    for _ in range(2):
        assert "cache-status" not in client.post("/predict", content=RED, headers=RAW).headers
