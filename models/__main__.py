"""`python -m models`: `summary` shows a network layer by layer, `seal` gives a stored model what it lacks."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

import torch

from models import ARCHITECTURES, create_model
from models.artifact.metadata import MOST_CLASSES
from models.artifact.save import seal_artifact
from models.artifact.store import ArtifactError
from models.layers import format_table
from models.summary import summarize


def parse_shape(text: str) -> tuple[int, int, int]:
    """Read CxHxW, such as 3x32x32. Raises `argparse.ArgumentTypeError`."""
    length = r"([1-9]\d{0,5})"
    match = re.fullmatch(f"{length}[x×]{length}[x×]{length}", text)
    if match is None:
        raise argparse.ArgumentTypeError(
            f"must be channels x height x width such as 3x32x32, each below 1,000,000, got {text!r}"
        )
    channels, height, width = (int(length) for length in match.groups())
    return channels, height, width


def parse_classes(text: str) -> int:
    """Read a number of classes that a stored model may have. Raises `argparse.ArgumentTypeError`."""
    if re.fullmatch(r"[1-9]\d{0,5}", text) is None or int(text) > MOST_CLASSES:
        raise argparse.ArgumentTypeError(f"must be a whole number in 1..{MOST_CLASSES}, got {text!r}")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m models", description="Describe networks, and complete stored models."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    summary = commands.add_parser(
        "summary", help="print a network layer by layer: output shape, parameters and multiply-adds"
    )
    summary.add_argument("architecture", choices=sorted(ARCHITECTURES), help="name of the network")
    summary.add_argument(
        "--input", type=parse_shape, required=True, metavar="CxHxW", help="shape of an image, e.g. 3x32x32"
    )
    summary.add_argument(
        "--classes", type=parse_classes, default=10, help="number of classes (default: %(default)s)"
    )
    seal = commands.add_parser(
        "seal", help="add to a stored model what it lacks: digests, facts, network for OpenVINO"
    )
    seal.add_argument("folder", type=Path, help="folder of the model, <name>/<version>")
    options = parser.parse_args(arguments)
    if options.command == "seal":
        try:
            about = seal_artifact(options.folder)
        except (ArtifactError, OSError) as error:
            seal.error(" ".join(str(error).split()))
        print(f"{about.name} {about.version} has digests of all that is in it")
        return
    try:
        with torch.device("meta"):
            model = create_model(options.architecture, options.classes, in_channels=options.input[0])
        print(format_table(summarize(model, options.input)))
    except ValueError as error:
        summary.error(str(error))


if __name__ == "__main__":
    main()
