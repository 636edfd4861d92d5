"""What happens to the service and to its other clients during an attack, or when the machine fails.

    python -m tests.bench.attacks [--checkout FOLDER] [NAME ...]

Each attack meets a server of its own on 127.0.0.1. Meanwhile another process requests /health/live
repeatedly. A line for each attack says what was answered and after how long, the p99 and the worst time of
/health/live in ms (a failed request counts with its timeout), the most memory that the server has held
since its start, and how long the start took. Every attack is bounded: in what it sends, how long a response
is waited for, and how much memory the server may take.

Prints one JSON object as its last line. `--checkout` names the folder of another commit, whose server is
attacked instead, for figures of before.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.settings.environment import PREFIX
from tests.bench import failing_machine, hostile_requests
from tests.bench.arithmetic import percentile
from tests.bench.program import BenchError, machine, run, say
from tests.bench.server import OURS, ROOT, running
from tests.bench.target import Target
from tests.bench.watching import watched

ATTACKS: dict[str, Callable[[Target], str]] = {
    "million-inputs": hostile_requests.million_inputs,
    "outputs-again": hostile_requests.outputs_again,
    "large-webp": hostile_requests.large_webp,
    "large-pngs-and-gone": hostile_requests.large_pngs_and_gone,
    "many-scans": hostile_requests.many_scans,
    "zipped-numbers": hostile_requests.zipped_numbers,
    "upgrade-to-h2c": hostile_requests.upgrade_to_h2c,
    "keys-emptied": failing_machine.keys_emptied,
    "semicolons": hostile_requests.semicolons,
    "charsets": hostile_requests.charsets,
    "blanks": hostile_requests.blanks,
    "stopped-worker": failing_machine.stopped_worker,
    "full-disk": failing_machine.full_disk,
    "large-batches": failing_machine.large_batches,
    "stop-while-decoding": failing_machine.stop_while_decoding,
}

SETTINGS: dict[str, dict[str, str]] = {
    "large-batches": {"MAX_BATCH": "512"},
    "stop-while-decoding": {"DRAIN_SECONDS": "5", "MAX_REQUEST_PIXELS": "100000000000"},
}
"""What a server is set to for some attacks, without the prefix."""

OF_TWO_WORKERS = ("keys-emptied", "stopped-worker", "full-disk")


@contextmanager
def _temporary(*, small: bool) -> Iterator[Path]:
    """A folder; with `small` on a file system of one MiB, which root only can mount."""
    with tempfile.TemporaryDirectory() as path:
        if small:
            mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", path]
            try:
                subprocess.run(mount, check=True, capture_output=True)
            except (OSError, subprocess.CalledProcessError) as error:
                raise BenchError("a file system can be mounted by root only, and not everywhere") from error
        try:
            yield Path(path)
        finally:
            if small:
                subprocess.run(["umount", "--lazy", path], check=True)


def measure(name: str, checkout: Path = ROOT) -> dict[str, Any]:
    """Meet a server of its own with the attack of this name. Raises `BenchError`."""
    with _temporary(small=name == "full-disk") as folder:
        settings = {"TMPDIR": str(folder), "WORKERS": "2" if name in OF_TWO_WORKERS else "1"}
        if name == "keys-emptied":
            (folder / "keys").write_text(failing_machine.KEY)
            settings |= _named("API_KEYS_FILE", str(folder / "keys"))
        for setting, value in SETTINGS.get(name, {}).items():
            settings |= _named(setting, value)
        with running(OURS, settings, folder=checkout) as server:
            target = Target.of(server, folder)
            start_mib = server.peak_mib()
            if name in OF_TWO_WORKERS:
                failing_machine.wait_for_two(target)  # for the server is ready when the first of them is
            with watched(server, target) as seen:
                begun = time.perf_counter()
                answer = ATTACKS[name](target)
                seconds = time.perf_counter() - begun
    return {
        "answer": answer,
        "seconds": round(seconds, 3),
        "live_p99_ms": round(percentile(seen.live_ms, 99), 1),
        "live_worst_ms": round(max(seen.live_ms), 1),
        "peak_mib": round(max(start_mib, seen.peak_mib)),
        "start_seconds": round(server.cold_start_seconds, 1),
    }


def _named(setting: str, value: str) -> dict[str, str]:
    """A setting under its name, and under the one that it had in older commits."""
    return {f"{PREFIX}{setting}": value, setting: value}


def attacks(names: list[str], checkout: Path) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name in names:
        try:
            figures[name] = measure(name, checkout)
        except BenchError as error:
            figures[name] = {"failed": str(error)}
        say(f"{name}: {json.dumps(figures[name])}")
    return {"machine": machine("openvino", "torch", "uvicorn"), "attacks": figures}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.attacks", description=__doc__.split("\n")[0])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"attacks to run (default: all): {', '.join(ATTACKS)}"
    )
    parser.add_argument(
        "--checkout", type=Path, default=ROOT, help="folder of the code to attack (default: this one)"
    )
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in ATTACKS]:
        parser.error(f"there is no {unknown[0]}; choose from {', '.join(ATTACKS)}")
    return run(lambda: attacks(options.names or list(ATTACKS), options.checkout))


if __name__ == "__main__":
    sys.exit(main())
