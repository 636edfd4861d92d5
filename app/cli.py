"""The commands that ask a running service: `python -m app predict` and `models`."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from app.client import Answer, Client, Prediction, ServiceError

BAR_WIDTH = 24


def predict(
    client: Client,
    images: Sequence[Path],
    *,
    top_k: int | None,
    model: str | None,
    version: str | None,
    as_json: bool,
) -> tuple[str, list[str]]:
    """Classify files, each in a request of its own; returns the text, and a line for each that was refused.

    Raises `ServiceError` where the service cannot be reached.
    """
    answers, refusals = [], []
    for image in images:
        try:
            answers.append(client.predict(image, top_k=top_k, model=model, version=version))
        except OSError as error:
            refusals.append(f"{image}: {error.strerror}")
        except ServiceError as error:
            if error.status is None:
                raise
            refusals.append(f"{image}: {error}")
    if as_json:
        text = json.dumps([asdict(answer) for answer in answers], indent=1, ensure_ascii=False)
    else:
        text = "\n\n".join("\n".join(_described(answer)) for answer in answers)
    return text, refusals


def models(client: Client, *, as_json: bool) -> str:
    """List what is served; returns the text. Raises `ServiceError`."""
    entries = client.models()
    if as_json:
        return json.dumps([asdict(entry) for entry in entries], indent=1, ensure_ascii=False)
    return "\n".join(
        f"{entry.name} {entry.version}: {entry.architecture}, {len(entry.classes)} classes, "
        f"{entry.accuracy:.2%} of its test images right"
        for entry in entries
    )


def _described(answer: Answer) -> Iterator[str]:
    for prediction in answer.predictions:
        yield (
            f"{prediction.filename} ({prediction.width}×{prediction.height}), by {answer.model} "
            f"{answer.version} in {answer.timings_ms['total']:.1f} ms"
        )
        yield from _bars(prediction)


def _bars(prediction: Prediction) -> Iterator[str]:
    widest = max(len(entry.label) for entry in prediction.top)
    for entry in prediction.top:
        bar = "█" * round(entry.probability * BAR_WIDTH)
        yield f"  {entry.label:<{widest}} {entry.probability:7.2%} {bar}".rstrip()
