"""The benchmark of the service, briefly and for real, against a small model."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.arithmetic import Load
from tests.bench.limits import SIZES, Figures
from tests.bench.program import BenchError
from tests.bench.serving import CASES, Results, choose, summarize
from tests.support.artifacts import save_small_artifact

ROOT = Path(__file__).parents[2]


def test_cases_are_every_image_form_and_number_of_connections() -> None:
    assert len(CASES) == 18
    assert [case.name for case in choose(["32x32-jpeg/*/32", "*/raw/1"])] == [
        "32x32-png/raw/1",
        "32x32-jpeg/multipart/32",
        "32x32-jpeg/raw/1",
        "32x32-jpeg/raw/32",
        "640x480-jpeg/raw/1",
    ]


def test_a_pattern_that_matches_no_case_is_refused() -> None:
    with pytest.raises(BenchError, match="--cases matches none of 32x32-png/multipart/1, "):
        choose(["gif/*"])


def test_ratio_is_to_the_best_batch_of_the_engine() -> None:
    load = Load(100, 0, 1.0, 600.0, 1.0, 2.0, 3.0)
    rates = [{1: 500.0, 8: 700.0}, {1: 510.0, 8: 800.0}, {1: 400.0, 8: 900.0}]
    results = Results(
        served={"32x32-png/raw/1": [load]}, limits=[Figures(rate, {"32x32-png": 5000.0}) for rate in rates]
    )
    figures = summarize(results)
    assert figures["engine"] == {"best_batch": 8, "images_per_second": {"1": 500.0, "8": 800.0}}
    assert figures["cases"]["32x32-png/raw/1"]["ratio_to_engine"] == 0.75


def test_quick_run_gives_every_figure(tmp_path: Path) -> None:
    folder = save_small_artifact(tmp_path / "lenet-test" / "1")
    command = ["-m", "tests.bench.serving", "--quick", "--cases", "32x32-jpeg/raw/32", "--memory", "10"]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, "RESNET_SERVE_MODEL_DIR": str(folder), "RESNET_SERVE_DEVICE": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    case = figures["cases"]["32x32-jpeg/raw/32"]
    assert case["requests"] > 0
    assert case["errors"] == 0
    assert 0 < case["p50_ms"] <= case["p95_ms"] <= case["p99_ms"]
    assert case["ratio_to_engine"] > 0
    assert figures["http_alone"]["32x32-jpeg/raw/32"]["requests"] > 0
    assert list(figures["engine"]["images_per_second"]) == [str(size) for size in SIZES]
    assert all(rate > 0 for rate in figures["decoding_images_per_second"].values())
    assert 1 <= figures["images_per_batch"]["32x32-jpeg/raw/32"] <= figures["serving"]["max_batch"]
    assert figures["serving"]["engine"] == "openvino"
    assert figures["memory_over_requests"][-1]["requests"] >= 10
    assert all(point["mib"] > 0 for point in figures["memory_over_requests"])
    assert figures["cold_start_seconds"] > 0
