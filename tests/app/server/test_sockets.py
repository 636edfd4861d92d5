"""The address is reserved for one service, and for all of its workers."""

import socket
from collections import Counter
from contextlib import suppress

import pytest

from app.errors import StartError
from app.server.sockets import bind, bind_beside
from app.settings import Settings


def test_an_address_is_reserved_before_connections_are_taken() -> None:
    with bind(Settings(port=0)) as reserved, pytest.raises(ConnectionRefusedError):
        socket.create_connection(reserved.getsockname(), timeout=60)


@pytest.mark.parametrize("workers", [1, 2])
def test_on_ipv6_both_kinds_of_addresses_are_served(workers: int) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with bind(Settings(host="::", port=0, workers=workers)) as listener:
        listener.listen()
        for address in ("::1", "127.0.0.1"):
            socket.create_connection((address, listener.getsockname()[1]), timeout=60).close()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_service_gets_no_share_of_it(workers: int) -> None:
    with bind(Settings(port=0, workers=2)) as reserved, bind_beside(reserved) as worker:
        worker.listen()
        port = reserved.getsockname()[1]
        with pytest.raises(StartError, match=rf"^cannot listen on 127\.0\.0\.1 port {port}: "):
            bind(Settings(port=port, workers=workers))


def test_what_is_no_name_of_a_host_is_told() -> None:
    with pytest.raises(StartError, match=r"^cannot listen on 'a\.\.b': that is no name of a host$"):
        bind(Settings(host="a..b"))


def test_connections_are_spread_over_the_workers_that_listen() -> None:
    with (
        bind(Settings(port=0, workers=3)) as reserved,
        bind_beside(reserved) as one,
        bind_beside(reserved) as two,
        bind_beside(reserved),
    ):
        taken: Counter[socket.socket] = Counter()
        for worker in (one, two):
            worker.listen()
            worker.settimeout(0)
        clients = [socket.create_connection(reserved.getsockname(), timeout=60) for _ in range(64)]
        for worker in (one, two):
            with suppress(BlockingIOError):
                while True:
                    worker.accept()[0].close()
                    taken[worker] += 1
        for client in clients:
            client.close()
    assert set(taken) == {one, two}
    assert taken.total() == 64
