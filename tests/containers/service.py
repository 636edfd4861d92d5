"""A container of the service: the same answers as without it, no privileges, and an end in order."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.containers.engine import (
    PASSED,
    ROOT,
    START_SECONDS,
    CheckFailedError,
    Compose,
    inside,
    inspected,
    require,
    run,
    step,
    wait_until_healthy,
)
from tests.support.free_port import free_port

SAMPLE = ROOT / "app" / "static" / "samples" / "cat.png"
TOLERANCE = 1e-4  # of a probability: the two sides may run different builds of PyTorch

WRITE_TO_ROOT = """
try:
    open("/srv/probe", "w")
except OSError as error:
    print(error.errno == __import__("errno").EROFS)
"""


def ask(port: int, method: str, path: str, content: bytes = b"", kind: str = "image/png") -> httpx.Response:
    """A response of the service on `port` of the loopback address."""
    address = f"http://127.0.0.1:{port}{path}"
    headers = {"Content-Type": kind}
    return httpx.request(method, address, content=content, headers=headers, timeout=120, trust_env=False)


def answer_of_local_service() -> dict[str, float]:
    """Start the service from this folder and return its probability for each class of the sample."""
    step("Asking the service that runs from this folder")
    port = free_port()
    environment = os.environ | {"RESNET_SERVE_HOST": "127.0.0.1", "PORT": str(port)}
    service = subprocess.Popen([sys.executable, "-m", "app", "serve"], cwd=ROOT, env=environment)
    try:
        _wait_until_ready(port, service)
        return classify(port)
    finally:
        service.terminate()
        service.wait()


def check_service(compose: Compose, service: str) -> None:
    """Build and start the container, compare its answer, and stop it."""
    expected = answer_of_local_service()
    with built_and_started(compose, service) as (container, port):
        _compare(classify(port), expected)
        _check_confinement(container)
        check_bill_of_materials(inside(container, "cat", "/opt/venv/sbom.json"))
        passed = inside(container, "printenv", *PASSED)
        require([passed] == [*PASSED.values()], f"{', '.join(PASSED)} is '{passed}' in it")


@contextmanager
def built_and_started(compose: Compose, service: str) -> Iterator[tuple[str, int]]:
    """A healthy container and its port on the loopback address; at the end it must stop in order."""
    step(f"Building the image of {service}; some minutes when PyTorch has to be loaded")
    compose.run("--profile", service, "build", service)
    step("Starting the container")
    port = free_port()
    with compose.started(service, port) as container:
        wait_until_healthy(container)
        own = inside(container, "du", "-sxm", "--total", "/opt/venv", "/srv").split()[-2]
        step(f"It adds {own} MiB to its base image")
        yield container, port
        run([*compose.command, "stop"])
        exit_code = inspected(container, "{{.State.ExitCode}}")
        require(exit_code == "0", f"it stops with exit code {exit_code}, not 0, on SIGTERM")
        step("It stops in order")


def check_bill_of_materials(text: str) -> None:
    """It lists what the image holds, in CycloneDX's format."""
    bill = json.loads(text)
    names = {component["name"].lower() for component in bill["components"]}
    require(bill["bomFormat"] == "CycloneDX", "/opt/venv/sbom.json is no bill of materials")
    require({"numpy", "openvino"} <= names, "/opt/venv/sbom.json does not list what is installed")
    step(f"Its bill of materials lists {len(names)} packages")


def classify(port: int) -> dict[str, float]:
    """Send the sample to the service on `port`; returns class -> probability, the most probable first."""
    answer = ask(port, "POST", "/predict?top_k=10", SAMPLE.read_bytes()).raise_for_status().json()
    return {entry["label"]: entry["probability"] for entry in answer["predictions"][0]["top"]}


def _wait_until_ready(port: int, service: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and service.poll() is None:
        try:
            ask(port, "GET", "/health/ready").raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.2)
        else:
            return
    raise CheckFailedError("the service does not start from this folder either: try `make serve`")


def _compare(answer: dict[str, float], expected: dict[str, float]) -> None:
    """Require the label of the sample, and the same probabilities as without a container."""
    label, probability = next(iter(answer.items()))
    require(label == SAMPLE.stem, f"it takes {SAMPLE.name} for '{label}'")
    require(answer.keys() == expected.keys(), f"it knows {sorted(answer)}, not {sorted(expected)}")
    difference = max(abs(answer[name] - expected[name]) for name in expected)
    require(difference <= TOLERANCE, f"its probabilities differ by {difference:.2g} from those expected")
    step(f"It answers {label} ({probability:.4f}), as the service does without it, within {difference:.1g}")


def _check_confinement(container: str) -> None:
    """Require an ordinary user without any privilege, and a file system that it cannot write to."""
    status = inside(container, "python", "-c", "print(open('/proc/1/status').read())")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    require("0" not in fields["Uid"].split(), "it runs as root")
    require(int(fields["CapEff"], 16) == 0, f"it has the capabilities {fields['CapEff']}")
    require(fields["NoNewPrivs"] == "1", "it may gain new privileges")
    require(inside(container, "python", "-c", WRITE_TO_ROOT) == "True", "its file system is not read-only")
    step(f"It runs as user {fields['Uid'].split()[0]} without privileges, on a read-only file system")
