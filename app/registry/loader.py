"""From a model that is to be served to one that takes requests."""

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial

from app.batching.batcher import Batcher
from app.batching.result_cache import ResultCache
from app.batching.scores import Scores
from app.batching.thread_pools import EngineWatch, ThreadPools
from app.observability.drift import DriftMonitor
from app.observability.metrics import ServiceMetrics
from app.registry.first_plan import require_own_folder
from app.registry.free_memory import return_free_memory
from app.registry.loaded_model import LoadedModel
from app.registry.plan import Entry
from app.registry.served_model import Pixels, ServedModel, for_throughput, load_model, stacked
from app.registry.warm_up import StoppedError
from app.settings import Settings
from models.artifact.store import ArtifactError
from models.engines import EngineOptions
from models.unfamiliarity.detector import is_familiar

logger = logging.getLogger(__name__)


def load_entry(
    entry: Entry, settings: Settings, options: EngineOptions, is_stopping: Callable[[], bool] = lambda: False
) -> ServedModel:
    """Load and prove a model of the plan, whose folder must bear its name and version in a repository.

    Outside of one it must hold the same model as when the plan was made: a worker that is replaced reads it
    again. Raises `ArtifactError`, `OSError`, and `StoppedError` soon after `is_stopping` says so.
    """
    folder = settings.model_dir
    if settings.model_repository is not None:
        folder = settings.model_repository / entry.name / entry.version
    model = load_model(folder, settings.engine, options, settings.max_batch or None, is_stopping)
    told = model.metadata
    if settings.model_repository is not None:
        require_own_folder(told, folder)
    elif (told.name, told.version) != (entry.name, entry.version):
        raise ArtifactError(
            f"{folder}: the model calls itself {told.name}/{told.version},"
            f" and was {entry.name}/{entry.version} when the service started"
        )
    return model


class ModelLoader:
    """Loads models for one process, each with a batcher of its own, all with the same threads."""

    def __init__(
        self,
        settings: Settings,
        options: EngineOptions,
        threads: ThreadPools,
        metrics: ServiceMetrics,
        watch: EngineWatch,
    ) -> None:
        self._settings = settings
        self._options = options
        self._threads = threads
        self._metrics = metrics
        self._watch = watch
        self._stopping = threading.Event()
        self._loaded = Counter[tuple[str, str, str, str]]()
        self._monitors: dict[int, DriftMonitor] = {}
        self._preparing: dict[LoadedModel, asyncio.Task[None]] = {}
        self.beside_requests = asyncio.Event()
        """Set once requests are served, whose threads loading must not take."""

    async def load(self, entry: Entry) -> LoadedModel:
        """Load and prove a model of the plan, ready for requests. Raises `ArtifactError` and `OSError`."""
        # At the start on the thread that will run it, so that what torch sets up per thread is there already.
        run = self._threads.load if self.beside_requests.is_set() else self._threads.infer
        options = replace(self._options, apart=self._options.apart or self.beside_requests.is_set())
        model = await run(partial(load_entry, entry, self._settings, options, self._stopping.is_set))
        self._watch.has_taken(model.batch_seconds)
        engine = model.engine
        logger.info(
            "%s %s: %s %s on %s in %s, because %s; batches of up to %d",
            *(entry.name, entry.version, engine.name, engine.version, engine.device, engine.precision),
            model.engine_reason,
            model.max_batch,
        )
        self._count(model, 1)
        files = self._settings.cache_files
        cache = ResultCache(files, self._metrics) if files else None
        loaded = LoadedModel(model, self._batcher(model), cache)
        if self._settings.throughput_network:
            self._preparing[loaded] = asyncio.create_task(self._prepare_for_throughput(loaded))
        return loaded

    async def _prepare_for_throughput(self, loaded: LoadedModel) -> None:
        """Once requests are served, have a model compute more images a second as soon as that is ready."""
        about = loaded.model.metadata
        try:
            await self.beside_requests.wait()
            work = partial(for_throughput, loaded.model, lambda: loaded not in self._preparing)
            model = await self._threads.load(work)
            await self._threads.load(return_free_memory)
            if model is not None:
                self._watch.has_taken(model.batch_seconds)
                loaded.batcher.use_for_throughput(
                    self._run(model, self._monitors.get(id(loaded.model))),
                    max_batch=model.max_batch,
                    concurrency=model.engine.concurrency,
                )
        except StoppedError:
            pass
        except Exception:
            # What has been proven serves on, only with fewer images a second.
            logger.exception("%s %s is not compiled for throughput", about.name, about.version)
        finally:
            self._preparing.pop(loaded, None)

    def _stop_preparing(self, loaded: LoadedModel) -> None:
        task = self._preparing.pop(loaded, None)
        if task is not None:
            task.cancel()

    def stop(self) -> None:
        """Give up what is being loaded."""
        self._stopping.set()
        for loaded in list(self._preparing):
            self._stop_preparing(loaded)

    def forget(self, loaded: LoadedModel) -> None:
        """Say that a model is not served any more."""
        self._stop_preparing(loaded)
        monitor = self._monitors.pop(id(loaded.model), None)
        if monitor is not None:
            self._metrics.drift.remove(monitor)
        self._count(loaded.model, -1)

    def _count(self, model: ServedModel, change: int) -> None:
        """A version that is loaded anew is there twice for a moment, and the old one leaves last."""
        about, engine = model.metadata, model.engine
        labels = (about.name, about.version, engine.name, engine.precision)
        self._loaded[labels] += change
        self._metrics.model(*labels, loaded=self._loaded[labels] > 0)

    def _monitor(self, model: ServedModel) -> DriftMonitor | None:
        """What watches the model for drift, where that is wanted and can be."""
        size = self._settings.drift_window
        if model.reference is None or not size:
            return None
        about = model.metadata
        return DriftMonitor(about.name, about.version, model.reference, self._metrics.drift, size)

    def _run(
        self, model: ServedModel, monitor: DriftMonitor | None
    ) -> Callable[[list[Pixels]], Awaitable[list[Scores]]]:
        """What has a batch computed on one of the threads for that, and shown to the monitor."""
        compute = model.classify if monitor is None else partial(_classify_watched, model, monitor)
        return partial(self._threads.infer, partial(self._watch.run, compute))

    def _batcher(self, model: ServedModel) -> Batcher[Pixels, Scores]:
        monitor = self._monitor(model)
        if monitor is not None:
            self._monitors[id(model)] = monitor
        return Batcher(
            self._run(model, monitor),
            max_batch=model.max_batch,
            max_queue=self._settings.max_queue,
            concurrency=model.engine.concurrency,
            on_batch=self._metrics.batch,
            clock=self._threads.worked,
        )


def _classify_watched(model: ServedModel, monitor: DriftMonitor, images: Sequence[Pixels]) -> list[Scores]:
    scores = model.classify(images)
    monitor.observe(
        stacked(images),
        [score.classes[0] for score in scores],
        [score.probabilities[0] for score in scores],
        None if model.detector is None else [is_familiar(score.unfamiliarity) is False for score in scores],
    )
    return scores
