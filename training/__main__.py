"""The command line of training: data, train, campaign, evaluate, compare, export, report."""

import argparse
import json
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType

import torch
from rich.console import Console

from models.artifact import ArtifactError, load_artifact
from training import compare, data, export, measure
from training.campaign import RUNS, parse_runs, run_campaign
from training.checkpoint import FILE_NAME, CheckpointError, load_checkpoint
from training.device import select_device
from training.distributed import Processes, joined
from training.engines import ENGINES
from training.plots import write_run_plots
from training.progress import Progress
from training.recipe import Recipe
from training.recipes import RECIPES
from training.report_files import write_report
from training.train import Interrupted, TrainingError, train


class StopOnSignal:
    """Turns the first SIGINT or SIGTERM into a request to stop; a second one ends the program at once."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        self.asked = True
        signal.signal(number, signal.SIG_DFL)

    def __call__(self) -> bool:
        return self.asked


def run_folder(recipe: Recipe, seed: int) -> Path:
    return Path("runs") / f"{recipe.name}-seed{seed}"


def command_data(arguments: argparse.Namespace) -> None:
    data.download_cifar10(arguments.data)


def command_train(arguments: argparse.Namespace) -> None:
    recipe = RECIPES[arguments.recipe]
    if arguments.epochs is not None:
        recipe = recipe.with_epochs(arguments.epochs)
    if arguments.sync_batch_norm:
        recipe = replace(recipe, sync_batch_norm=True)
    device = select_device(arguments.device)
    with joined(device) as processes:
        train_together(recipe, arguments, device, processes)


def train_together(
    recipe: Recipe, arguments: argparse.Namespace, device: torch.device, processes: Processes
) -> None:
    """What each of the processes does; the first one speaks for all."""
    out = arguments.out or run_folder(recipe, arguments.seed)
    if processes.writes and (out / FILE_NAME).exists() and not arguments.resume:
        raise CheckpointError(
            f"{out} already holds a run: add --resume to go on with it, or choose another --out"
        )
    images = data.load_cifar10(arguments.data, recipe.held_out).to(device)
    console = Console(quiet=not processes.writes)
    console.print(
        f"{recipe.name}: {recipe.epochs} epochs on {device}, {len(images.train):,} images, into {out}"
    )
    try:
        state = train(
            recipe,
            images,
            out,
            seed=arguments.seed,
            resume=arguments.resume,
            progress=Progress(console) if processes.writes else Progress.silent(),
            stopping=StopOnSignal(),
            processes=processes,
        )
    except Interrupted:
        again = [*(a for a in sys.argv[1:] if a != "--resume"), "--resume"]
        starter = "python" if processes.count == 1 else "torchrun ..."
        console.print(
            f"stopped and saved; go on with: {starter} -m training {' '.join(again)}", soft_wrap=True
        )
        sys.exit(130)
    if processes.writes:
        write_run_plots(out, state)
    console.print(f"done in {state.seconds / 60:.1f} minutes; next: python -m training export --run {out}")


def command_campaign(arguments: argparse.Namespace) -> None:
    device = select_device(arguments.device)
    figures = run_campaign(
        parse_runs(arguments.runs, RECIPES),
        RECIPES,
        lambda held_out: data.load_cifar10(arguments.data, held_out).to(device),
        arguments.out,
        minutes=arguments.minutes,
        console=Console(stderr=True),
        stopping=StopOnSignal(),
    )
    print(json.dumps(figures))


def command_evaluate(arguments: argparse.Namespace) -> None:
    artifact = load_artifact(arguments.artifact)
    data_set = measure.load_data(arguments.data)
    measured = measure.measure(artifact, arguments.engine, data_set, select_device(arguments.device))
    if arguments.json:
        print(measured.to_json())
    else:
        measured.show(Console())


def command_compare(arguments: argparse.Namespace) -> None:
    a, b = load_artifact(arguments.a), load_artifact(arguments.b)
    compare.require_same_classes(a, b)
    data_set, device = measure.load_data(arguments.data), select_device(arguments.device)
    comparison = compare.compare(
        measure.measure(a, arguments.engine_a, data_set, device),
        measure.measure(b, arguments.engine_b, data_set, device),
    )
    if arguments.json:
        print(comparison.to_json())
    else:
        compare.show(comparison, Console())


def command_export(arguments: argparse.Namespace) -> None:
    state = load_checkpoint(arguments.run)
    recipe_name = str(state.recipe["name"])
    folder = arguments.out or Path("models/weights") / recipe_name / arguments.version
    images = data.load_cifar10(arguments.data, int(state.recipe["held_out"])).to(
        select_device(arguments.device)
    )
    export.export_run(
        state,
        images,
        folder,
        name=arguments.name or recipe_name,
        version=arguments.version,
        console=Console(),
        with_int8=arguments.int8,
    )


def command_report(arguments: argparse.Namespace) -> None:
    written = write_report(arguments.artifact, arguments.out)
    Console().print("\n".join(str(path) for path in written), soft_wrap=True)


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m training", description="Train, measure and export a classifier."
    )
    commands = top.add_subparsers(required=True, metavar="command")

    def command(name: str, run: Callable[[argparse.Namespace], None], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run_command=run)
        return sub

    def takes_data(sub: argparse.ArgumentParser) -> None:
        sub.add_argument(
            "--data", type=Path, default=data.DEFAULT_FOLDER, help="folder of cifar-10-batches-py"
        )

    def takes_device(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")

    takes_data(command("data", command_data, "Download CIFAR-10."))

    sub = command("train", command_train, "Train a recipe, with a checkpoint after each epoch.")
    sub.add_argument("--recipe", choices=sorted(RECIPES), required=True)
    takes_data(sub)
    sub.add_argument("--out", type=Path, help="folder of the run (default: runs/RECIPE-seedN)")
    takes_device(sub)
    sub.add_argument("--epochs", type=positive, help="run the recipe over this many epochs")
    sub.add_argument("--seed", type=int, default=0)
    sub.add_argument("--resume", action="store_true", help="go on from the run's checkpoint")
    sub.add_argument(
        "--sync-batch-norm",
        action="store_true",
        help="of several processes, started by torchrun: normalise by the batch of all of them",
    )

    sub = command("campaign", command_campaign, "Train recipes over seeds; call again to go on.")
    sub.add_argument(
        "--runs",
        nargs="+",
        metavar="RECIPE=SEEDS",
        default=[f"{name}={seeds}" for name, seeds in RUNS.items()],
        help="how many seeds of which recipes (default: %(default)s)",
    )
    sub.add_argument("--minutes", type=positive, default=60, help="save and stop after so many (default: 60)")
    sub.add_argument("--out", type=Path, default=Path("runs/campaign"), help="folder of the runs")
    takes_data(sub)
    takes_device(sub)

    sub = command("evaluate", command_evaluate, "Measure an artifact on the test set.")
    sub.add_argument("--artifact", type=Path, required=True)
    takes_data(sub)
    takes_device(sub)
    sub.add_argument(
        "--engine",
        choices=tuple(ENGINES),
        default="torch",
        help="what computes: the stored weights in float32 or bfloat16 by torch, in float32 by OpenVINO on "
        "the CPU, or the int8 network by OpenVINO on the CPU",
    )
    sub.add_argument("--json", action="store_true", help="print the figures as JSON")

    sub = command(
        "compare", command_compare, "Compare two artifacts, or two engines, on the same test images."
    )
    sub.add_argument("a", type=Path, metavar="A", help="folder of an artifact")
    sub.add_argument("b", type=Path, metavar="B", help="folder of another, or the same with another engine")
    sub.add_argument("--engine-a", choices=tuple(ENGINES), default="torch", help="what computes A")
    sub.add_argument("--engine-b", choices=tuple(ENGINES), default="torch", help="what computes B")
    takes_data(sub)
    takes_device(sub)
    sub.add_argument("--json", action="store_true", help="print the figures as JSON")

    sub = command("export", command_export, "Turn a finished run into an artifact.")
    sub.add_argument("--run", type=Path, required=True)
    sub.add_argument(
        "--out", type=Path, help="folder of the artifact (default: models/weights/RECIPE/VERSION)"
    )
    sub.add_argument("--name", help="the model's name (default: the recipe's)")
    sub.add_argument("--version", default="1")
    sub.add_argument(
        "--no-int8", dest="int8", action="store_false", help="export no int8 network beside the weights"
    )
    takes_data(sub)
    takes_device(sub)

    sub = command("report", command_report, "Write an artifact's page, model card and plots.")
    sub.add_argument("--artifact", type=Path, required=True)
    sub.add_argument("--out", type=Path, required=True)
    return top


def main() -> None:
    arguments = parser().parse_args()
    try:
        arguments.run_command(arguments)
    except (ArtifactError, CheckpointError, TrainingError, data.DataError, ValueError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
