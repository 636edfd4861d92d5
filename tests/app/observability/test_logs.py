"""What Python would print by itself is a line of the log where that is JSON."""

import json
import subprocess
import sys

PROGRAM = """
import sys, threading, warnings
from app.observability.logs import configure_logging, log_what_python_prints
from app.settings import Settings

configure_logging(Settings(log_format=sys.argv[1]))
log_what_python_prints()


class Unraisable:
    def __del__(self):
        raise ValueError("in a finaliser")


def fail(error):
    raise error


warnings.warn("a warning")
for error in (SystemExit(), KeyError("in a thread")):
    thread = threading.Thread(target=fail, args=(error,))
    thread.start()
    thread.join()
Unraisable()
raise RuntimeError("in the end")
"""


def _said(log_format: str) -> str:
    command = [sys.executable, "-c", PROGRAM, log_format]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stdout) == (1, "")
    return ended.stderr


def test_warnings_and_uncaught_exceptions_are_lines_of_json() -> None:
    warning, *uncaught = (json.loads(line) for line in _said("json").splitlines())
    assert warning["level"] == "WARNING"
    assert "UserWarning: a warning" in warning["message"]
    told = ["KeyError: 'in a thread'", "ValueError: in a finaliser", "RuntimeError: in the end"]
    assert [(each["level"], each["message"]) for each in uncaught] == [("CRITICAL", line) for line in told]
    for each, line in zip(uncaught, told, strict=True):
        assert each["exc_info"].startswith("Traceback ")
        assert each["exc_info"].endswith(line)


def test_as_text_they_are_what_python_prints() -> None:
    said = _said("text")
    assert said.startswith("<string>:")
    assert "Exception in thread " in said
    assert said.endswith("RuntimeError: in the end\n")
