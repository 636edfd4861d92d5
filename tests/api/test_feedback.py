"""Corrections over HTTP: kept, bounded, deleted, and never in the way of predictions."""

import base64
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from app.errors import StartError
from app.feedback import store as store_module
from app.main import check, create_app
from app.settings import Settings
from models.feedback import database as database_module
from models.feedback.database import FeedbackDatabase
from tests.support.feedback import entries_of, with_feedback
from tests.support.service import Client, error_of, png_of, running

PNG = png_of(Image.new("RGB", (40, 30), (200, 30, 30)))
KEY = "0123456789abcdef"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "feedback.db"


@pytest.fixture
def feedback_settings(settings: Settings, file: Path) -> Settings:
    return with_feedback(settings, file)


@pytest.fixture
def client(feedback_settings: Settings) -> Iterator[Client]:
    with running(create_app(feedback_settings)) as client:
        yield client


def _predict(client: Client, files: int = 1) -> tuple[str, list[str]]:
    """The id of a request, and the class of each image."""
    answer = client.post("/predict", files=[("file", ("a.png", PNG))] * files)
    assert answer.status_code == 200
    labels = [prediction["top"][0]["label"] for prediction in answer.json()["predictions"]]
    return answer.headers["X-Request-ID"], labels


def test_a_correction_is_kept_with_the_prediction_and_the_image(client: Client, file: Path) -> None:
    assert client.get("/feedback").json() == {"enabled": True, "images": True, "days": 90}
    request_id, [label] = _predict(client)
    image = base64.b64encode(PNG).decode()
    answer = client.post("/feedback", json={"request_id": request_id, "label": "dog", "image": image})
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert told["prediction"]["model"] == {"name": "lenet-test", "version": "1"}
    assert told["prediction"]["label"] == label
    assert (told["image_bytes"], told["days"]) == (len(PNG), 90)
    [entry] = entries_of(file)
    assert (entry.id, entry.request_id, entry.item, entry.label) == (told["id"], request_id, 0, "dog")
    assert entry.prediction is not None
    assert entry.prediction.label == label
    assert entry.prediction.probability == told["prediction"]["probability"]
    database = FeedbackDatabase(f"sqlite:///{file}")
    assert database.image(entry.id) == PNG
    database.close()


def test_each_image_of_a_request_can_be_corrected(client: Client, file: Path) -> None:
    request_id, labels = _predict(client, files=2)
    answers = [
        client.post("/feedback", json={"request_id": request_id, "item": item, "label": "dog"}).json()
        for item in range(3)
    ]
    assert [answer["prediction"] and answer["prediction"]["label"] for answer in answers] == [*labels, None]
    assert [entry.item for entry in entries_of(file)] == [0, 1, 2]


def test_a_prediction_of_another_process_is_known_soon(
    settings: Settings, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "SHARE_SECONDS", 0.01)
    other = create_app(with_feedback(settings, file))
    with running(create_app(with_feedback(settings, file))) as one, running(other) as two:
        request_id, [label] = _predict(one)
        deadline = time.monotonic() + 60
        while True:
            told = two.post("/feedback", json={"request_id": request_id, "label": "dog"})
            if told.status_code == 429 or told.json()["prediction"] or time.monotonic() > deadline:
                break
        assert told.json()["prediction"]["label"] == label


def test_a_prediction_is_known_after_a_restart(feedback_settings: Settings) -> None:
    with running(create_app(feedback_settings)) as client:
        request_id, [label] = _predict(client)
    with running(create_app(feedback_settings)) as client:
        told = client.post("/feedback", json={"request_id": request_id, "label": "dog"}).json()
    assert told["prediction"]["label"] == label


def test_of_an_unknown_request_the_correction_alone_is_kept(client: Client, file: Path) -> None:
    answer = client.post("/feedback", json={"request_id": "never-seen", "label": "dog"})
    assert answer.status_code == 201
    assert answer.json()["prediction"] is None
    assert [entry.prediction for entry in entries_of(file)] == [None]


def test_a_correction_can_be_deleted_by_its_id(client: Client, file: Path) -> None:
    known = client.post("/feedback", json={"request_id": "a", "label": "dog"}).json()["id"]
    answer = client.request("DELETE", f"/feedback/{known}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert entries_of(file) == []
    again = client.request("DELETE", f"/feedback/{known}")
    assert again.status_code == 404
    assert error_of(again)["code"] == "unknown_feedback"
    assert client.request("DELETE", "/feedback/other").status_code == 422


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"label": "dog"}, 422, "invalid_parameter", "request_id"),
        ({"request_id": "a"}, 422, "invalid_parameter", "label"),
        ({"request_id": "a", "label": "unicorn"}, 422, "invalid_parameter", "label"),
        ({"request_id": "a b", "label": "dog"}, 422, "invalid_parameter", "request_id"),
        ({"request_id": "a", "label": "dog", "item": -1}, 422, "invalid_parameter", "item"),
        ({"request_id": "a", "label": "dog", "item": "0"}, 422, "invalid_parameter", "item"),
        ({"request_id": "a", "label": "dog", "more": 1}, 422, "unknown_parameter", "more"),
        ({"request_id": "a", "label": "dog", "image": "?"}, 400, "malformed_base64", "image"),
        ({"request_id": "a", "label": "dog", "image": ""}, 400, "empty_file", "image"),
        ({"request_id": "a", "label": "dog", "image": "aGVsbG8="}, 415, "unsupported_image", "image"),
        ([1] * 1000, 400, "malformed_json", None),
    ],
)
def test_what_is_wrong_is_named(
    client: Client, file: Path, body: object, status: int, code: str, field: str | None
) -> None:
    answer = client.post("/feedback", json=body)
    assert answer.status_code == status, answer.text
    error = error_of(answer)
    assert (error["code"], error["field"]) == (code, field)
    assert entries_of(file) == []


def test_what_another_site_may_send_unasked_is_not_taken(client: Client) -> None:
    body = b'{"request_id": "a", "label": "dog"}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = client.post("/feedback", content=body, headers={"Content-Type": kind})
        assert (answer.status_code, error_of(answer)["field"]) == (415, "Content-Type")


def test_without_the_setting_nothing_is_kept(settings: Settings) -> None:
    with running(create_app(settings)) as client:
        assert client.get("/feedback").json() == {"enabled": False, "images": False, "days": 90}
        answer = client.post("/feedback", json={"request_id": "a", "label": "dog"})
        assert (answer.status_code, error_of(answer)["code"]) == (403, "feedback_off")
        answer = client.request("DELETE", "/feedback/" + "0" * 32)
        assert (answer.status_code, error_of(answer)["code"]) == (403, "feedback_off")


def test_without_the_setting_no_image_is_kept(settings: Settings, file: Path) -> None:
    with running(create_app(with_feedback(settings, file, feedback_images=False))) as client:
        assert client.get("/feedback").json() == {"enabled": True, "images": False, "days": 90}
        image = base64.b64encode(PNG).decode()
        answer = client.post("/feedback", json={"request_id": "a", "label": "dog", "image": image})
        assert (answer.status_code, error_of(answer)["code"]) == (403, "feedback_images_off")
    assert entries_of(file) == []


def test_keys_apply(settings: Settings, file: Path) -> None:
    with running(create_app(with_feedback(settings, file, api_keys=KEY))) as client:
        body = {"request_id": "a", "label": "dog"}
        assert client.post("/feedback", json=body).status_code == 401
        assert client.get("/feedback").status_code == 401
        assert client.request("DELETE", "/feedback/" + "0" * 32).status_code == 401
        assert client.post("/feedback", json=body, headers={"X-API-Key": KEY}).status_code == 201


def test_a_client_may_send_so_many(settings: Settings, file: Path) -> None:
    with running(create_app(with_feedback(settings, file, feedback_rate_limit="2/hour"))) as client:
        body = {"request_id": "a", "label": "dog"}
        answers = [client.post("/feedback", json=body) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [201, 201, 429]
        assert error_of(answers[2])["code"] == "rate_limited"
        assert 0 < int(answers[2].headers["Retry-After"]) <= 3600
        _predict(client)
    assert len(entries_of(file)) == 2


def test_no_more_is_kept_than_may_be(settings: Settings, file: Path) -> None:
    with running(create_app(with_feedback(settings, file, max_feedback=1))) as client:
        body = {"request_id": "a", "label": "dog"}
        assert client.post("/feedback", json=body).status_code == 201
        answer = client.post("/feedback", json=body)
        assert (answer.status_code, error_of(answer)["code"]) == (507, "feedback_full")


def test_no_more_images_are_kept_than_may_be(settings: Settings, file: Path) -> None:
    with running(create_app(with_feedback(settings, file, max_feedback_bytes=len(PNG)))) as client:
        body = {"request_id": "a", "label": "dog", "image": base64.b64encode(PNG).decode()}
        answers = [client.post("/feedback", json=body) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 507]


def test_what_is_too_old_is_deleted_while_serving(
    settings: Settings, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "PRUNE_SECONDS", 0.01)
    monkeypatch.setattr(store_module, "SHARE_SECONDS", 0.01)
    with running(create_app(with_feedback(settings, file, feedback_days=1))) as client:
        client.post("/feedback", json={"request_id": "old", "label": "dog"})
        client.post("/feedback", json={"request_id": "young", "label": "dog"})
        other = sqlite3.connect(file)
        with other:
            other.execute("UPDATE corrections SET created = created - 86401 WHERE request_id = 'old'")
        other.close()
        deadline = time.monotonic() + 60
        while len(entries_of(file)) == 2 and time.monotonic() < deadline:
            time.sleep(0.02)
    assert [entry.request_id for entry in entries_of(file)] == ["young"]


def test_a_locked_database_is_one_error_and_harms_no_prediction(
    settings: Settings, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "WAIT_SECONDS", 0.1)
    with running(create_app(with_feedback(settings, file))) as client:
        assert client.post("/feedback", json={"request_id": "a", "label": "dog"}).status_code == 201
        other = sqlite3.connect(file, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        _predict(client)
        answer = client.post("/feedback", json={"request_id": "b", "label": "dog"})
        assert (answer.status_code, error_of(answer)["code"]) == (503, "feedback_unavailable")
        assert answer.headers["Retry-After"] == "5"
        _predict(client)
        other.execute("ROLLBACK")
        other.close()
        assert client.post("/feedback", json={"request_id": "c", "label": "dog"}).status_code == 201
    assert [entry.request_id for entry in entries_of(file)] == ["a", "c"]


def test_a_deadline_is_kept_while_the_database_waits(client: Client, file: Path) -> None:
    known = client.post("/feedback", json={"request_id": "a", "label": "dog"}).json()["id"]
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    headers = {"X-Request-Timeout": "0.2"}
    body = {"request_id": "b", "label": "dog"}
    for answer in (
        client.request("DELETE", f"/feedback/{known}", headers=headers),
        client.post("/feedback", json=body, headers=headers),
    ):
        assert (answer.status_code, error_of(answer)["code"]) == (504, "deadline_exceeded")
        assert "the feedback database" in str(error_of(answer)["message"])
    other.execute("ROLLBACK")
    other.close()


def test_a_database_that_cannot_be_opened_harms_no_prediction(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "missing" / "feedback.db"
    with running(create_app(with_feedback(settings, file))) as client:
        _predict(client)
        answer = client.post("/feedback", json={"request_id": "a", "label": "dog"})
        assert (answer.status_code, error_of(answer)["code"]) == (503, "feedback_unavailable")
        file.parent.mkdir()
        answer = client.post("/feedback", json={"request_id": "a", "label": "dog"})
        assert answer.status_code == 201


def test_a_wrong_address_is_found_at_the_start(settings: Settings, file: Path) -> None:
    with pytest.raises(StartError, match="RESNET_SERVE_FEEDBACK_DATABASE: must be such as sqlite:///"):
        create_app(with_feedback(settings, file, feedback_database="mysql://user:secret@host/database"))


@pytest.mark.parametrize("start", [create_app, check])
def test_without_the_extra_the_start_says_how_to_get_it(
    feedback_settings: Settings, monkeypatch: pytest.MonkeyPatch, start: Callable[[Settings], object]
) -> None:
    monkeypatch.setitem(sys.modules, "models.feedback.database", None)
    told = (
        r"^RESNET_SERVE_FEEDBACK=true needs the extra `feedback`: pip install '\.\[feedback\]' in the"
        r" project's folder, or build the image with EXTRAS=serve,feedback \(.*\)$"
    )
    with pytest.raises(StartError, match=told):
        start(feedback_settings)
