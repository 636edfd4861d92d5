"""The start before there is a model: the address to serve, telling people about it, and what goes wrong."""

import socket
from contextlib import ExitStack
from pathlib import Path

from app.errors import StartError
from app.observability.logs import tell
from app.settings import Settings

_SAMPLE = Path(__file__).parents[1] / "static" / "samples" / "cat.png"


def bind(settings: Settings) -> socket.socket:
    """Reserve the address before anything slow is done; connections are accepted only once all is ready.

    Raises `StartError` with one line that names the address.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with ExitStack() as undo:
            listener = undo.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            if settings.workers > 1:
                # Only now: set before, it would let another service take the same port.
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            undo.pop_all()
    except OSError as error:
        message = f"cannot listen on {settings.host} port {settings.port}: {error.strerror}"
        raise StartError(message) from error
    except UnicodeError as error:  # as of "a..b", before the system is asked
        raise StartError(f"cannot listen on {settings.host!r}: that is no name of a host") from error
    return listener


def bind_beside(reserved: socket.socket) -> socket.socket:
    """A socket of a worker's own for the address that its parent has `reserved`.

    Linux spreads new connections over all processes that listen so. Of one shared socket, the process that is
    awake first takes every connection that waits: 32 clients were seen to land all with one of two workers.
    """
    own = socket.socket(reserved.family, reserved.type, reserved.proto)
    for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        own.setsockopt(socket.SOL_SOCKET, option, 1)
    own.bind(reserved.getsockname())
    return own


def announce(settings: Settings, listener: socket.socket) -> None:
    """Print where the page and the API are, and a command to try, or log the address as JSON."""
    port = listener.getsockname()[1]
    # Nobody can open 0.0.0.0 or :: in a browser.
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::", "") else settings.host
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    if settings.log_format == "json":
        tell("ready on %s", url)
        return
    sample = _SAMPLE.relative_to(Path.cwd()) if _SAMPLE.is_relative_to(Path.cwd()) else _SAMPLE
    print(
        f"Ready. Page: {url}/\n       API:  {url}/docs\n\n  curl -F file=@{sample} {url}/predict\n",
        flush=True,
    )
