"""What is counted appears under the documented names, once per app and once over all processes."""

import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from app.observability.metrics import STAGES, ServiceMetrics
from tests.support.exposition import samples

ROOT = Path(__file__).parents[3]


def _read(metrics: ServiceMetrics) -> dict[str, float]:
    return samples(metrics.exposition().decode())


def test_a_request_is_counted_by_route_method_and_status_and_timed_by_route() -> None:
    metrics = ServiceMetrics()
    metrics.request("/models/{name}", "GET", 200, 0.004)
    metrics.request("/models/{name}", "GET", 200, 0.2)
    metrics.request("/models/{name}", "GET", 404, 0.004)
    read = _read(metrics)
    assert read['resnet_serve_requests_total{method="GET",route="/models/{name}",status="200"}'] == 2
    assert read['resnet_serve_requests_total{method="GET",route="/models/{name}",status="404"}'] == 1
    duration = "resnet_serve_request_duration_seconds"
    assert read[f'{duration}_count{{route="/models/{{name}}"}}'] == 3
    assert read[f'{duration}_sum{{route="/models/{{name}}"}}'] == pytest.approx(0.208)
    assert read[f'{duration}_bucket{{le="0.005",route="/models/{{name}}"}}'] == 2


def test_every_stage_is_there_before_it_is_used() -> None:
    metrics = ServiceMetrics()
    metrics.stage("inference", 0.003)
    read = _read(metrics)
    counts = {
        stage: read[f'resnet_serve_stage_duration_seconds_count{{stage="{stage}"}}'] for stage in STAGES
    }
    assert counts == {stage: float(stage == "inference") for stage in STAGES}
    assert read['resnet_serve_stage_duration_seconds_sum{stage="inference"}'] == pytest.approx(0.003)


def test_a_stage_that_does_not_exist_is_refused() -> None:
    with pytest.raises(KeyError, match="lunch"):
        ServiceMetrics().stage("lunch", 1.0)


def test_images_batches_and_rejections() -> None:
    metrics = ServiceMetrics()
    metrics.images(3, "lenet", "1")
    metrics.images(5, "lenet", "1", unfamiliar=2)
    metrics.images(1, "lenet", "2")
    metrics.batch(1)
    metrics.batch(8)
    metrics.rejected("queue_full")
    metrics.rejected("queue_full")
    metrics.rejected("deadline")
    read = _read(metrics)
    assert read['resnet_serve_images_total{name="lenet",version="1"}'] == 8
    assert read['resnet_serve_images_total{name="lenet",version="2"}'] == 1
    assert read['resnet_serve_unfamiliar_images_total{name="lenet",version="1"}'] == 2
    assert read['resnet_serve_unfamiliar_images_total{name="lenet",version="2"}'] == 0
    assert read["resnet_serve_batch_size_count"] == 2
    assert read["resnet_serve_batch_size_sum"] == 9
    assert read['resnet_serve_batch_size_bucket{le="4.0"}'] == 1
    assert read['resnet_serve_rejections_total{reason="queue_full"}'] == 2
    assert read['resnet_serve_rejections_total{reason="deadline"}'] == 1


def test_queue_depth_is_read_when_it_is_asked_for() -> None:
    metrics, waiting = ServiceMetrics(), [1, 2, 3]
    assert _read(metrics)["resnet_serve_queue_depth"] == 0
    metrics.queue_depth(lambda: len(waiting))
    assert _read(metrics)["resnet_serve_queue_depth"] == 3
    waiting.clear()
    assert _read(metrics)["resnet_serve_queue_depth"] == 0


def test_the_models_that_are_served_and_that_were() -> None:
    metrics = ServiceMetrics()
    metrics.model("lenet", "2", "torch", "float32", loaded=True)
    labels = 'engine="torch",name="lenet",precision="float32",version="2"'
    assert _read(metrics)[f"resnet_serve_model_info{{{labels}}}"] == 1
    metrics.model("lenet", "2", "torch", "float32", loaded=False)
    assert _read(metrics)[f"resnet_serve_model_info{{{labels}}}"] == 0


def test_the_process_is_described() -> None:
    read = _read(ServiceMetrics())
    assert read["process_resident_memory_bytes"] > 1_000_000
    assert read["process_cpu_seconds_total"] > 0


def test_two_apps_count_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever another program left in the environment."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", "/nonexistent")
    first, second = ServiceMetrics(), ServiceMetrics()
    first.images(1, "lenet", "1")
    counted = 'resnet_serve_images_total{name="lenet",version="1"}'
    assert _read(first)[counted] == 1
    assert counted not in _read(second)


def test_nothing_is_lost_between_threads() -> None:
    metrics = ServiceMetrics()

    def count() -> None:
        for _ in range(2000):
            metrics.request("/", "GET", 200, 0.001)
            metrics.stage("decode", 0.001)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    read = _read(metrics)
    assert read['resnet_serve_requests_total{method="GET",route="/",status="200"}'] == 8000
    assert read['resnet_serve_stage_duration_seconds_count{stage="decode"}'] == 8000


def _families() -> list[Metric]:
    """All metrics of the service after a bit of everything, without those of the process."""
    metrics = ServiceMetrics()
    metrics.request("/models/{name}", "GET", 200, 0.004)
    metrics.images(1, "lenet", "1")
    metrics.rejected("overloaded")
    metrics.drift.predictions.labels("lenet", "1", "cat").inc()
    metrics.model("lenet", "1", "torch", "float32", loaded=True)
    families = list(text_string_to_metric_families(metrics.exposition().decode()))
    return [family for family in families if family.name.startswith("resnet_serve_")]


def test_names_are_as_prometheus_wants_them() -> None:
    """The rules of `promtool check metrics`: https://prometheus.io/docs/practices/naming/."""
    abbreviations = {"s", "ms", "us", "ns", "sec", "secs", "b", "kb", "mb", "gb", "pct"}
    other_units = {"milliseconds", "microseconds", "minutes", "hours", "kilobytes", "megabytes", "percent"}
    for family in _families():
        words = family.name.split("_")
        assert re.fullmatch("[a-z][a-z0-9]*(_[a-z0-9]+)*", family.name)
        assert family.type in {"counter", "gauge", "histogram"}
        assert not {*abbreviations, *other_units, family.type} & set(words), family.name
        assert words[-1] not in {"total", "count", "sum", "bucket"}, family.name
        assert family.documentation.endswith("."), family.name
        if family.type == "counter":
            assert {sample.name for sample in family.samples} == {f"{family.name}_total"}
        for sample in family.samples:
            reserved = {"le"} if family.type == "histogram" else set()
            for label in set(sample.labels) - reserved:
                assert re.fullmatch("[a-z]+", label), family.name
                assert label not in {"le", "quantile", "instance", "job"}, family.name


WORKER = """
import sys
from pathlib import Path
from app.observability.metric_folder import MetricFolder
from app.observability.metrics import ServiceMetrics

folder, worker, images, waiting = Path(sys.argv[1]), *map(int, sys.argv[2:])
metrics = ServiceMetrics(MetricFolder(folder), worker)
metrics.queue_depth(lambda: waiting)
metrics.cached_files(lambda: 10 * waiting)
metrics.model("lenet", "1", "torch", "float32", loaded=True)
metrics.images(images, "lenet", "1")
metrics.request("/predict", "POST", 200, 0.5)
print(metrics.exposition().decode())
"""


def _run_worker(folder: Path, worker: int, images: int, waiting: int) -> dict[str, float]:
    """Count in a process of its own, which then ends; returns what it told of all workers."""
    command = [sys.executable, "-c", WORKER, str(folder), str(worker), str(images), str(waiting)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    return samples(done.stdout)


def test_workers_add_up_and_a_replaced_one_counts_on(tmp_path: Path) -> None:
    from app.observability.metric_folder import MetricFolder

    model = 'resnet_serve_model_info{engine="torch",name="lenet",precision="float32",version="1"}'
    requests = 'resnet_serve_requests_total{method="POST",route="/predict",status="200"}'

    _run_worker(tmp_path, worker=0, images=3, waiting=2)
    both = _run_worker(tmp_path, worker=1, images=4, waiting=5)
    assert both['resnet_serve_images_total{name="lenet",version="1"}'] == 7
    assert both[requests] == 2
    assert both['resnet_serve_request_duration_seconds_bucket{le="0.5",route="/predict"}'] == 2
    assert both["resnet_serve_queue_depth"] == 7
    assert both["resnet_serve_cache_files"] == 70
    assert both[model] == 1

    MetricFolder(tmp_path).leave(0)
    files = len(list(tmp_path.glob("*.db")))
    replaced = _run_worker(tmp_path, worker=0, images=10, waiting=0)
    assert replaced['resnet_serve_images_total{name="lenet",version="1"}'] == 17
    assert replaced["resnet_serve_queue_depth"] == 5
    assert replaced["resnet_serve_cache_files"] == 50
    MetricFolder(tmp_path).leave(0)
    assert len(list(tmp_path.glob("*.db"))) == files
