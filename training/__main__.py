"""The command line of training: data, train, campaign, evaluate, ... report."""

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from models.artifact.robustness import FILE_NAME as ROBUSTNESS_FILE
from training import cli, cli_report, cli_serving
from training.argument_types import folder, folder_to_read, image_size, positive, seed, slug
from training.campaign import RUNS
from training.failures import EXPECTED, explain
from training.loop.distributed import PATIENCE
from training.loop.fine_tune import BUNDLED
from training.options import takes_artifact, takes_data, takes_device, takes_engine, takes_test
from training.recipes import RECIPES

ROBUSTNESS_IMAGES = 1000
"""Of the test images, as export measures them: a share of 90 % has a standard error of 0.95 points."""


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m training", description="Train, measure and export a classifier."
    )
    subparsers = top.add_subparsers(required=True, metavar="command")

    def command(name: str, run: Callable[[argparse.Namespace], None], text: str) -> argparse.ArgumentParser:
        sub = subparsers.add_parser(name, help=text, description=text)
        sub.set_defaults(run_command=run)
        return sub

    takes_data(command("data", cli.data_command, "Download CIFAR-10."), "folder to download CIFAR-10 to")

    sub = command("train", cli.train_command, "Train a recipe, with a checkpoint after each epoch.")
    sub.add_argument("--recipe", choices=sorted(RECIPES), required=True, help="what and how to train")
    takes_data(sub)
    sub.add_argument(
        "--out",
        type=folder,
        help="folder of the run (default: runs/RECIPE-seedN, for your own images runs/FOLDER-RECIPE-seedN)",
    )
    takes_device(sub)
    sub.add_argument(
        "--epochs",
        type=positive,
        help="stretch or shorten the recipe to this many epochs; with --resume, give a finished run more",
    )
    sub.add_argument("--seed", type=seed, default=0, help="seed of the random numbers (default: %(default)s)")
    resuming = sub.add_mutually_exclusive_group()
    resuming.add_argument("--resume", action="store_true", help="continue from the run's checkpoint")
    resuming.add_argument(
        "--auto-resume",
        action="store_true",
        help="continue if there is a checkpoint, otherwise start: for tools that restart the same command",
    )
    sub.add_argument(
        "--image-size",
        type=image_size,
        help="size in pixels to which images of a folder are scaled (default: the recipe's)",
    )
    sub.add_argument(
        "--balance",
        choices=("none", "loss", "sampling"),
        default="none",
        help="for imbalanced classes: weight the loss, or sample images, by inverse class frequency",
    )
    sub.add_argument("--init", help=f"start from the weights of this artifact folder, or of `{BUNDLED}`")
    sub.add_argument(
        "--sync-batch-norm",
        action="store_true",
        help="for several processes, started by torchrun: batch norm uses the batch of all of them",
    )
    sub.add_argument(
        "--peer-timeout",
        type=positive,
        metavar="SECONDS",
        default=PATIENCE.seconds,
        help="for several processes: one that is silent for so long counts as lost (default: %(default)s)",
    )

    sub = command(
        "campaign", cli.campaign_command, "Train recipes with several seeds; call it again to continue."
    )
    sub.add_argument(
        "--runs",
        nargs="+",
        metavar="RECIPE=SEEDS",
        default=[f"{name}={seeds}" for name, seeds in RUNS.items()],
        help="number of seeds of each recipe (default: %(default)s)",
    )
    sub.add_argument(
        "--minutes", type=positive, default=60, help="save and stop after this time (default: %(default)s)"
    )
    sub.add_argument(
        "--out", type=folder, default=Path("runs/campaign"), help="folder of the runs (default: %(default)s)"
    )
    takes_data(sub, "folder with cifar-10-batches-py")
    takes_device(sub)

    sub = command("evaluate", cli.evaluate_command, "Measure an artifact on the test set.")
    takes_artifact(sub)
    takes_test(sub)
    takes_device(sub)
    takes_engine(sub, "torch")
    sub.add_argument("--json", action="store_true", help="print the figures as JSON")
    instead = sub.add_mutually_exclusive_group()
    instead.add_argument(
        "--robustness",
        action="store_true",
        help="instead measure float32 and int8 under corruptions, encodings, sizes, rotations and shifts",
    )
    sub.add_argument(
        "--save",
        action="store_true",
        help=f"with --robustness: add the figures to the artifact, as {ROBUSTNESS_FILE} and in its card",
    )
    instead.add_argument(
        "--views",
        action="store_true",
        help="instead measure averaging over 1 to 4 views of each image, clean and corrupted",
    )
    sub.add_argument("--others", type=folder_to_read, help="with --views: folder of pictures of other things")
    sub.add_argument(
        "--images", type=positive, help="with --robustness or --views: number of test images (default: all)"
    )
    sub.add_argument(
        "--seed",
        type=seed,
        help="with --robustness or --views: seed for choosing and corrupting the images (default: 0)",
    )
    sub.add_argument("--out", type=folder, help=f"with --robustness: folder to write {ROBUSTNESS_FILE} to")

    sub = command(
        "compare", cli.compare_command, "Compare two artifacts, or two engines, on the same test images."
    )
    sub.add_argument("a", type=folder, metavar="A", help="folder of an artifact")
    sub.add_argument("b", type=folder, metavar="B", help="folder of another, or the same with another engine")
    takes_engine(sub, "torch", "--engine-a")
    takes_engine(sub, "torch", "--engine-b")
    takes_test(sub)
    takes_device(sub)
    sub.add_argument("--json", action="store_true", help="print the figures as JSON")

    sub = command(
        "unfamiliar",
        cli.unfamiliar_command,
        "Measure how well each score of unfamiliarity separates test images from other pictures.",
    )
    takes_artifact(sub)
    sub.add_argument(
        "--others", type=folder_to_read, required=True, help="folder of pictures of other things"
    )
    takes_data(sub)
    takes_engine(sub, "openvino")
    sub.add_argument("--images", type=positive, help="number of test images (default: all)")
    sub.add_argument("--json", action="store_true", help="print the figures as JSON")

    sub = command("photos", cli_serving.photos_command, "Measure an artifact on your own photographs.")
    takes_artifact(sub)
    sub.add_argument(
        "--folder",
        type=folder_to_read,
        required=True,
        help="folder of photographs, in sub-folders named after the classes; other sub-folders count as "
        "pictures of other things",
    )
    takes_engine(sub, "torch")
    sub.add_argument(
        "--data",
        type=folder,
        help="the artifact's training data, to which every score of unfamiliarity is fitted",
    )
    takes_device(sub)
    sub.add_argument("--json", action="store_true", help="print the figures as JSON")

    sub = command(
        "reference",
        cli_serving.reference_command,
        "Add to an artifact the reference from which the service measures drift.",
    )
    takes_artifact(sub)
    takes_data(sub)
    takes_device(sub)

    sub = command(
        "export-feedback",
        cli_serving.export_feedback_command,
        "Write the corrected images of a feedback database to a folder for --data, by class.",
    )
    sub.add_argument("--database", required=True, help="as in RESNET_SERVE_FEEDBACK_DATABASE", metavar="URL")
    sub.add_argument(
        "--out", type=folder, required=True, help="folder of the classes, which may already contain images"
    )
    sub.add_argument(
        "--model", metavar="NAME", help="export only the corrections of this model's predictions"
    )
    sub.add_argument("--json", action="store_true", help="print the figures as JSON")

    sub = command("export", cli.export_command, "Turn a finished run into an artifact.")
    sub.add_argument("--run", type=folder, required=True, help="folder of the run")
    sub.add_argument(
        "--out", type=folder, help="folder of the artifact (default: models/weights/NAME/VERSION)"
    )
    sub.add_argument("--name", type=slug, help="the model's name (default: as --out, or of recipe or data)")
    sub.add_argument("--version", type=slug, help="its version (default: as --out, or the next number)")
    sub.add_argument(
        "--no-int8", dest="int8", action="store_false", help="do not add an int8 network to the artifact"
    )
    sub.add_argument(
        "--robustness",
        type=positive,
        nargs="?",
        const=ROBUSTNESS_IMAGES,
        metavar="IMAGES",
        help=f"also measure IMAGES test images (default: {ROBUSTNESS_IMAGES:,}) under corruptions, "
        "encodings, sizes, rotations and shifts, and store the figures in the artifact; takes some minutes",
    )
    takes_data(sub)
    takes_device(sub)

    sub = command(
        "calibrate",
        cli.calibrate_command,
        "Fit an artifact's temperatures and detectors of unfamiliar images again, and store them in it.",
    )
    takes_artifact(sub)
    takes_data(sub)
    takes_device(sub)

    sub = command(
        "curves", cli_report.curves_command, "Draw the accuracy of runs side by side, and print their gaps."
    )
    sub.add_argument("runs", type=folder, nargs="+", metavar="RUN", help="folder of a run")
    sub.add_argument("--out", type=Path, required=True, help="file to write, .png or .svg")

    sub = command("report", cli_report.report_command, "Write an artifact's page, model card and plots.")
    takes_artifact(sub)
    sub.add_argument("--out", type=folder, required=True, help="folder to write them into")
    return top


def main(argv: Sequence[str] | None = None) -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal of another encoding, or a file's name that is not UTF-8, is no reason to fail.
            stream.reconfigure(errors="backslashreplace")
    arguments = parser().parse_args(argv)
    try:
        arguments.run_command(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read the output has left; what is still in the buffer has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except EXPECTED as error:
        line = explain(error)
        if line is None:
            raise
        sys.exit(f"error: {line}")


if __name__ == "__main__":
    main()
