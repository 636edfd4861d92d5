"""Bytes over a connection of one's own, where a client would send only what is right."""

import json
import socket
from collections.abc import Mapping
from typing import Any

import pytest

LIVE = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"


def connect(address: tuple[str, int]) -> socket.socket:
    return socket.create_connection(address, timeout=60)


def until_closed(connection: socket.socket) -> bytes:
    """All that the server still sends. One that hangs up on what it has not read resets the connection."""
    received = b""
    try:
        while piece := connection.recv(65536):
            received += piece
    except ConnectionResetError:
        pass
    return received


def exchange(address: tuple[str, int], *sent: bytes) -> bytes:
    with connect(address) as connection:
        for piece in sent:
            connection.sendall(piece)
        return until_closed(connection)


def drip(address: tuple[str, int], start: bytes, piece: bytes) -> bytes:
    """Send `piece` again and again, 20 times a second, until the server has closed the connection."""
    with connect(address) as connection:
        connection.sendall(start)
        connection.settimeout(0.05)
        received = b""
        for _ in range(1000):
            try:
                connection.sendall(piece)
                more = connection.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                return received
            if not more:
                return received
            received += more
    pytest.fail(f"still open after 50 s: {received!r}")


def flood(address: tuple[str, int], start: bytes, piece: bytes) -> tuple[bytes, int]:
    """Send `piece` without end; the answer, and how many bytes the server let itself be sent."""
    with connect(address) as connection:
        connection.sendall(start)
        sent = 0
        try:
            while sent < 200_000_000:
                connection.sendall(piece)
                sent += len(piece)
        except OSError:
            pass
        return until_closed(connection), sent


def require_live(connection: socket.socket, request: bytes = LIVE) -> None:
    connection.sendall(request)
    received = b""
    while not received.endswith(b'{"status":"live"}'):
        piece = connection.recv(65536)
        assert piece, received
        received += piece


def answer_in(received: bytes) -> tuple[int, Mapping[str, str], dict[str, Any]]:
    """Status, headers and content of the one answer that there is."""
    head, _, body = received.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (each.split(": ", 1) for each in lines)}
    assert len(body) == int(headers["content-length"])
    return int(line.split(" ")[1]), headers, json.loads(body)


def check_error(received: bytes, status: int, code: str) -> str:
    """The message of an error, after a check of its shape and of what its answer says besides."""
    found, headers, content = answer_in(received)
    error = content["error"]
    assert (found, error["code"], error["field"]) == (status, code, None)
    assert headers["connection"] == "close"
    assert headers["content-type"] == "application/json"
    assert headers["x-request-id"]
    return str(error["message"])
