"""The profile `monitoring`: Prometheus scrapes the service and evaluates the rules."""

import time
from typing import Any

import httpx

from tests.containers.engine import START_SECONDS, CheckFailedError, Compose, require, step
from tests.containers.service import built_and_started

PROMETHEUS = "http://127.0.0.1:9090/api/v1/"


def check_monitoring(compose: Compose) -> None:
    """Start the service and Prometheus beside it, and ask Prometheus what it knows."""
    with built_and_started(compose, "resnet-serve"):
        try:
            compose.run("--profile", "monitoring", "up", "--detach", "prometheus")
            _wait_for_a_scrape()
            rules = [rule for group in _ask("rules")["groups"] for rule in group["rules"]]
            wrong = {rule["name"]: rule["lastError"] for rule in rules if rule["health"] == "err"}
            require(bool(rules) and not wrong, f"Prometheus evaluates {len(rules)} rules, and not {wrong}")
        finally:
            compose.run("--profile", "monitoring", "rm", "--stop", "--force", "prometheus")
    step(f"Prometheus scrapes the service and evaluates {len(rules)} rules")


def _wait_for_a_scrape() -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            found = _ask("query", query='up{job="resnet-serve"}')["result"]
        except httpx.HTTPError:
            found = []  # it does not listen yet
        if [sample["value"][1] for sample in found] == ["1"]:
            return
        time.sleep(0.5)
    raise CheckFailedError(f"Prometheus does not scrape the service within {START_SECONDS} seconds")


def _ask(path: str, **parameters: str) -> Any:  # noqa: ANN401 - JSON
    response = httpx.get(PROMETHEUS + path, params=parameters, timeout=30, trust_env=False)
    return response.raise_for_status().json()["data"]
