"""Neither the service nor the training tells anybody that it runs."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "module", ["app.server.process, models.engines.openvino_engine", "training.export.quantize, nncf"]
)
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


def test_one_core_serves_the_whole_process() -> None:
    """What became of the process where the last core went, and a signal came: see `CORE`."""
    program = """
import os, signal, threading
from models.engines.quiet_openvino import CORE, openvino
signal.signal(signal.SIGTERM, lambda *_: print("stopped in order"))
number = openvino.opset13.parameter([-1], openvino.Type.f32)
compiled = [CORE.compile_model(openvino.Model([number], [number], "same"), "CPU")]
thread = threading.Thread(target=compiled.clear)
thread.start()
thread.join()
os.kill(os.getpid(), signal.SIGTERM)
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "stopped in order\n", "")
    files = [file for room in ("app", "models", "training", "tests") for file in (ROOT / room).rglob("*.py")]
    found = {file.name for file in files if re.search(r"\.Core\(\)", file.read_text(encoding="utf-8"))}
    assert found == {"quiet_openvino.py"}
