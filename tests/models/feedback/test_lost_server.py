"""A PostgreSQL server whose host is lost without a word, which closes no connection, is noticed in time."""

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.support.postgresql import postgresql, program_folder
from tests.support.two_hosts import Host, two_hosts

NOTICED_SECONDS = 10
"""Two waits of 2 s, for the connection that is lost and for another one, on a machine with other work."""

PORT = 5432

# The server of the tests listens on a socket in a folder, which all hosts on this machine can reach.
FORWARDER = """
import asyncio, sys

async def copy(reader, writer):
    while content := await reader.read(65536):
        writer.write(content)
    writer.close()

async def forward(reader, writer):
    to_server = await asyncio.open_unix_connection(sys.argv[3])
    await asyncio.gather(copy(reader, to_server[1]), copy(to_server[0], writer))

async def main():
    server = await asyncio.start_server(forward, sys.argv[1], int(sys.argv[2]))
    print("listening", flush=True)
    await server.serve_forever()

asyncio.run(main())
"""

CLIENT = """
import sys, time
from models.feedback.database import FeedbackDatabase
from models.feedback.records import FeedbackError

database = FeedbackDatabase(sys.argv[1])
database.prepare()
print("prepared", flush=True)
if sys.argv[2] == "before":
    input()
started = time.monotonic()
try:
    with database._transaction() as connection:
        connection.exec_driver_sql("SELECT pg_sleep(60)")
except FeedbackError:
    print(time.monotonic() - started)
"""


@pytest.fixture
def hosts() -> Iterator[tuple[Host, Host]]:
    with two_hosts() as both:
        yield both


@pytest.fixture(scope="module")
def socket() -> Iterator[str]:
    if program_folder() is None:
        pytest.skip("no PostgreSQL server is installed")
    with postgresql() as url:
        yield f"{url.partition('?host=')[2]}/.s.PGSQL.{PORT}"


def _python(host: Host, script: str, *arguments: str) -> subprocess.Popen[str]:
    command = host.on_it(sys.executable, "-c", script, *arguments)
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("when", ["before", "during"])
def test_a_server_whose_host_is_lost_is_an_error_within_seconds(
    hosts: tuple[Host, Host], socket: str, when: str
) -> None:
    """Before a transaction, where nothing that is sent arrives, and during one, whose answer never comes."""
    here, there = hosts
    address = f"postgresql://tester@{there.address}:{PORT}/postgres"
    with (
        _python(there, FORWARDER, there.address, str(PORT), socket) as forwarder,
        _python(here, CLIENT, address, when) as client,
    ):
        try:
            assert forwarder.stdout is not None
            assert forwarder.stdout.readline() == "listening\n"
            assert client.stdout is not None
            assert client.stdout.readline() == "prepared\n"
            if when == "during":
                time.sleep(1)
            there.unplug()
            told, _ = client.communicate("\n", timeout=60)
            assert 1 < float(told) < NOTICED_SECONDS
        finally:
            client.kill()
            forwarder.kill()
