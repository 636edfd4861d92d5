"""Under load, batches side by side on a network compiled for that: it comes later, and answers the same."""

from time import sleep

import pytest

from app.main import create_app
from app.settings import Settings
from tests.support.predicting import TOLERANCE, noise_image, probabilities_of
from tests.support.service import Client, running

PATIENCE_SECONDS = 60
IMAGES = [noise_image(seed) for seed in range(32)]


def _concurrency(client: Client) -> int:
    return int(client.get("/models/lenet-test").json()["engine"]["concurrency"])


def test_batches_side_by_side_give_the_same_answers(settings: Settings, client: Client) -> None:
    expected = probabilities_of(client, *IMAGES)
    with running(create_app(settings.model_copy(update={"throughput_network": True}))) as prepared:
        for _ in range(10 * PATIENCE_SECONDS):
            if _concurrency(prepared) > 1:
                break
            sleep(0.1)
        assert _concurrency(prepared) == 2
        found = probabilities_of(prepared, *IMAGES)
        alone = probabilities_of(prepared, IMAGES[0])
    for one, other in zip([*expected, expected[0]], [*found, *alone], strict=True):
        assert one == pytest.approx(other, abs=TOLERANCE)


def test_without_it_one_batch_is_computed_at_a_time(client: Client) -> None:
    assert _concurrency(client) == 1
