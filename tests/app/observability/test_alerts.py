"""The alert rules: of metrics that there are, and firing when they should, as promtool plays it through."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.observability import drift
from app.observability.metrics import ServiceMetrics

RULES = Path(drift.__file__).with_name("alerts.yml")
PROMTOOL = shutil.which("promtool")
MODEL = 'name="resnet18-cifar10", version="1"'

needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="needs promtool (apt-get install prometheus)")


def _rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def _promtool(*arguments: str | Path) -> None:
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_are_of_metrics_that_there_are() -> None:
    exposed = ServiceMetrics().exposition().decode()
    for rule in _rules():
        for name in re.findall(r"resnet_serve_\w+", rule["expr"]):
            assert f"# TYPE {name} gauge" in exposed


def test_the_features_that_rules_name_are_watched() -> None:
    named = {name for rule in _rules() for name in re.findall(r'feature!?="(\w+)"', rule["expr"])}
    assert named == {"unfamiliar"}


@needs_promtool
def test_the_rules_are_well_formed() -> None:
    _promtool("check", "rules", RULES)


def _case(feature: str, values: str, alert: str, firing_after: str | None) -> dict[str, Any]:
    """A distance every minute; the alert, checked after 10 and 40 minutes."""
    labels = {"name": "resnet18-cifar10", "version": "1", "feature": feature, "severity": "warning"}
    return {
        "interval": "1m",
        "input_series": [
            {
                "series": f'resnet_serve_drift_distance{{{MODEL}, feature="{feature}"}}',
                "values": values,
            }
        ],
        "alert_rule_test": [
            {
                "eval_time": time,
                "alertname": alert,
                "exp_alerts": [{"exp_labels": labels}] if time == firing_after else [],
            }
            for time in ("10m", "40m")
        ],
    }


@needs_promtool
def test_an_alert_fires_for_a_drift_that_lasts_and_for_no_other(tmp_path: Path) -> None:
    drifted, unfamiliar = "ResnetServeDrift", "ResnetServeUnfamiliarImages"
    cases = [
        _case("brightness", "0.3x50", drifted, "40m"),
        _case("class", "0.3x50", drifted, "40m"),
        _case("class", "0.2x50", drifted, None),
        _case("confidence", "0.9x5 0x45", drifted, None),
        _case("unfamiliar", "0.3x50", unfamiliar, "40m"),
        _case("unfamiliar", "0.3x50", drifted, None),
        _case("unfamiliar", "0.1x50", unfamiliar, None),
    ]
    rules = yaml.safe_load(RULES.read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            del rule["annotations"]  # which promtool would compare as well
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules))
    test = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": cases}
    (tmp_path / "test.yml").write_text(yaml.safe_dump(test))
    _promtool("test", "rules", tmp_path / "test.yml")
