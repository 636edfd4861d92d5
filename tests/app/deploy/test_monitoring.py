"""Prometheus, its rules and the dashboard, against a real service where Prometheus is installed."""

import json
import math
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from app.observability.metrics import ServiceMetrics
from models.artifact.reference import FILE_NAME as REFERENCE_FILE
from models.artifact.reference import measure_reference
from tests.documents.dashboard import FILE, PANELS, RATE, text
from tests.documents.documents import ROOT
from tests.support.artifacts import CLASSES, noise, save_small_artifact, small_model
from tests.support.prometheus import MONITORING, Prometheus, require_prometheus, scraping
from tests.support.server_process import running

SCENARIOS = Path(__file__).parent / "alert_scenarios.yml"
SAMPLES = sorted((ROOT / "app" / "static" / "samples").glob("*.png"))
PATIENCE_SECONDS = 120
WINDOW = "[5s]"
ALERTS = [
    rule["alert"] for rule in yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"][0]["rules"]
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen[str], str]]:
    require_prometheus()
    images = noise(40, 4)
    reference = measure_reference(images.numpy(), small_model()(images / 255).detach().numpy(), CLASSES, 1.5)
    model = save_small_artifact(
        tmp_path_factory.mktemp("models") / "lenet-test" / "1",
        files={REFERENCE_FILE: reference.to_json()},
        with_detector=True,
    )
    with running(model, {"RESNET_SERVE_CACHE_FILES": "100"}) as (process, address, _):
        yield process, address


@pytest.fixture(scope="module")
def prometheus(
    service: tuple[subprocess.Popen[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    with scraping(service[1], tmp_path_factory.mktemp("prometheus")) as prometheus:
        yield prometheus


def test_the_dashboard_is_up_to_date() -> None:
    """If not, `make docs` writes it anew."""
    assert FILE.read_text(encoding="utf-8") == text()


def test_rules_and_configuration_are_sound() -> None:
    require_prometheus()
    checked = subprocess.run(
        ["promtool", "check", "config", MONITORING / "prometheus.yml"], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stderr


def test_alerts_fire_in_their_scenario_and_only_there() -> None:
    require_prometheus()
    tested = subprocess.run(["promtool", "test", "rules", SCENARIOS], capture_output=True, text=True)
    assert tested.returncode == 0, tested.stdout


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_scenario_in_which_it_fires_and_one_in_which_it_does_not(alert: str) -> None:
    scenarios = yaml.safe_load(SCENARIOS.read_text())["tests"]
    cases = [case for each in scenarios for case in each["alert_rule_test"] if case["alertname"] == alert]
    assert {bool(case.get("exp_alerts")) for case in cases} == {True, False}


def test_every_metric_that_is_asked_for_exists() -> None:
    asked = FILE.read_text() + (MONITORING / "alerts.yml").read_text()
    exposed = ServiceMetrics()
    exposed.request("/predict", "POST", 200, 0.01)
    exposed.images(1, "m", "1")
    exposed.rejected("overloaded")
    exposed.model("m", "1", "torch", "float32", loaded=True)
    exposed.drift.confidence.labels("m", "1").observe(0.5)
    exposed.drift.distance.labels("m", "1", "class").set(0)
    known = {line.split("{")[0].split(" ")[0] for line in exposed.exposition().decode().splitlines()}
    assert set(re.findall(r"\bresnet_serve_\w+|\bprocess_\w+", asked)) <= known


def _classify(address: str) -> None:
    """What a service answers in an ordinary minute: results, one refusal, and one missed deadline."""
    with httpx.Client(base_url=address, timeout=60) as client:
        for sample in SAMPLES:
            for ending in (b"", os.urandom(8)):  # of which the first is cached from the second time on
                body = sample.read_bytes() + ending
                client.post("/predict", content=body, headers={"Content-Type": "image/png"})
        client.post("/predict", content=b"no image", headers={"Content-Type": "image/png"})
        content = SAMPLES[0].read_bytes()
        late = {"Content-Type": "image/png", "X-Request-Timeout": "0.000001"}
        client.post("/predict", content=content, headers=late)


def _drawn(prometheus: Prometheus, legend: str, expression: str) -> bool:
    """Whether Grafana would draw something, with what the legend names."""
    samples = prometheus.query(expression.replace(RATE, WINDOW))
    labels = re.findall(r"{{(\w+)}}", legend)
    return any(
        math.isfinite(value) and all(metric.get(label) for label in labels) for metric, value in samples
    )


QUERIES = [(panel.title, legend, query) for panel in PANELS for legend, query in panel.queries.items()]


@pytest.mark.parametrize(("title", "legend", "expression"), QUERIES)
def test_every_query_of_the_dashboard_returns_data(
    title: str,
    legend: str,
    expression: str,
    service: tuple[subprocess.Popen[str], str],
    prometheus: Prometheus,
) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not _drawn(prometheus, legend, expression):
        assert time.monotonic() < deadline, f"{title}: {expression}"
        _classify(service[1])
        time.sleep(0.2)


@pytest.mark.parametrize("title", ["Processor", "Memory"])
def test_other_programs_are_not_drawn(title: str, tmp_path: Path) -> None:
    """Most programs have these metrics; two worker processes count as one instance."""
    require_prometheus()
    (expression,) = next(panel for panel in PANELS if panel.title == title).queries.values()
    (metric,) = re.findall(r"\bprocess_\w+", expression)
    ours, other = 'job="any", instance="a:8000"', 'job="other", instance="b:9100"'
    series = {
        f'{metric}{{{ours}, worker="0"}}': "0+60x20",
        f'{metric}{{{ours}, worker="1"}}': "0+60x20",
        f"{metric}{{{other}}}": "0+60x20",
        f"resnet_serve_queue_depth{{{ours}}}": "0x20",
    }
    samples = [
        {"labels": '{instance="a:8000"}', "value": {"Processor": 2.0, "Memory": 1200.0}[title]},
    ]
    case = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {"expr": expression.replace(RATE, "[5m]"), "eval_time": "10m", "exp_samples": samples}
        ],
    }
    file = tmp_path / "case.yml"
    file.write_text(yaml.safe_dump({"tests": [case]}))
    tested = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True)
    assert tested.returncode == 0, tested.stdout


def _rules(prometheus: Prometheus) -> dict[str, Any]:
    return {rule["name"]: rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]}


def test_prometheus_evaluates_every_rule(prometheus: Prometheus) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(rule["health"] == "unknown" for rule in _rules(prometheus).values()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert {name: rule["health"] for name, rule in _rules(prometheus).items()} == dict.fromkeys(ALERTS, "ok")


def test_a_service_that_ends_is_noticed(
    service: tuple[subprocess.Popen[str], str], prometheus: Prometheus
) -> None:
    """The last test here, as it ends the service."""

    def wait_until(*states: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while _rules(prometheus)["ServiceDown"]["state"] not in states:
            assert time.monotonic() < deadline
            time.sleep(0.2)

    wait_until("inactive")  # which it is not where the rule was evaluated before the first scrape
    service[0].terminate()
    service[0].wait()
    wait_until("pending", "firing")


def test_the_dashboard_finds_its_source_and_grafana_its_dashboards() -> None:
    sources = yaml.safe_load((MONITORING / "provisioning/datasources/prometheus.yml").read_text())
    (source,) = sources["datasources"]
    panels = json.loads(FILE.read_text())["panels"]
    assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}
    composed = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    assert source["url"] == "http://prometheus:9090"
    mounted = {
        container: ROOT / host
        for name in ("prometheus", "grafana")
        for host, container in (each.split(":")[:2] for each in composed[name]["volumes"])
    }
    assert all(path.exists() for path in mounted.values())
    (provider,) = yaml.safe_load((MONITORING / "provisioning/dashboards/dashboards.yml").read_text())[
        "providers"
    ]
    assert mounted[provider["options"]["path"]] == FILE.parent
    (target,) = yaml.safe_load((MONITORING / "prometheus.yml").read_text())["scrape_configs"][0][
        "static_configs"
    ]
    host, _, port = target["targets"][0].partition(":")
    assert composed[host]["ports"][0].endswith(f":{port}")
    assert all(composed[name]["profiles"] == ["monitoring"] for name in ("prometheus", "grafana"))
