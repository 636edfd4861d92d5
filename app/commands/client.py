"""`resnet-serve predict` and `models`, which ask a running service."""

import argparse
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.client import Client, Prediction, PredictResponse, ServiceError
from app.commands.output import can_show, complain, show

API_KEY = "RESNET_SERVE_API_KEY"
"""The environment variable with the API key to send."""

BAR_WIDTH = 24


def predict(arguments: Sequence[str]) -> int:
    """Classify files, each in a request of its own; a file that is refused does not cost the others.

    Returns 0 if all were classified, else 1. Raises `ServiceError` where the service cannot be reached, and
    `OSError` where the answers cannot be written.
    """
    parser = _parser("predict", "Classify image files with a running service.")
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="image file")
    parser.add_argument("--top-k", type=int, help="number of classes to show for each image (default: 5)")
    parser.add_argument("--model", help="name of the model (default: the default model of the service)")
    parser.add_argument("--version", help="version of the model (default: the one loaded last)")
    parser.add_argument(
        "--views", type=int, help="number of views to average over (default: the service's setting)"
    )
    options = parser.parse_args(arguments)
    answers: list[PredictResponse] = []
    refused = False
    try:
        with _client(options) as client:
            for image in options.images:
                try:
                    answer = client.predict(
                        image,
                        top_k=options.top_k,
                        model=options.model,
                        version=options.version,
                        views=options.views,
                    )
                except OSError as error:
                    refused = True
                    complain(f"{image}: {error.strerror}")
                except ServiceError as error:
                    if error.status is None:
                        raise
                    refused = True
                    complain(f"{image}: {error}")
                else:
                    if not options.json:
                        show(("\n" if answers else "") + "\n".join(_described(answer)))
                    answers.append(answer)
    finally:
        if options.json:
            show(_json([asdict(answer) for answer in answers]))
    return 1 if refused else 0


def models(arguments: Sequence[str]) -> int:
    """List what is served; returns 0. Raises `ServiceError`, and `OSError` where it cannot be written."""
    options = _parser("models", "List the models that a running service serves.").parse_args(arguments)
    with _client(options) as client:
        entries = client.models()
    if options.json:
        show(_json([asdict(entry) for entry in entries]))
        return 0
    for entry in entries:
        show(
            f"{entry.name} {entry.version}: {entry.architecture}, {len(entry.classes)} classes, "
            f"{entry.accuracy:.2%} of its test images right"
        )
    return 0


def _parser(command: str, description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"resnet-serve {command}",
        description=description,
        epilog=f"If the service needs an API key, it is read from the environment variable {API_KEY}.",
    )
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="URL of the service (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _client(options: argparse.Namespace) -> Client:
    return Client(options.url, api_key=os.environ.get(API_KEY) or None)


def _json(content: list[dict[str, Any]]) -> str:
    text = json.dumps(content, indent=1, ensure_ascii=False)
    return text if can_show(text) else json.dumps(content, indent=1)


def _described(answer: PredictResponse) -> Iterator[str]:
    block, times = ("█", "×") if can_show("█×") else ("#", "x")
    for prediction in answer.predictions:
        yield (
            f"{prediction.filename} ({prediction.width}{times}{prediction.height}), by {answer.model} "
            f"{answer.version} in {answer.timings_ms['total']:.1f} ms"
        )
        yield from _bars(prediction, block)
        if prediction.familiar is False:
            yield "  unlike the pictures that the model knows: perhaps none of these is right"


def _bars(prediction: Prediction, block: str) -> Iterator[str]:
    widest = max(len(entry.label) for entry in prediction.top)
    for entry in prediction.top:
        bar = block * round(entry.probability * BAR_WIDTH)
        yield f"  {entry.label:<{widest}} {entry.probability:7.2%} {bar}".rstrip()
