"""The long load, briefly and for real, against a small model."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.bench.server import ROOT
from tests.bench.soak import KINDS, unexpected
from tests.support.artifacts import save_small_artifact


def test_what_is_not_the_outcome_of_its_kind_is_told() -> None:
    outcomes = Counter(
        {("photo", "200"): 9, ("photo", "500"): 2, ("photo", "429"): 1, ("no picture", "200"): 1}
    )
    assert unexpected(outcomes) == {"no picture: 200": 1, "photo: 500": 2}
    assert unexpected(Counter({("too large", "BrokenPipeError"): 1, ("photo", "BrokenPipeError"): 3})) == {
        "photo: BrokenPipeError": 3
    }


def test_every_kind_is_asked_and_answered_as_it_should_be(tmp_path: Path) -> None:
    model = save_small_artifact(tmp_path / "lenet-test" / "1")
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.soak", "--minutes", "0.05", "--every", "1", "--clients", "3"],
        cwd=ROOT,
        env={**os.environ, "RESNET_SERVE_MODEL_DIR": str(model), "RESNET_SERVE_DEVICE": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    *lines, last = done.stdout.splitlines()
    figures = json.loads(last)
    assert [json.loads(line) for line in lines] == figures["samples"]
    assert figures["unexpected"] == {}
    assert all(figures["outcomes"][name] for name in KINDS)
    counted = sum(sum(sample["statuses"].values()) for sample in figures["samples"])
    assert counted == sum(sum(outcomes.values()) for outcomes in figures["outcomes"].values())
    for sample in figures["samples"]:
        assert min(sample["memory_mib"], sample["descriptors"], sample["threads"]) > 0
