"""A port for a program that a test starts."""

from contextlib import suppress
from pathlib import Path
from random import SystemRandom
from socket import create_server

FIRST, END = 10240, 65536
KERNEL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """A TCP port of 127.0.0.1 on which nothing listens, outside the kernel's own range where that leaves any.

    From its own range the kernel serves whoever asks for any port, or connects to somewhere: between this
    call and the program's own, it may give a port from there to another process.
    """
    first, last = map(int, KERNEL_RANGE.read_text().split())
    all_ports = range(FIRST, END)
    ports = [port for port in all_ports if not first <= port <= last] or all_ports
    # Many tests choose at once, and some processes have the same seed.
    for port in SystemRandom().sample(ports, len(ports)):
        with suppress(OSError), create_server(("127.0.0.1", port)):
            return port
    raise OSError(f"all ports from {FIRST} on are in use")
