"""Models are loaded beside requests without taking the threads that requests need, and prepared for load."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from app.batching.side_by_side import LEAST_BESIDE
from app.batching.thread_pools import EngineWatch, ThreadPools
from app.observability.metrics import ServiceMetrics
from app.registry import loader
from app.registry.loaded_model import LoadedModel
from app.registry.loader import ModelLoader, load_entry
from app.registry.plan import Entry
from app.registry.served_model import ServedModel, for_throughput
from app.settings import Settings
from models.artifact.store import ArtifactError
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
        if beside_requests:
            models.beside_requests.set()
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


class Serving:
    """A model that serves, with a loader that prepares it for throughput beside the requests."""

    def __init__(self, folder: Path) -> None:
        self.pools = ThreadPools(decode_threads=1, inference_threads=2, max_concurrent_requests=1)
        settings = Settings(model_dir=folder, device="cpu", max_batch=LEAST_BESIDE)
        options = EngineOptions("cpu", "float32", 2)
        self.loader = ModelLoader(settings, options, self.pools, ServiceMetrics(), EngineWatch())
        self.entry = Entry(name=folder.parent.name, version=folder.name, serial=0)

    async def start(self) -> LoadedModel:
        loaded = await self.loader.load(self.entry)
        assert loaded.batcher.concurrency == 1
        self.loader.beside_requests.set()
        await asyncio.sleep(0)  # for who waits to be woken,
        await asyncio.sleep(0)  # and to begin
        return loaded

    async def has_prepared(self) -> None:
        """The thread that prepares does one thing after the other: the model, and freeing what that left."""
        for _ in range(3):
            await self.pools.load(int)
            await asyncio.sleep(0)


@pytest.fixture
def serving(folder: Path) -> Iterator[Serving]:
    serving = Serving(folder)
    yield serving
    serving.pools.close()


def test_a_model_is_prepared_for_throughput_while_it_serves(serving: Serving) -> None:
    async def scenario() -> None:
        loaded = await serving.start()
        image = np.zeros((3, 32, 32), np.uint8)
        (alone,) = await loaded.batcher.submit([image])
        await serving.has_prepared()
        assert loaded.batcher.concurrency == 2
        crowd = await loaded.batcher.submit([image] * 2 * LEAST_BESIDE)
        assert [score.batch_size for score in crowd] == [LEAST_BESIDE] * 2 * LEAST_BESIDE
        assert all(score.probabilities == pytest.approx(alone.probabilities, abs=1e-5) for score in crowd)

    asyncio.run(scenario())


def test_what_cannot_be_prepared_serves_on_as_it_is(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ArtifactError("the engine's logits differ")

    monkeypatch.setattr(loader, "for_throughput", fail)

    async def scenario() -> None:
        loaded = await serving.start()
        await serving.has_prepared()
        assert loaded.batcher.concurrency == 1
        assert len(await loaded.batcher.submit([np.zeros((3, 32, 32), np.uint8)])) == 1

    asyncio.run(scenario())
    assert "lenet-test 1 is not compiled for throughput" in caplog.text
    assert "the engine's logits differ" in caplog.text


@pytest.mark.parametrize("end", ["forget", "stop"])
def test_a_model_that_leaves_is_not_prepared_any_further(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, end: str
) -> None:
    began, may_go_on = threading.Event(), threading.Event()

    def slow(model: ServedModel, is_stopping: Callable[[], bool]) -> ServedModel | None:
        began.set()
        assert may_go_on.wait(PATIENCE_SECONDS)
        assert is_stopping()
        return for_throughput(model, is_stopping)

    monkeypatch.setattr(loader, "for_throughput", slow)

    async def scenario() -> None:
        loaded = await serving.start()
        assert await asyncio.to_thread(began.wait, PATIENCE_SECONDS)
        if end == "forget":
            serving.loader.forget(loaded)
        else:
            serving.loader.stop()
        may_go_on.set()
        await serving.has_prepared()
        assert loaded.batcher.concurrency == 1

    asyncio.run(scenario())
    assert "not compiled" not in caplog.text


def test_a_single_folder_that_holds_another_model_than_at_the_start_is_refused(folder: Path) -> None:
    settings = Settings(model_dir=folder, device="cpu", engine="torch")
    told = "the model calls itself lenet-test/1, and was dogs/1 when the service started$"
    with pytest.raises(ArtifactError, match=told):
        load_entry(Entry(name="dogs", version="1", serial=0), settings, EngineOptions("cpu", "float32", 1))
