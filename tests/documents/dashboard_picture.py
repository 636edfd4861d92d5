"""The dashboard as a picture for the documents: a service under a changing load, drawn from Prometheus.

    python -m tests.documents.dashboard_picture

takes a minute and a half, needs Prometheus, and writes `PICTURE`.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import matplotlib as mpl
from matplotlib import pyplot

from tests.documents.dashboard import COLUMNS, PANELS, RATE, Panel
from tests.documents.documents import ROOT
from tests.support.prometheus import Prometheus, scraping
from tests.support.server_process import running

PICTURE = ROOT / "tests" / "data" / "dashboard.png"
MODEL = ROOT / "models" / "weights" / "resnet18-cifar10" / "1"
SAMPLES = [path.read_bytes() for path in sorted((ROOT / "app" / "static" / "samples").glob("*.png"))]
CLIENTS, SECONDS = (1, 8, 48, 4), 20
"""How many clients ask at the same time, and how long so many do."""

SETTINGS = {"RESNET_SERVE_CACHE_FILES": "5", "RESNET_SERVE_MAX_CONCURRENT_REQUESTS": "32"}
"""Few places, so that some requests are refused, and a cache for half of what is asked."""


def main() -> None:
    mpl.use("agg")
    with (
        TemporaryDirectory() as folder,
        running(MODEL, SETTINGS) as (_, address, _),
        scraping(address, Path(folder)) as prometheus,
    ):
        started = time.time()
        for clients in CLIENTS:
            with _asking(address, clients):
                time.sleep(SECONDS)
        draw(prometheus, started, time.time())


@contextmanager
def _asking(address: str, clients: int) -> Iterator[None]:
    ended = threading.Event()

    def ask(first: int) -> None:
        with httpx.Client(base_url=address, timeout=60) as client:
            at = first
            while not ended.is_set():
                at += 1
                body = b"no image" if at % 50 == 0 else SAMPLES[at * 7 % len(SAMPLES)]
                client.post("/predict", content=body, headers={"Content-Type": "image/png"})

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def draw(prometheus: Prometheus, start: float, end: float) -> None:
    rows = -(-len(PANELS) // COLUMNS)
    figure, axes = pyplot.subplots(rows, COLUMNS, figsize=(5 * COLUMNS, 2.6 * rows), layout="constrained")
    for panel, axis in zip(PANELS, axes.flat, strict=False):
        for legend, expression in panel.queries.items():
            series = prometheus.query_range(expression.replace(RATE, "[5s]"), start, end, 1)
            for metric, values in series:
                times = [at - start for at, _ in values]
                axis.plot(times, [value for _, value in values], label=_legend(legend, metric))
        axis.set_title(_titled(panel), fontsize=10, loc="left")
        axis.set_xlim(0, end - start)
        axis.set_ylim(0, 1.2 * axis.get_ylim()[1])
        axis.grid(alpha=0.3)
        axis.legend(fontsize=7, loc="upper left")
    for axis in axes.flat[len(PANELS) :]:
        axis.set_axis_off()
    figure.savefig(PICTURE, dpi=70, metadata={"Software": None})


def _titled(panel: Panel) -> str:
    units = {"reqps": "requests/s", "s": "s", "ops": "1/s", "percentunit": "share", "bytes": "bytes"}
    return f"{panel.title} [{units[panel.unit]}]" if panel.unit in units else panel.title


def _legend(legend: str, metric: dict[str, str]) -> str:
    for label, value in metric.items():
        legend = legend.replace(f"{{{{{label}}}}}", value)
    return legend


if __name__ == "__main__":
    main()
