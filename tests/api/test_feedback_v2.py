"""Corrections of predictions by the Open Inference Protocol."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from app.main import create_app
from app.settings import Settings
from tests.support.feedback import entries_of, with_feedback
from tests.support.inference_v2 import MODEL, asking, in_base64, outputs
from tests.support.service import Client, png_of, running

PNG = png_of(Image.new("RGB", (40, 30), (200, 30, 30)))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "feedback.db"


@pytest.fixture
def client(settings: Settings, file: Path) -> Iterator[Client]:
    with running(create_app(with_feedback(settings, file))) as client:
        yield client


@pytest.mark.parametrize("path", ["/infer", "/versions/1/infer"])
def test_each_image_of_a_request_of_the_open_inference_protocol_can_be_corrected(
    client: Client, file: Path, path: str
) -> None:
    answer = client.post(f"{MODEL}{path}", json=in_base64([PNG, PNG]))
    assert answer.status_code == 200, answer.text
    labels, probabilities = (outputs(answer.json())[name] for name in ("label", "probabilities"))
    request_id = answer.headers["X-Request-ID"]
    told = [
        client.post("/feedback", json={"request_id": request_id, "item": item, "label": "dog"}).json()
        for item in range(3)
    ]
    assert [each["prediction"] and each["prediction"]["label"] for each in told] == [*labels, None]
    assert told[0]["prediction"]["model"] == {"name": "lenet-test", "version": "1"}
    assert told[0]["prediction"]["probability"] == pytest.approx(max(probabilities[:10]), rel=1e-6)
    assert [(entry.request_id, entry.item) for entry in entries_of(file)] == [
        (request_id, item) for item in range(3)
    ]


def test_pixels_of_the_open_inference_protocol_can_be_corrected_by_an_id_of_the_clients_own(
    client: Client,
) -> None:
    pixels = asking("images", "UINT8", [1, 3, 32, 32], [7] * 3 * 32 * 32)
    answer = client.post(f"{MODEL}/infer", json=pixels, headers={"X-Request-ID": "mine"})
    assert answer.status_code == 200, answer.text
    told = client.post("/feedback", json={"request_id": "mine", "label": "dog"}).json()
    assert [told["prediction"]["label"]] == outputs(answer.json())["label"]
