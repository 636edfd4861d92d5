"""The fast path to an endpoint and FastAPI's own way to it give the same responses."""

from collections.abc import Iterator

import pytest

from app import main
from app.settings import Settings
from tests.support.predicting import noise_image
from tests.support.service import Client, png_of, running

PNG = png_of(noise_image())
RAW = {"Content-Type": "image/png"}


@pytest.fixture(scope="module")
def routed(settings: Settings) -> Iterator[Client]:
    """The service without any fast path."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(main, "FAST_PATH", {})
        app = main.create_app(settings)
    with running(app) as client:
        yield client


def test_what_has_a_fast_path_is_a_documented_route() -> None:
    documented = main.create_app(Settings()).openapi()["paths"]
    for method, path in main.FAST_PATH:
        assert method.lower() in documented[path]


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/predict", {"content": PNG, "headers": RAW}),
        ("/predict", {"files": {"file": ("a.png", PNG)}}),
        ("/predict?top_k=3", {"content": PNG, "headers": RAW}),
        ("/predict?top_k=3&top_k=2", {"content": PNG, "headers": RAW}),
        ("/predict?top_k=", {"content": PNG, "headers": RAW}),
        ("/predict?top_k=0", {"content": PNG, "headers": RAW}),
        ("/predict?top_k=11", {"content": PNG, "headers": RAW}),
        ("/predict?top_k=%20x", {"content": PNG, "headers": RAW}),
        ("/predict?topk=3", {"content": PNG, "headers": RAW}),
        ("/predict?a=1&b=2&top_k=x", {"content": PNG, "headers": RAW}),
        ("/predict", {"content": PNG[:50], "headers": RAW}),
        ("/predict", {"content": b"", "headers": RAW}),
        ("/predict", {"content": PNG}),
        ("/predict", {"content": b"x" * 1_000_001, "headers": RAW}),
        ("/predict", {"files": {"image": ("a.png", PNG)}}),
        ("/predict/", {"content": PNG, "headers": RAW}),
    ],
)
def test_both_ways_answer_alike(
    client: Client, routed: Client, path: str, options: dict[str, object]
) -> None:
    direct, usual = client.post(path, **options), routed.post(path, **options)
    assert (direct.status_code, direct.headers["content-type"]) == (
        usual.status_code,
        usual.headers["content-type"],
    )
    bodies = direct.json(), usual.json()
    for body in bodies:
        body.pop("timings_ms", None)
    assert bodies[0] == bodies[1]


def test_another_method_is_still_refused(client: Client) -> None:
    assert client.get("/predict").status_code == 405
