"""Two hosts on this machine: network namespaces, each with an address, and a cable between them."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pytest

INTERFACE = "eth0"


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


@dataclass(frozen=True)
class Host:
    """A network namespace; files, processors and the host's name are those of the machine."""

    name: str
    address: str

    def on_it(self, *command: str) -> list[str]:
        """The command that runs `command` on this host."""
        return ["ip", "netns", "exec", self.name, *command]

    def kill(self) -> None:
        """Kill every process of the host at once, as if its power were cut."""
        for pid in _ip("netns", "pids", self.name).split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)

    def unplug(self) -> None:
        """From now on nothing leaves or reaches the host, and nobody is told."""
        _ip("-n", self.name, "link", "set", INTERFACE, "down")


@contextmanager
def two_hosts() -> Iterator[tuple[Host, Host]]:
    """Both with the interface `INTERFACE`; skips the test where no namespaces can be made."""
    if shutil.which("ip") is None:
        pytest.skip("no `ip` command (Debian: iproute2), which makes network namespaces")
    hosts = [Host(f"host-{os.getpid()}-{number}", f"10.0.0.{number}") for number in (1, 2)]
    with_namespace: list[Host] = []
    try:
        try:
            for host in hosts:
                _ip("netns", "add", host.name)
                with_namespace.append(host)
            one, other = hosts
            _ip(
                *("link", "add", INTERFACE, "netns", one.name, "type", "veth"),
                *("peer", "name", INTERFACE, "netns", other.name),
            )
            for host in hosts:
                _ip("-n", host.name, "address", "add", f"{host.address}/24", "dev", INTERFACE)
                for interface in ("lo", INTERFACE):
                    _ip("-n", host.name, "link", "set", interface, "up")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces can be made here: {error.stderr.strip()}")
        yield one, other
    finally:
        for host in with_namespace:
            host.kill()
            _ip("netns", "delete", host.name)
