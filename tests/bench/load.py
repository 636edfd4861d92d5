"""A bounded load in a closed loop: each connection sends its next request when it has its answer.

By wrk where it is installed, else by `tests.bench.socket_client`, in a process of its own either way. Before
each load one request is sent by httpx and its answer checked; within the load an error of any kind ends the
benchmark.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.bench.arithmetic import Load
from tests.bench.payloads import Body
from tests.bench.program import BenchError

REQUEST_SECONDS = 60
"""Longest time for one request: slow servers are to be measured too."""

WRK_SCRIPT = """\
local file = assert(io.open(%(body)s, "rb"))
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = %(content_type)s
file:close()

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '{"requests": %%d, "microseconds": %%d, "p50": %%.1f, "p95": %%.1f, "p99": %%.1f, ' ..
    '"status": %%d, "connect": %%d, "read": %%d, "write": %%d, "timeout": %%d}\\n',
    summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(95), latency:percentile(99),
    e.status, e.connect, e.read, e.write, e.timeout))
end
"""


def generator() -> str:
    """What drives the load on this machine: `wrk`, or `socket_client`."""
    return "wrk" if shutil.which("wrk") else "socket_client"


def drive(url: str, body: Body, connections: int, seconds: int) -> Load:
    """Send `body` to `url` for whole `seconds`, over so many connections.

    Raises `BenchError` for a wrong answer to the first request, or any error during the load.
    """
    check(url, body)
    by = _by_wrk if generator() == "wrk" else _by_socket_client
    return by(url, body, connections, seconds)


def check(url: str, body: Body) -> dict[str, Any]:
    """Send one request; returns its answer. Raises `BenchError` if that is not the classes of one image."""
    try:
        response = httpx.post(
            url, content=body.content, headers={"Content-Type": body.content_type}, timeout=REQUEST_SECONDS
        )
    except httpx.HTTPError as error:
        raise BenchError(f"{url} does not answer: {error!r}") from error
    if response.status_code != httpx.codes.OK:
        raise BenchError(f"{url} answers with status {response.status_code}: {response.text[:300]}")
    try:
        answer: dict[str, Any] = response.json()
        (prediction,) = answer["predictions"]
        shares = [entry["probability"] for entry in prediction["top"]]
    except (ValueError, KeyError, TypeError) as error:
        raise BenchError(f"{url} gives an answer of another form: {response.text[:300]}") from error
    in_order = shares == sorted(shares, reverse=True)
    if not shares or not in_order or min(shares) < 0 or sum(shares) > 1.001:
        raise BenchError(f"{url} gives probabilities that cannot be right: {shares}")
    return answer


def _by_wrk(url: str, body: Body, connections: int, seconds: int) -> Load:
    with tempfile.TemporaryDirectory() as folder:
        script, content = Path(folder, "load.lua"), Path(folder, "body")
        content.write_bytes(body.content)
        names = {"body": json.dumps(str(content)), "content_type": json.dumps(body.content_type)}
        script.write_text(WRK_SCRIPT % names, encoding="utf-8")
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"--timeout={REQUEST_SECONDS}s"]
        return parse_wrk(_output([*command, "-s", str(script), url], b"", seconds), url)


def parse_wrk(output: str, url: str) -> Load:
    """The figures from the last line that our script makes wrk print.

    Raises `BenchError` if wrk saw an error, or no answer at all. Wrk counts a status of 400 or above as one.
    """
    lines = output.strip().splitlines()
    try:
        figures = json.loads(lines[-1])
    except (IndexError, ValueError) as error:
        raise BenchError(f"wrk printed no figures for {url}: {output[-300:]!r}") from error
    errors = {kind: figures[kind] for kind in ("status", "connect", "read", "write", "timeout")}
    if any(errors.values()):
        seen = ", ".join(f"{count} of kind {kind}" for kind, count in errors.items() if count)
        raise BenchError(f"errors at {url}: {seen}")
    if figures["requests"] == 0:
        raise BenchError(f"no answer from {url} within the time of the load")
    seconds = figures["microseconds"] / 1e6
    return Load(
        requests=figures["requests"],
        errors=0,
        seconds=seconds,
        images_per_second=figures["requests"] / seconds,
        p50_ms=figures["p50"] / 1000,
        p95_ms=figures["p95"] / 1000,
        p99_ms=figures["p99"] / 1000,
    )


def _by_socket_client(url: str, body: Body, connections: int, seconds: int) -> Load:
    parts = urlsplit(url)
    command = [sys.executable, "-m", "tests.bench.socket_client", str(parts.hostname), str(parts.port)]
    numbers = [str(connections), str(seconds)]
    return Load(
        **json.loads(_output([*command, parts.path, body.content_type, *numbers], body.content, seconds))
    )


def _output(command: list[str], given: bytes, seconds: int) -> str:
    limit = seconds + 2 * REQUEST_SECONDS
    try:
        done = subprocess.run(command, input=given, capture_output=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"the load did not end within {limit} s") from error
    if done.returncode:
        raise BenchError(f"the load failed: {(done.stderr or done.stdout).decode()[-300:].strip()}")
    return done.stdout.decode()
