"""What checks a change, before a commit and on a machine of continuous integration."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import LONGEST, QUICK, SLOW, TESTS, TOGETHER

ROOT = Path(__file__).parents[1]
PRE_COMMIT = ROOT / ".pre-commit-config.yaml"


def test_pre_commit_takes_its_configuration() -> None:
    command = [sys.executable, "-m", "pre_commit", "validate-config", str(PRE_COMMIT)]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_commit_is_checked_as_make_check_does() -> None:
    (recipe,) = re.findall(r"^check:.*\n((?:\t.+\n)+)", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    made = [line.strip().replace("$(BIN)", ".venv/bin").removesuffix(" .") for line in recipe.splitlines()]
    hooks = re.findall(r"^ +entry: (.+)$", PRE_COMMIT.read_text(), flags=re.MULTILINE)
    hooked = [hook.replace(" --force-exclude", "") for hook in hooks]
    assert hooked == made


@pytest.mark.parametrize("has_data", [True, False])
def test_continuous_integration_goes_on_without_the_data_set(tmp_path: Path, has_data: bool) -> None:
    """With programs that only tell how they are called in the place of what installs and runs."""
    checkout, programs = tmp_path / "checkout", tmp_path / "programs"
    for folder in (checkout / ".ci", checkout / ".venv" / "bin", programs):
        folder.mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", checkout / ".ci")
    for program in (programs / "apt-get", programs / "make", checkout / ".venv" / "bin" / "python"):
        program.write_text('#!/bin/sh\necho "$(basename "$0") $*"\n')
        program.chmod(0o755)
    (unpack,) = re.findall(r"^unpack=(\S+)$", (ROOT / ".ci" / "run").read_text(), flags=re.MULTILINE)
    if has_data:
        (checkout / unpack).parent.mkdir(parents=True)
        (checkout / unpack).touch()
    ended = subprocess.run(
        ["bash", checkout / ".ci" / "run"],
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    told = ended.stdout.splitlines()
    assert told[-2:] == ["make check", "make test"]
    assert (f"python {unpack} data" in told) == has_data
    assert any("tests that need CIFAR-10 are skipped" in line for line in told) != has_data


@pytest.mark.parametrize("path", [*QUICK, *SLOW, *LONGEST, *TOGETHER])
def test_what_the_order_of_the_tests_names_is_there(path: str) -> None:
    assert (TESTS / path).exists()
