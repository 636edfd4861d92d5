"""How a stored model fares on pictures that something happened to: measured, and kept in its artifact."""

from functools import partial
from pathlib import Path

import torch
from rich.console import Console

from models.artifact.amend import amend_artifact
from models.artifact.report import load_report
from models.artifact.robustness import FILE_NAME, Robustness
from models.artifact.store import Artifact, read_metadata
from training.data.cifar10 import ImageData
from training.evaluation.engines import ENGINE_CHOICES, engine_logits, load_engine
from training.evaluation.robustness import Answer, measure_robustness
from training.report.files import render_robustness


def measure_artifact(
    artifact: Artifact,
    engine: str,
    data: ImageData,
    device: torch.device,
    *,
    count: int | None,
    seed: int,
    console: Console,
) -> Robustness:
    """As `measure_robustness` does it, by `engine`, a key of `ENGINE_CHOICES`, and in int8 if it has that.

    Raises `EngineError` where the model or the machine lacks the engine's precision.
    """
    choices = dict.fromkeys([engine, *(["int8"] if artifact.metadata.int8 else [])])
    answers: dict[str, Answer] = {
        ENGINE_CHOICES[choice][1]: partial(engine_logits, load_engine(artifact, choice, device))
        for choice in choices
    }
    return measure_robustness(
        artifact.metadata, answers, data.to(device), count=count, seed=seed, console=console
    )


def keep_robustness(folder: Path, robustness: Robustness) -> None:
    """Put the figures into the artifact in `folder`, and write its card anew with them, and their plot.

    Raises `ArtifactError` where the artifact cannot be loaded or has no report.
    """
    shown = render_robustness(read_metadata(folder), load_report(folder), robustness)
    amend_artifact(folder, {FILE_NAME: robustness.model_dump_json(indent=1).encode(), **shown})
