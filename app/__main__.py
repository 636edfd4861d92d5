"""`python -m app serve | check | predict | models`: start the service, check it, or ask one that runs."""

import argparse
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from app import cli
from app.client import Client, ServiceError
from app.errors import StartError
from app.observability.logs import configure_logging
from app.server.sockets import announce, bind
from app.server.supervisor import Supervisor
from app.settings import Settings, SettingsError, load_settings


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0 for an orderly stop, 1 for anything else."""
    options = _parse(arguments)
    try:
        run: Callable[[argparse.Namespace], int] = options.run
        return run(options)
    except (SettingsError, StartError, ServiceError, OSError) as error:
        return _fail(str(error))


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m app", description="Serve the image classifier over HTTP, or ask a service that runs."
    )
    commands = parser.add_subparsers(required=True, metavar="command")

    serve = commands.add_parser(
        "serve",
        help="start the service",
        description="All further settings are environment variables; see app/README.md.",
    )
    serve.set_defaults(run=_start)
    serve.add_argument("--host", help="address to listen on, instead of HOST")
    serve.add_argument("--port", help="port to listen on, instead of PORT")

    check = commands.add_parser("check", help="check settings and model as the start does, and serve nothing")
    check.set_defaults(run=_check)

    predict = commands.add_parser("predict", help="classify image files by a service that runs")
    predict.set_defaults(run=_predict)
    predict.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    predict.add_argument("--top-k", type=int, help="classes to show for each image (default: 5)")
    predict.add_argument("--model", help="name of the model (default: the service's own choice)")
    predict.add_argument("--version", help="version of the model (default: the one loaded last)")

    models = commands.add_parser("models", help="list what a service serves")
    models.set_defaults(run=_models)
    for asking in (predict, models):
        asking.add_argument("--url", default="http://127.0.0.1:8000", help="of the service (%(default)s)")
        asking.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(arguments)


def _start(options: argparse.Namespace) -> int:
    settings = load_settings(host=options.host, port=options.port)
    configure_logging(settings)
    with bind(settings) as listener:
        print(f"Loading {settings.model_repository or settings.model_dir} ...", flush=True)
        run = _serve if settings.workers == 1 else _supervise
        return run(settings, listener)


def _check(_: argparse.Namespace) -> int:
    settings = load_settings()
    # Not at the top, as below.
    from app.main import check

    print("\n".join(check(settings)))
    return 0


def _client(options: argparse.Namespace) -> Client:
    return Client(options.url, api_key=os.environ.get("API_KEY"))


def _predict(options: argparse.Namespace) -> int:
    with _client(options) as client:
        text, refusals = cli.predict(
            client,
            options.images,
            top_k=options.top_k,
            model=options.model,
            version=options.version,
            as_json=options.json,
        )
    if text:
        print(text)
    for refusal in refusals:
        _fail(refusal)
    return 1 if refusals else 0


def _models(options: argparse.Namespace) -> int:
    with _client(options) as client:
        print(cli.models(client, as_json=options.json))
    return 0


def _serve(settings: Settings, listener: socket.socket) -> int:
    # Taken as Ctrl-C from the start, so that the model is not left half loaded nor a request half answered.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # Not at the top: a process that only supervises others does without PyTorch and its half gigabyte.
        from app.server.process import serve

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
