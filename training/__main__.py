"""The command line of training: data, train, campaign, evaluate, ... report."""

import argparse
import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from models.artifact.robustness import FILE_NAME as ROBUSTNESS_FILE
from training import cli, cli_serving
from training.argument_types import image_size, positive, seed, slug
from training.campaign import RUNS
from training.data.cifar10 import DEFAULT_FOLDER
from training.evaluation.engines import ENGINE_CHOICES
from training.export.robustness import IMAGES
from training.failures import EXPECTED, explain
from training.loop.distributed import PATIENCE
from training.loop.fine_tune import BUNDLED
from training.recipes import RECIPES


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m training", description="Train, measure and export a classifier."
    )
    subparsers = top.add_subparsers(required=True, metavar="command")

    def command(name: str, run: Callable[[argparse.Namespace], None], text: str) -> argparse.ArgumentParser:
        sub = subparsers.add_parser(name, help=text, description=text)
        sub.set_defaults(run_command=run)
        return sub

    def takes_data(sub: argparse.ArgumentParser) -> None:
        sub.add_argument(
            "--data",
            type=Path,
            default=DEFAULT_FOLDER,
            help="folder of cifar-10-batches-py, or of images in a sub-folder for each class",
        )

    def takes_device(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")

    takes_data(command("data", cli.data_command, "Download CIFAR-10."))

    sub = command("train", cli.train_command, "Train a recipe, with a checkpoint after each epoch.")
    sub.add_argument("--recipe", choices=sorted(RECIPES), required=True)
    takes_data(sub)
    sub.add_argument("--out", type=Path, help="folder of the run (default: runs/RECIPE-seedN)")
    takes_device(sub)
    sub.add_argument(
        "--epochs",
        type=positive,
        help="run the recipe over this many epochs; with --resume, give a finished run more",
    )
    sub.add_argument("--seed", type=seed, default=0)
    resuming = sub.add_mutually_exclusive_group()
    resuming.add_argument("--resume", action="store_true", help="go on from the run's checkpoint")
    resuming.add_argument(
        "--auto-resume",
        action="store_true",
        help="the same where there is one, and begin where not: for what restarts a run by the same command",
    )
    sub.add_argument(
        "--image-size",
        type=image_size,
        help="of a folder of images: scale them to so many pixels (recipe's)",
    )
    sub.add_argument(
        "--balance",
        choices=("none", "loss", "sampling"),
        default="none",
        help="of unequal classes: weight the loss, or draw images, by inverse class frequency",
    )
    sub.add_argument("--init", help=f"start from the weights of this artifact folder, or of `{BUNDLED}`")
    sub.add_argument(
        "--sync-batch-norm",
        action="store_true",
        help="of several processes, started by torchrun: normalise by the batch of all of them",
    )
    sub.add_argument(
        "--peer-timeout",
        type=positive,
        metavar="SECONDS",
        default=PATIENCE.seconds,
        help="of several processes: one that is silent for so long counts as lost (default: %(default)s)",
    )

    sub = command("campaign", cli.campaign_command, "Train recipes over seeds; call again to go on.")
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

    sub = command("evaluate", cli.evaluate_command, "Measure an artifact on the test set.")
    sub.add_argument("--artifact", type=Path, required=True)
    takes_data(sub)
    takes_device(sub)
    sub.add_argument(
        "--engine",
        choices=tuple(ENGINE_CHOICES),
        default="torch",
        help="what computes: the stored weights in float32 or bfloat16 by the engine of that name, or the "
        "int8 network (default: %(default)s)",
    )
    sub.add_argument("--json", action="store_true", help="print the figures as JSON")
    instead = sub.add_mutually_exclusive_group()
    instead.add_argument(
        "--robustness",
        action="store_true",
        help="measure, in int8 too, under corruptions, encodings, sizes and movements instead",
    )
    sub.add_argument(
        "--save",
        action="store_true",
        help=f"with --robustness: add the figures to the artifact, as {ROBUSTNESS_FILE} and in its card",
    )
    instead.add_argument(
        "--views",
        action="store_true",
        help="measure averaging over 1 to 4 views of each image instead, clean and corrupted",
    )
    sub.add_argument("--others", type=Path, help="folder of pictures of other things, with --views")
    sub.add_argument(
        "--images", type=positive, help="of the test images, with --robustness or --views (default: all)"
    )
    sub.add_argument(
        "--seed", type=seed, help="of images and corruptions, with --robustness or --views (default: 0)"
    )
    sub.add_argument("--out", type=Path, help=f"with --robustness: folder to write {ROBUSTNESS_FILE} into")

    sub = command(
        "compare", cli.compare_command, "Compare two artifacts, or two engines, on the same test images."
    )
    sub.add_argument("a", type=Path, metavar="A", help="folder of an artifact")
    sub.add_argument("b", type=Path, metavar="B", help="folder of another, or the same with another engine")
    sub.add_argument("--engine-a", choices=tuple(ENGINE_CHOICES), default="torch", help="what computes A")
    sub.add_argument("--engine-b", choices=tuple(ENGINE_CHOICES), default="torch", help="what computes B")
    takes_data(sub)
    takes_device(sub)
    sub.add_argument("--json", action="store_true", help="print the figures as JSON")

    sub = command(
        "unfamiliar",
        cli.unfamiliar_command,
        "Measure how well each score of unfamiliarity tells test images from other pictures.",
    )
    sub.add_argument("--artifact", type=Path, required=True)
    sub.add_argument("--others", type=Path, required=True, help="folder of pictures of other things")
    takes_data(sub)
    sub.add_argument("--engine", choices=tuple(ENGINE_CHOICES), default="openvino", help="what computes")
    sub.add_argument("--images", type=positive, help="of the test images (default: all)")
    sub.add_argument("--json", action="store_true", help="print the figures as JSON")

    sub = command("photos", cli_serving.photos_command, "Measure an artifact on photographs of one's own.")
    sub.add_argument("--artifact", type=Path, required=True)
    sub.add_argument(
        "--folder",
        type=Path,
        required=True,
        help="folder of photographs, in sub-folders named as classes; those in others are of other things",
    )
    sub.add_argument("--engine", choices=tuple(ENGINE_CHOICES), default="torch", help="what computes")
    sub.add_argument(
        "--data", type=Path, help="what it was trained on, to fit every score of unfamiliarity to"
    )
    takes_device(sub)
    sub.add_argument("--json", action="store_true", help="print the figures as JSON")

    sub = command(
        "reference",
        cli_serving.reference_command,
        "Add to an artifact what its images and answers look like, for the service to tell drift by.",
    )
    sub.add_argument("--artifact", type=Path, required=True)
    takes_data(sub)
    takes_device(sub)

    sub = command(
        "export-feedback",
        cli_serving.export_feedback_command,
        "Make of the corrections that a service keeps a folder of images by class, which --data takes.",
    )
    sub.add_argument("--database", required=True, help="as in RESNET_SERVE_FEEDBACK_DATABASE", metavar="URL")
    sub.add_argument("--out", type=Path, required=True, help="folder of the classes, which may hold images")
    sub.add_argument("--json", action="store_true", help="print the figures as JSON")

    sub = command("export", cli.export_command, "Turn a finished run into an artifact.")
    sub.add_argument("--run", type=Path, required=True)
    sub.add_argument(
        "--out", type=Path, help="folder of the artifact (default: models/weights/RECIPE/VERSION)"
    )
    sub.add_argument("--name", type=slug, help="the model's name (default: the recipe's)")
    sub.add_argument("--version", type=slug, default="1")
    sub.add_argument(
        "--no-int8", dest="int8", action="store_false", help="export no int8 network beside the weights"
    )
    sub.add_argument(
        "--robustness",
        type=positive,
        nargs="?",
        const=IMAGES,
        metavar="IMAGES",
        help=f"measure on so many test images ({IMAGES:,}) under corruptions, encodings, sizes and movements "
        "too, and keep it in the artifact: some minutes",
    )
    takes_data(sub)
    takes_device(sub)

    sub = command(
        "calibrate",
        cli.calibrate_command,
        "Fit an artifact's temperatures and detectors of unfamiliar images again, and store them in it.",
    )
    sub.add_argument("--artifact", type=Path, required=True)
    takes_data(sub)
    takes_device(sub)

    sub = command("report", cli.report_command, "Write an artifact's page, model card and plots.")
    sub.add_argument("--artifact", type=Path, required=True)
    sub.add_argument("--out", type=Path, required=True)
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
