"""The panels of the Grafana dashboard, and the file that provisions it, which follows from them.

    python -m tests.documents.dashboard

writes the file anew; `make docs` runs it.
"""

import json
from dataclasses import dataclass
from typing import Any

from tests.documents.documents import ROOT

FILE = ROOT / "app" / "deploy" / "monitoring" / "dashboards" / "resnet-serve.json"
RATE = "[$__rate_interval]"
COLUMNS, WIDTH, HEIGHT = 3, 8, 8
"""Panels side by side, and the size of each on Grafana's grid, which is 24 wide."""

CLASSIFYING = '{route=~"/predict|.*/infer"}'
BELOW_HALF = '{le="0.5"}'

OF_THE_SERVICE = "and on (job, instance) resnet_serve_queue_depth"
"""Of the `process_` metrics, which most programs have, those of this service, whatever its job is called."""


@dataclass(frozen=True)
class Panel:
    """`queries` maps a legend, with labels as `{{label}}`, to PromQL; `unit` is Grafana's."""

    title: str
    unit: str
    queries: dict[str, str]


def _rate(metric: str, by: str = "", labels: str = "") -> str:
    return f"sum{f' by ({by}) ' if by else ''}(rate(resnet_serve_{metric}{labels}{RATE}))"


def _quantile(share: float, metric: str, by: str = "", labels: str = "") -> str:
    return f"histogram_quantile({share:g}, {_rate(f'{metric}_bucket', f'le, {by}' if by else 'le', labels)})"


def _share_of_status(first: int) -> str:
    some = _rate("requests_total", labels=f'{{status=~"{first}.."}}')
    return f"({some} or vector(0)) / {_rate('requests_total')}"


PANELS = (
    Panel("Requests", "reqps", {"{{route}}": _rate("requests_total", "route")}),
    Panel("Responses", "reqps", {"{{status}}": _rate("requests_total", "status")}),
    Panel("Errors", "percentunit", {f"{first}xx": _share_of_status(first) for first in (4, 5)}),
    Panel(
        "Latency of classifying",
        "s",
        {
            f"p{share * 100:g}": _quantile(share, "request_duration_seconds", labels=CLASSIFYING)
            for share in (0.5, 0.9, 0.99)
        },
    ),
    Panel("Latency by stage, p90", "s", {"{{stage}}": _quantile(0.9, "stage_duration_seconds", "stage")}),
    Panel("Rejections", "reqps", {"{{reason}}": _rate("rejections_total", "reason")}),
    Panel("Queue", "short", {"images that wait": "sum(resnet_serve_queue_depth)"}),
    Panel(
        "Batch size",
        "short",
        {
            "mean": f"{_rate('batch_size_sum')} / {_rate('batch_size_count')}",
            "p90": _quantile(0.9, "batch_size"),
        },
    ),
    Panel("Batches", "ops", {"batches": _rate("batch_size_count")}),
    Panel("Images by version", "ops", {"{{name}} {{version}}": _rate("images_total", "name, version")}),
    Panel(
        "Confidence",
        "percentunit",
        {
            "mean": f"{_rate('confidence_sum')} / {_rate('confidence_count')}",
            "below 50 %": f"{_rate('confidence_bucket', labels=BELOW_HALF)} / {_rate('confidence_count')}",
        },
    ),
    Panel(
        "Unfamiliar images",
        "percentunit",
        {
            "{{name}} {{version}}": f"{_rate('unfamiliar_images_total', 'name, version')}"
            f" / {_rate('images_total', 'name, version')}"
        },
    ),
    Panel(
        "Drift",
        "percentunit",
        {"{{feature}}": "max by (feature) (resnet_serve_drift_distance)"},
    ),
    Panel(
        "Instances that serve a version",
        "short",
        {
            "{{name}} {{version}}, {{engine}} {{precision}}": "count by (name, version, engine, precision)"
            " (max by (name, version, engine, precision, instance) (resnet_serve_model_info == 1))"
        },
    ),
    Panel(
        "Cache hits",
        "percentunit",
        {
            "hits": f"{_rate('cache_hits_total')}"
            f" / ({_rate('cache_hits_total')} + {_rate('cache_misses_total')})"
        },
    ),
    Panel(
        "Processor",
        "short",
        {"{{instance}}": f"sum by (instance) (rate(process_cpu_seconds_total{RATE}) {OF_THE_SERVICE})"},
    ),
    Panel(
        "Memory",
        "bytes",
        {"{{instance}}": f"sum by (instance) (process_resident_memory_bytes {OF_THE_SERVICE})"},
    ),
)
"""In their order on the dashboard; another one is added by its entry here."""


def dashboard() -> dict[str, Any]:
    """The dashboard in Grafana's format."""
    source = {"type": "prometheus", "uid": "prometheus"}
    return {
        "uid": "resnet-serve",
        "title": "resnet-serve",
        "schemaVersion": 39,
        "refresh": "5s",
        "time": {"from": "now-15m", "to": "now"},
        "panels": [
            {
                "id": at + 1,
                "type": "timeseries",
                "title": panel.title,
                "datasource": source,
                "gridPos": {
                    "x": at % COLUMNS * WIDTH,
                    "y": at // COLUMNS * HEIGHT,
                    "w": WIDTH,
                    "h": HEIGHT,
                },
                "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
                "targets": [
                    {"refId": chr(ord("A") + number), "expr": expression, "legendFormat": legend}
                    for number, (legend, expression) in enumerate(panel.queries.items())
                ],
            }
            for at, panel in enumerate(PANELS)
        ],
    }


def text() -> str:
    return json.dumps(dashboard(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
