"""Build the container images, run them as `docker compose up` does, and hold them to what they promise.

`make docker-test` runs this, or `python tests/check_docker.py slim` for one of them; it needs a Docker engine
with compose, version 1 or 2. A container must answer as the service does when it runs from this folder, as an
ordinary user without privileges, on a read-only file system, and it must stop in order. The slim one must
stay below its memory limit and say what it cannot do. Containers are removed at the end; the images stay.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "app" / "static" / "samples" / "cat.png"
SERVICES = ("resnet-serve", "slim")
START_SECONDS = 120
TOLERANCE = 1e-4  # of a probability: the two sides may run different builds of PyTorch
PASSED = {"RESNET_SERVE_CACHE_FILES": "100"}
"""A setting of the shell's that is to reach the service."""

open_url = build_opener(ProxyHandler({})).open

WRITE_TO_ROOT = """
try:
    open("/srv/probe", "w")
except OSError as error:
    print(error.errno == __import__("errno").EROFS)
"""


class CheckFailedError(Exception):
    """The container does not do what it should; the message says what."""


def main() -> int:
    """Run all checks; returns the exit code."""
    try:
        compose = [*find_compose(), "--project-name", "resnet-serve-test"]
        expected = answer_of_local_service()
        for service in sys.argv[1:] or SERVICES:
            check_container(compose, service, expected)
    except CheckFailedError as error:
        print(f"docker-test failed: {error}", file=sys.stderr)
        return 1
    print("==> All checks of the container passed")
    return 0


def find_compose() -> list[str]:
    """Return the command of compose: the plugin, version 2, or else the program, version 1."""
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True).returncode:
        raise CheckFailedError("no Docker engine answers: start one, or add yourself to the group docker")
    if not subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
        return ["docker", "compose"]
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    raise CheckFailedError("neither `docker compose` nor `docker-compose` is installed")


def answer_of_local_service() -> dict[str, float]:
    """Start the service from this folder and return its probability for each class of the sample."""
    step("Asking the service that runs from this folder")
    port = free_port()
    environment = os.environ | {"RESNET_SERVE_HOST": "127.0.0.1", "PORT": str(port)}
    service = subprocess.Popen([sys.executable, "-m", "app", "serve"], cwd=ROOT, env=environment)
    try:
        wait_until_ready(port, service)
        return classify(port)
    finally:
        service.terminate()
        service.wait()


def check_container(compose: list[str], service: str, expected: dict[str, float]) -> None:
    """Build and start the container, compare its answer with `expected`, and stop it."""
    step(f"Building the image of {service}; some minutes when PyTorch has to be loaded")
    run([*compose, "--profile", service, "build", service])
    step("Starting the container")
    port = free_port()
    with started(compose, service, port) as container:
        wait_until_healthy(container)
        compare(classify(port), expected)
        check_confinement(container)
        check_bill_of_materials(container)
        if service == "slim":
            check_slim(container, port)
        passed = output(["docker", "exec", container, "printenv", *PASSED])
        require([passed] == [*PASSED.values()], f"{', '.join(PASSED)} is '{passed}' in it")
        run([*compose, "stop"])
        exit_code = output(["docker", "inspect", "--format", "{{.State.ExitCode}}", container])
        require(exit_code == "0", f"it stops with exit code {exit_code}, not 0, on SIGTERM")
        step("It stops in order")


def check_bill_of_materials(container: str) -> None:
    """It lists what the image holds, in CycloneDX's format."""
    bill = json.loads(output(["docker", "exec", container, "cat", "/opt/venv/sbom.json"]))
    names = {component["name"].lower() for component in bill["components"]}
    require(bill["bomFormat"] == "CycloneDX", "/opt/venv/sbom.json is no bill of materials")
    require({"fastapi", "openvino"} <= names, "/opt/venv/sbom.json does not list what is installed")


def check_slim(container: str, port: int) -> None:
    """No PyTorch, a clear answer for what would need it, and the memory limit held under load."""
    find = "import importlib.util; print(importlib.util.find_spec('torch'))"
    require(output(["docker", "exec", container, "python", "-c", find]) == "None", "PyTorch is in it")
    request = Request(f"http://127.0.0.1:{port}/explain", SAMPLE.read_bytes(), {"Content-Type": "image/png"})
    try:
        open_url(request, timeout=60).close()
    except HTTPError as error:
        code = json.load(error)["error"]["code"]
        require((error.code, code) == (501, "pytorch_not_installed"), f"/explain answers {error.code} {code}")
    else:
        raise CheckFailedError("/explain answers without PyTorch")
    with ThreadPoolExecutor(8) as threads:
        for _ in threads.map(classify, [port] * 400):
            pass
    state = output(["docker", "inspect", "--format", "{{.State.OOMKilled}} {{.RestartCount}}", container])
    require(state == "false 0", f"under load it ran out of memory or restarted: {state}")
    step("The slim image holds its memory limit")


@contextmanager
def started(compose: list[str], service: str, port: int) -> Iterator[str]:
    """Bring the service up on `port` of the loopback address; yields the container's id."""
    environment = os.environ | {"RESNET_SERVE_HOST": "127.0.0.1", "PORT": str(port)} | PASSED
    try:
        run([*compose, "--profile", service, "up", "--detach", service], environment)
        yield output([*compose, "--profile", service, "ps", "--quiet", service])
    except CheckFailedError:
        run([*compose, "logs", "--tail", "50"])
        raise
    finally:
        run([*compose, "--profile", service, "down", "--volumes"])


def wait_until_healthy(container: str) -> None:
    """Wait for the image's own health check to pass."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        state = output(
            ["docker", "inspect", "--format", "{{.State.Status}} {{.State.Health.Status}}", container]
        )
        if state == "running healthy":
            step("It is healthy")
            return
        require(state == "running starting", f"its state is '{state}' instead of healthy")
        time.sleep(1)
    raise CheckFailedError(f"it is not healthy after {START_SECONDS} seconds")


def wait_until_ready(port: int, service: subprocess.Popen[bytes]) -> None:
    """Wait for the service's own readiness."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and service.poll() is None:
        try:
            open_url(f"http://127.0.0.1:{port}/health/ready", timeout=5).close()
        except (URLError, OSError):
            time.sleep(0.2)
        else:
            return
    raise CheckFailedError("the service does not start from this folder either: try `make serve`")


def classify(port: int) -> dict[str, float]:
    """Send the sample to the service on `port`; returns class -> probability, the most probable first."""
    request = Request(
        f"http://127.0.0.1:{port}/predict?top_k=10",
        data=SAMPLE.read_bytes(),
        headers={"Content-Type": "image/png"},
    )
    with open_url(request, timeout=60) as response:
        answer = json.load(response)
    return {entry["label"]: entry["probability"] for entry in answer["predictions"][0]["top"]}


def compare(answer: dict[str, float], expected: dict[str, float]) -> None:
    """Require the label of the sample, and the same probabilities as without a container."""
    label, probability = next(iter(answer.items()))
    require(label == SAMPLE.stem, f"it takes {SAMPLE.name} for '{label}'")
    require(answer.keys() == expected.keys(), f"it knows {sorted(answer)}, not {sorted(expected)}")
    difference = max(abs(answer[name] - expected[name]) for name in expected)
    require(difference <= TOLERANCE, f"its probabilities differ by {difference:.2g} from those expected")
    step(f"It answers {label} ({probability:.4f}), as the service does without it, within {difference:.1g}")


def check_confinement(container: str) -> None:
    """Require an ordinary user without any privilege, and a file system that it cannot write to."""
    inside = ["docker", "exec", container, "python", "-c"]
    status = output([*inside, "print(open('/proc/1/status').read())"])
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    require("0" not in fields["Uid"].split(), "it runs as root")
    require(int(fields["CapEff"], 16) == 0, f"it has the capabilities {fields['CapEff']}")
    require(fields["NoNewPrivs"] == "1", "it may gain new privileges")
    require(output([*inside, WRITE_TO_ROOT]) == "True", "its file system is not read-only")
    step(f"It runs as user {fields['Uid'].split()[0]} without privileges, on a read-only file system")


def free_port() -> int:
    """Return a port of the loopback address on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def step(text: str) -> None:
    """Say what is being done, or what was found."""
    print(f"==> {text}", flush=True)


def require(condition: bool, otherwise: str) -> None:
    """Raise `CheckFailedError` with the message `otherwise` unless the condition holds."""
    if not condition:
        raise CheckFailedError(otherwise)


def run(command: list[str], environment: dict[str, str] | None = None) -> None:
    """Run a command of which the person may see the output."""
    if subprocess.run(command, cwd=ROOT, env=environment).returncode:
        raise CheckFailedError(f"`{' '.join(command)}` failed")


def output(command: list[str]) -> str:
    """Run a command and return what it prints, without the blank space around it."""
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    require(result.returncode == 0, f"`{' '.join(command[:3])}` failed: {result.stderr.strip()}")
    return result.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
