"""The client's corrections against the real server: kept, bounded, deleted."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.client import AsyncClient, Client, ServiceError
from tests.support.feedback import entries_of
from tests.support.server_process import ROOT, running

CAT = ROOT / "app" / "static" / "samples" / "cat.png"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("feedback") / "feedback.db"


@pytest.fixture(scope="module")
def address(model_dir: Path, file: Path) -> Iterator[str]:
    settings = {
        "RESNET_SERVE_FEEDBACK": "true",
        "RESNET_SERVE_FEEDBACK_IMAGES": "true",
        "RESNET_SERVE_FEEDBACK_DATABASE": f"sqlite:///{file}",
    }
    with running(model_dir, settings) as (_, address, _):
        yield address


def test_a_correction_is_kept_with_prediction_and_image_until_it_is_deleted(address: str, file: Path) -> None:
    with Client(address) as client:
        answer = client.predict(CAT, str(CAT), request_id="mine")
        assert answer.request_id == "mine"
        kept = client.correct("mine", "dog", item=1, image=str(CAT))
        top = answer.predictions[1].top[0]
        assert kept.prediction is not None
        told = kept.prediction
        assert (told.model, told.version, told.label) == (answer.model, answer.version, top.label)
        assert told.probability == pytest.approx(top.probability)
        assert (kept.image_bytes, kept.days) == (CAT.stat().st_size, 90)
        (entry,) = entries_of(file)
        assert (entry.id, entry.request_id, entry.item, entry.label) == (kept.id, "mine", 1, "dog")
        client.delete_correction(kept.id)
        assert entries_of(file) == []
        with pytest.raises(ServiceError, match="there is no correction") as caught:
            client.delete_correction(kept.id)
        assert (caught.value.status, caught.value.code) == (404, "unknown_feedback")


def test_the_asynchronous_client_does_the_same(address: str, file: Path) -> None:
    async def run() -> None:
        async with AsyncClient(address) as client:
            answer = await client.predict(CAT)
            kept = await client.correct(answer.request_id, "dog", image=CAT.read_bytes())
            assert kept.prediction is not None
            assert (kept.prediction.model, kept.image_bytes) == ("lenet-test", CAT.stat().st_size)
            assert [entry.id for entry in entries_of(file)] == [kept.id]
            await client.delete_correction(kept.id)
            with pytest.raises(ServiceError, match="there is no class 'zebra'") as caught:
                await client.correct(answer.request_id, "zebra")
            assert (caught.value.status, caught.value.field) == (422, "label")

    asyncio.run(run())
    assert entries_of(file) == []
