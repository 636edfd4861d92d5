"""`python -m app serve`: start the service."""

import argparse
import signal
import socket
import sys

from app.logs import configure_logging
from app.settings import Settings, SettingsError, load_settings
from app.startup import StartError, announce, bind
from app.supervisor import Supervisor


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0 for an orderly stop, 1 for anything else."""
    options = _parse(arguments)
    try:
        settings = load_settings(host=options.host, port=options.port)
        configure_logging(settings)
        with bind(settings) as listener:
            print(f"Loading {settings.model_dir} ...", flush=True)
            run = _serve if settings.workers == 1 else _supervise
            return run(settings, listener)
    except (SettingsError, StartError, OSError) as error:
        return _fail(str(error))


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


def _serve(settings: Settings, listener: socket.socket) -> int:
    # Taken as Ctrl-C from the start, so that the model is not left half loaded nor a request half answered.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # Not at the top: a process that only supervises others does without PyTorch and its half gigabyte.
        from app.server import serve

        serve(settings, listener, lambda: announce(settings, listener))
    except KeyboardInterrupt:
        return 0
    return 0


def _supervise(settings: Settings, listener: socket.socket) -> int:
    in_order = Supervisor(settings, listener, lambda: announce(settings, listener)).run()
    return 0 if in_order else 1


def _fail(message: str) -> int:
    print(f"resnet-serve: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
