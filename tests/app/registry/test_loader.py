"""Models are loaded beside requests without taking the threads that requests need."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from app.batching.thread_pools import EngineWatch, ThreadPools
from app.observability.metrics import ServiceMetrics
from app.registry import loader
from app.registry.loader import ModelLoader, load_entry
from app.registry.plan import Entry
from app.registry.served_model import ServedModel
from app.settings import Settings
from models.engines import EngineOptions
from tests.support.artifacts import save_small_artifact

PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_artifact(tmp_path_factory.mktemp("models") / "lenet-test" / "1")


class WatchedLoading:
    """In place of `load_entry`: notes the thread and the options, and waits until it may go on."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.may_go_on = threading.Event()
        self.thread = ""
        self.apart: bool | None = None

    def __call__(
        self, entry: Entry, settings: Settings, options: EngineOptions, is_stopping: Callable[[], bool]
    ) -> ServedModel:
        self.thread, self.apart = threading.current_thread().name, options.apart
        self.began.set()
        assert self.may_go_on.wait(PATIENCE_SECONDS)
        return load_entry(entry, settings, options, is_stopping)


def _load(folder: Path, monkeypatch: pytest.MonkeyPatch, *, beside_requests: bool) -> WatchedLoading:
    """Load the model; where requests are served beside it, work of every kind is done meanwhile."""
    loading = WatchedLoading()
    monkeypatch.setattr(loader, "load_entry", loading)

    async def scenario() -> None:
        pools = ThreadPools(decode_threads=1, inference_threads=1, max_concurrent_requests=1)
        settings = Settings(model_dir=folder, device="cpu", engine="torch")
        options = EngineOptions("cpu", "float32", 1)
        models = ModelLoader(settings, options, pools, ServiceMetrics(), EngineWatch())
        models.beside_requests = beside_requests
        loaded = asyncio.create_task(
            models.load(Entry(name=folder.parent.name, version=folder.name, serial=0))
        )
        assert await asyncio.to_thread(loading.began.wait, PATIENCE_SECONDS)
        if beside_requests:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.gather(
                    pools.decode(int, is_large=True), pools.decode(int, is_large=False), pools.infer(int)
                )
        assert not loaded.done()
        loading.may_go_on.set()
        assert (await loaded).model.metadata.name == "lenet-test"
        pools.close()

    asyncio.run(scenario())
    return loading


def test_requests_of_every_kind_are_computed_while_a_model_is_loaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading = _load(folder, monkeypatch, beside_requests=True)
    assert loading.thread.startswith("loading")


def test_a_conversion_beside_requests_has_a_process_of_its_own(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a thread it would hold the interpreter's lock for seconds."""
    assert _load(folder, monkeypatch, beside_requests=True).apart is True


def test_the_start_loads_on_the_thread_that_will_compute(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading = _load(folder, monkeypatch, beside_requests=False)
    assert loading.thread.startswith("inference")
    assert loading.apart is False
