"""`python -m app serve`: start the service."""

import argparse
import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from app.main import STATIC, create_app
from app.settings import Settings, SettingsError, load_settings
from models.artifact import ArtifactError


class AnnouncingServer(uvicorn.Server):
    """A server that says when it listens."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code: 1 for what cannot start, 0 for an orderly stop."""
    options = _parse(arguments)
    try:
        settings = load_settings(host=options.host, port=options.port)
        listener = _bind(settings)
    except (SettingsError, OSError) as error:
        return _fail(str(error))
    _configure_logging(settings)
    # Taken as Ctrl-C from the start, so that the model is not left half loaded nor a request half answered.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with listener:
            asyncio.run(_serve(create_app(settings), settings, listener))
    except (ArtifactError, OSError) as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return 0
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m app", description="Serve the image classifier over HTTP."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    serve = commands.add_parser(
        "serve",
        help="start the service",
        description="All further settings are environment variables; see README.md.",
    )
    serve.add_argument("--host", help="address to listen on, instead of HOST")
    serve.add_argument("--port", help="port to listen on, instead of PORT")
    return parser.parse_args(arguments)


def _bind(settings: Settings) -> socket.socket:
    """Reserve the address before anything slow is done; connections are accepted only once all is ready.

    Raises `OSError` with one line that names the address.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with ExitStack() as undo:
            listener = undo.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            undo.pop_all()
    except OSError as error:
        message = f"cannot listen on HOST={settings.host} PORT={settings.port}: {error.strerror}"
        raise OSError(message) from error
    return listener


async def _serve(app: FastAPI, settings: Settings, listener: socket.socket) -> None:
    # The lifespan is run here and not by uvicorn, which would print a traceback if the model does not load.
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=settings.drain_seconds,
    )
    print(f"Loading {settings.model_dir} ...", flush=True)
    async with app.router.lifespan_context(app):
        await AnnouncingServer(config, lambda: _announce(settings, listener)).serve([listener])


def _announce(settings: Settings, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    # Nobody can open 0.0.0.0 or :: in a browser.
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::", "") else settings.host
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    sample = STATIC / "samples" / "cat.png"
    if sample.is_relative_to(Path.cwd()):
        sample = sample.relative_to(Path.cwd())
    print(
        f"Ready. Page: {url}/\n       API:  {url}/docs\n\n  curl -F file=@{sample} {url}/predict\n",
        flush=True,
    )


def _configure_logging(settings: Settings) -> None:
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )


def _fail(message: str) -> int:
    print(f"resnet-serve: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
