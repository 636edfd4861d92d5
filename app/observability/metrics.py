"""What is counted and timed, in the text format of Prometheus."""

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector

from app.observability.drift import DriftMetrics
from app.observability.metric_folder import MetricFolder, WorkerProcesses

STAGES = ("receive", "decode", "preprocess", "queue", "inference", "respond")
"""The stages of a request, in their order."""

STAGE_SECONDS = (1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
REQUEST_SECONDS = (1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BATCH_SIZES = tuple(2**power for power in range(13))


class ServiceMetrics:
    """All metrics of one app. Every method may be called from any thread and takes a few microseconds.

    With a `folder`, this is `worker`'s part of metrics that add up over processes. The switch is made for the
    whole process, which then has this one object only.
    """

    def __init__(self, folder: MetricFolder | None = None, worker: int = 0) -> None:
        self._registry = CollectorRegistry()
        self._shared = folder is not None
        own: CollectorRegistry | None
        if folder is None:
            # Said outright, for PROMETHEUS_MULTIPROC_DIR in the environment would say otherwise.
            values.ValueClass = values.MutexValue
            own = self._registry
            ProcessCollector(registry=self._registry)
        else:
            folder.join(worker)
            own = None
            MultiProcessCollector(self._registry, str(folder.path))  # type: ignore[no-untyped-call]
            self._registry.register(WorkerProcesses(folder))
        disable_created_metrics()  # type: ignore[no-untyped-call]

        self._requests = Counter(
            "resnet_serve_requests_total",
            "Requests by route, method and response status; 499: the client closed the connection first.",
            ["route", "method", "status"],
            registry=own,
        )
        self._request_seconds = Histogram(
            "resnet_serve_request_duration_seconds",
            "Seconds from a request's headers to the end of its response.",
            ["route"],
            buckets=REQUEST_SECONDS,
            registry=own,
        )
        stage_seconds = Histogram(
            "resnet_serve_stage_duration_seconds",
            "Seconds that a request for classification spent in a stage.",
            ["stage"],
            buckets=STAGE_SECONDS,
            registry=own,
        )
        self._images = Counter(
            "resnet_serve_images_total", "Images classified.", ["name", "version"], registry=own
        )
        self._unfamiliar = Counter(
            "resnet_serve_unfamiliar_images_total",
            "Images classified that are unfamiliar to the model.",
            ["name", "version"],
            registry=own,
        )
        self._batch_size = Histogram(
            "resnet_serve_batch_size",
            "Batch sizes in images; the count is the number of batches.",
            buckets=BATCH_SIZES,
            registry=own,
        )
        self._queue_depth = Gauge(
            "resnet_serve_queue_depth",
            "Images that wait for a batch.",
            multiprocess_mode="livesum",
            registry=own,
        )
        self._rejections = Counter(
            "resnet_serve_rejections_total",
            "Requests and connections rejected by a limit or because of the state of the service, by reason.",
            ["reason"],
            registry=own,
        )
        self._cache_hits = Counter(
            "resnet_serve_cache_hits_total", "Cache hits: files whose results were cached.", registry=own
        )
        self._cache_misses = Counter(
            "resnet_serve_cache_misses_total",
            "Cache misses: files whose results were not cached.",
            registry=own,
        )
        self._cache_evictions = Counter(
            "resnet_serve_cache_evictions_total",
            "Cache evictions: results removed to make room for others.",
            registry=own,
        )
        self._cache_files = Gauge(
            "resnet_serve_cache_files",
            "Files whose results are cached.",
            multiprocess_mode="livesum",
            registry=own,
        )
        self._model_info = Gauge(
            "resnet_serve_model_info",
            "1 for a model that is served, 0 for one that no longer is.",
            ["name", "version", "engine", "precision"],
            multiprocess_mode="livemax",
            registry=own,
        )

        self.drift = DriftMetrics(own)

        # Looking up a child by its labels takes as long as counting does, so they are kept.
        self._stages = {stage: stage_seconds.labels(stage) for stage in STAGES}
        self._requests_of: dict[tuple[str, str, int], Counter] = {}
        self._request_seconds_of: dict[str, Histogram] = {}
        self._images_of: dict[tuple[str, str], tuple[Counter, Counter]] = {}
        self._rejections_of: dict[str, Counter] = {}
        self._read_queue_depth: Callable[[], int] = int
        self._read_cached_files: Callable[[], int] = int

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one request by its route's template, and the time it took."""
        key = (route, method, status)
        counter = self._requests_of.get(key)
        if counter is None:
            counter = self._requests_of[key] = self._requests.labels(*key)
        histogram = self._request_seconds_of.get(route)
        if histogram is None:
            histogram = self._request_seconds_of[route] = self._request_seconds.labels(route)
        counter.inc()
        histogram.observe(seconds)
        if self._shared:
            # Both change by requests, so read at the end of each they are right again once all is quiet.
            self._read_gauges()

    def stage(self, name: str, seconds: float) -> None:
        """Record the time of one request in a stage. Raises `KeyError` for a name not in `STAGES`."""
        self._stages[name].observe(seconds)

    def images(self, count: int, name: str, version: str, unfamiliar: int = 0) -> None:
        """Count images that were classified by this version of a model, and how many were `unfamiliar`."""
        counters = self._images_of.get((name, version))
        if counters is None:
            counters = self._images.labels(name, version), self._unfamiliar.labels(name, version)
            self._images_of[name, version] = counters
        counters[0].inc(count)
        counters[1].inc(unfamiliar)

    def batch(self, size: int) -> None:
        """Count one batch of `size` images."""
        self._batch_size.observe(size)

    def rejected(self, reason: str) -> None:
        """Count a rejected request. Reasons are few and fixed, never text from the request."""
        counter = self._rejections_of.get(reason)
        if counter is None:
            counter = self._rejections_of[reason] = self._rejections.labels(reason)
        counter.inc()

    def cache_lookups(self, hits: int, misses: int) -> None:
        """Count files that were looked up in the cache."""
        self._cache_hits.inc(hits)
        self._cache_misses.inc(misses)

    def cache_eviction(self) -> None:
        """Count a result that is removed to make room for another."""
        self._cache_evictions.inc()

    def cached_files(self, read: Callable[[], int]) -> None:
        """Set the function that returns how many files' results are cached; it is called from any thread."""
        self._read_cached_files = read

    def queue_depth(self, read: Callable[[], int]) -> None:
        """Set the function that returns how many images wait; it is called from any thread."""
        self._read_queue_depth = read

    def model(self, name: str, version: str, engine: str, precision: str, *, loaded: bool) -> None:
        """Set whether a model is served, and by what engine."""
        self._model_info.labels(name, version, engine, precision).set(loaded)

    def exposition(self) -> bytes:
        """All metrics, over all worker processes, as UTF-8 text that Prometheus reads."""
        self._read_gauges()
        self.drift.publish()
        return generate_latest(self._registry)

    def _read_gauges(self) -> None:
        self._queue_depth.set(self._read_queue_depth())
        self._cache_files.set(self._read_cached_files())
