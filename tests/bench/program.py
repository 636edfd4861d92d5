"""What every benchmark has in common: how it speaks, what it says of the machine, and how it fails."""

import json
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from models.hardware import cpu_name, usable_cores


class BenchError(Exception):
    """The benchmark cannot be run, or a server gave a wrong answer; the message is one line."""


def run(benchmark: Callable[[], Mapping[str, Any]]) -> int:
    """Run `benchmark` and print its figures as one JSON line, the last. Returns the exit code."""
    try:
        figures = benchmark()
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(json.dumps(figures), flush=True)
    return 0


def say(text: str = "") -> None:
    """Print at once, so that a run of minutes can be followed through a pipe."""
    print(text, flush=True)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their longest cell: the first to the left, all others to the right."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]

    def line(row: Sequence[str]) -> str:
        first, *others = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        return "  ".join([first.strip().ljust(widths[0]), *others]).rstrip()

    return "\n".join([line(header), "  ".join("-" * width for width in widths), *map(line, rows)])


def machine(*packages: str) -> dict[str, Any]:
    """The processor, its cores that may be used, and the versions of Python and `packages`."""
    return {
        "processor": cpu_name() or platform.processor() or platform.machine(),
        "cores": usable_cores(),
        "versions": {
            "python": platform.python_version(),
            **{package: found for package in packages if (found := installed(package))},
        },
    }


def installed(package: str) -> str | None:
    """The version of an installed package, or None where it is absent."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
