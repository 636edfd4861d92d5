"""The Docker Engine and compose, as the checks of the images use them."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
START_SECONDS = 120
PASSED = {"RESNET_SERVE_CACHE_FILES": "100"}
"""A setting of the shell's that is to reach the service."""


class CheckFailedError(Exception):
    """The container does not do what it should; the message says what."""


@dataclass(frozen=True)
class Compose:
    """Compose with the project's file, in a project of its own."""

    command: list[str]

    def overridden_by(self, file: Path) -> "Compose":
        """The same with `file` after the project's own."""
        return Compose([*self.command, "--file", str(ROOT / "docker-compose.yml"), "--file", str(file)])

    def run(self, *arguments: str, environment: dict[str, str] | None = None) -> None:
        """Run a command of compose; its output is shown."""
        run([*self.command, *arguments], environment)

    @contextmanager
    def started(self, service: str, port: int) -> Iterator[str]:
        """Bring the service up on `port` of the loopback address; yields the container's id."""
        environment = os.environ | {"RESNET_SERVE_HOST": "127.0.0.1", "PORT": str(port)} | PASSED
        profile = ("--profile", service)
        try:
            self.run(*profile, "up", "--detach", service, environment=environment)
            yield output([*self.command, *profile, "ps", "--quiet", service])
        except CheckFailedError:
            self.run("logs", "--tail", "50")
            raise
        finally:
            self.run(*profile, "down", "--volumes")


def find_compose() -> Compose:
    """The plugin, version 2, or else the program, version 1."""
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True).returncode:
        raise CheckFailedError("no Docker engine answers: start one, or add yourself to the group docker")
    if not subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
        return Compose(["docker", "compose", "--project-name", "resnet-serve-test"])
    if shutil.which("docker-compose"):
        return Compose(["docker-compose", "--project-name", "resnet-serve-test"])
    raise CheckFailedError("neither `docker compose` nor `docker-compose` is installed")


def wait_until_healthy(container: str) -> None:
    """Wait for the image's own health check to pass."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        state = inspected(container, "{{.State.Status}} {{.State.Health.Status}}")
        if state == "running healthy":
            step("It is healthy")
            return
        require(state == "running starting", f"its state is '{state}' instead of healthy")
        time.sleep(1)
    raise CheckFailedError(f"it is not healthy after {START_SECONDS} seconds")


def inspected(container: str, format: str) -> str:  # noqa: A002 - Docker's name for it
    """What the engine tells about a container."""
    return output(["docker", "inspect", "--format", format, container])


def inside(container: str, *command: str) -> str:
    """What a command in the container prints."""
    return output(["docker", "exec", container, *command])


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
