"""How the benchmarks print, and how they fail."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.bench.program import BenchError, installed, machine, run, table


def test_columns_are_aligned() -> None:
    assert table(["case", "images/s"], [["a", "1"], ["longer", "12345678.9"]]).splitlines() == [
        "case      images/s",
        "------  ----------",
        "a                1",
        "longer  12345678.9",
    ]


def test_figures_are_the_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(lambda: {"benchmark": "some", "rate": 1.5}) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"benchmark": "some", "rate": 1.5}


def test_a_failure_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> Mapping[str, Any]:
        raise BenchError("the server is gone")

    assert run(fails) == 1
    assert capsys.readouterr() == ("", "bench: the server is gone\n")


def test_versions_are_of_packages_that_are_there() -> None:
    assert set(machine("torch", "no-such-package")["versions"]) == {"python", "torch"}
    assert installed("no-such-package") is None
