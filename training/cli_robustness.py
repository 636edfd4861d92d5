"""What `evaluate --robustness` and `export --robustness` do, given their arguments."""

import argparse
from pathlib import Path

import torch
from rich.console import Console

from models.artifact.robustness import FILE_NAME
from models.artifact.store import load_artifact
from training.data.cifar10 import ImageData
from training.data.load import load_test
from training.evaluation.measure import note_other_data, require_own_data
from training.evaluation.robustness import show
from training.export.robustness import keep_robustness, measure_artifact
from training.loop.device import select_device
from training.output_folder import require_place_for_artifact, require_writable, write_file


def robustness_command(arguments: argparse.Namespace) -> None:
    """By the engine that was asked for, and in int8 where the artifact has it."""
    artifact = load_artifact(arguments.artifact)
    if arguments.save:
        if arguments.test is not None:
            raise ValueError("--test: not with --save, as a card shows figures of the test set")
        require_place_for_artifact(arguments.artifact, "--artifact")
    if arguments.out is not None:
        require_writable(arguments.out)
    images = load_test(arguments.data, arguments.test, artifact.metadata.input_size)
    # Progress and remarks go where they do not mix with the JSON.
    console = Console(stderr=True)
    if arguments.save:
        # Its card would show these figures as its own.
        require_own_data(artifact.metadata, images)
    else:
        note_other_data(artifact.metadata, images, console)
    robustness = measure_artifact(
        artifact,
        arguments.engine,
        images,
        select_device(arguments.device),
        count=arguments.images,
        seed=arguments.seed or 0,
        console=console,
    )
    text = robustness.model_dump_json(indent=1)
    if arguments.json:
        print(text)
    else:
        show(robustness, Console())
    if arguments.save:
        keep_robustness(arguments.artifact, robustness)
        words = f"{FILE_NAME} added to {arguments.artifact}, its card written anew"
        console.print(words, markup=False, soft_wrap=True)
    if arguments.out is not None:
        arguments.out.mkdir(parents=True, exist_ok=True)
        write_file(arguments.out / FILE_NAME, text.encode())
        console.print(f"written to {arguments.out / FILE_NAME}", markup=False, soft_wrap=True)


def add_robustness(folder: Path, data: ImageData, device: torch.device, count: int, console: Console) -> None:
    """Measure the artifact that was just written on `count` test images, at most on all, and put it in."""
    robustness = measure_artifact(
        load_artifact(folder),
        "torch" if device.type == "cuda" else "openvino",
        data,
        device,
        count=min(count, len(data.test)),
        seed=0,
        console=Console(quiet=True),
    )
    show(robustness, console)
    keep_robustness(folder, robustness)
    console.print(f"{FILE_NAME} added to {folder}", markup=False, soft_wrap=True)
