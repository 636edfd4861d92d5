"""Neither the service nor the training tells anybody that it runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("module", ["app.server.process", "training.export.quantize, nncf"])
def test_telemetry_is_not_loaded(module: str) -> None:
    listed = f"import {module}, sys; print([name for name, module in sys.modules.items() if module])"
    names = subprocess.run(
        [sys.executable, "-c", listed], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    assert "'openvino'" in names
    assert "'openvino_telemetry" not in names


def test_openvino_is_imported_in_no_other_way() -> None:
    imports = re.compile(r"^\s*(?:import|from) openvino\b", re.MULTILINE)
    files = [file for room in ("app", "models", "training", "tests") for file in (ROOT / room).rglob("*.py")]
    found = {file.name for file in files if imports.search(file.read_text(encoding="utf-8"))}
    assert found == {"quiet_openvino.py"}
