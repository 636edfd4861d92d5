"""`resnet-serve COMMAND`, also `python -m app COMMAND`: every command of the project.

Imports no package until a command is named: to ask a service, httpx is enough, and to serve, none is needed
for asking.
"""

import argparse
import runpy
import sys
from collections.abc import Callable
from dataclasses import dataclass

from app import __version__
from app.commands.output import complain, reason_of
from app.errors import ServiceError, StartError, installation


@dataclass(frozen=True)
class Command:
    """`run` takes the arguments after the command's name, and returns the exit code."""

    summary: str
    run: Callable[[list[str]], int]
    extra: str = ""
    """What has to be installed besides the client: `pip install '.[extra]'` in the project's folder."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0 for an orderly end, 1 for anything else."""
    parser = argparse.ArgumentParser(
        prog="resnet-serve",
        description="Train an image classifier, serve it over HTTP, and query a running service.",
        epilog="commands:\n"
        + "\n".join(f"  {name:<15} {command.summary}" for name, command in COMMANDS.items())
        + "\n\n`resnet-serve COMMAND --help` lists the options of a command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"resnet-serve {__version__}")
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="one of those below")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="options of the command")
    options = parser.parse_args(arguments)
    return _run(options.command, options.arguments)


def _run(name: str, arguments: list[str]) -> int:
    command = COMMANDS[name]
    try:
        return command.run(arguments)
    except (StartError, ServiceError, OSError) as error:
        message = reason_of(error)
    except ModuleNotFoundError as error:
        if not command.extra:
            raise
        message = f"{name} needs more packages: {installation(command.extra)} ({error})"
    except KeyboardInterrupt:
        return 130
    complain(message)
    return 1


def _serve(arguments: list[str]) -> int:
    from app.commands.serve import serve

    return serve(arguments)


def _check(arguments: list[str]) -> int:
    from app.commands.serve import check

    return check(arguments)


def _capacity(arguments: list[str]) -> int:
    from app.commands.capacity import capacity

    return capacity(arguments)


def _predict(arguments: list[str]) -> int:
    from app.commands.client import predict

    return predict(arguments)


def _models(arguments: list[str]) -> int:
    from app.commands.client import models

    return models(arguments)


def _of(package: str, name: str) -> Callable[[list[str]], int]:
    """The command `python -m package name`: a program of its own, of which nothing is imported here."""

    def run(arguments: list[str]) -> int:
        sys.argv = ["resnet-serve", name, *arguments]
        runpy.run_module(package, run_name="__main__", alter_sys=True)
        return 0

    return run


COMMANDS = {
    "serve": Command("start the service", _serve, "serve"),
    "check": Command("check settings and models as `serve` does, without serving", _check, "serve"),
    "capacity": Command("plan how many replicas a request rate needs", _capacity, "serve"),
    "predict": Command("classify image files with a running service", _predict),
    "models": Command("list the models that a running service serves", _models),
    "data": Command("download CIFAR-10", _of("training", "data"), "train"),
    "train": Command("train a recipe", _of("training", "train"), "train"),
    "campaign": Command("train recipes with several seeds", _of("training", "campaign"), "train"),
    "evaluate": Command("measure an artifact on the test set", _of("training", "evaluate"), "train"),
    "compare": Command("compare two artifacts on the same test images", _of("training", "compare"), "train"),
    "unfamiliar": Command(
        "measure how well unfamiliar images are detected", _of("training", "unfamiliar"), "train"
    ),
    "photos": Command("measure an artifact on your own photographs", _of("training", "photos"), "train"),
    "reference": Command("add the reference for drift to an artifact", _of("training", "reference"), "train"),
    "export-feedback": Command(
        "write corrected images to a folder for training", _of("training", "export-feedback"), "train"
    ),
    "export": Command("turn a finished run into an artifact", _of("training", "export"), "train"),
    "calibrate": Command(
        "fit an artifact's temperatures and detectors again", _of("training", "calibrate"), "train"
    ),
    "curves": Command("draw the accuracy of several runs side by side", _of("training", "curves"), "train"),
    "report": Command("write an artifact's page, model card and plots", _of("training", "report"), "train"),
    "summary": Command("print a network layer by layer", _of("models", "summary"), "serve"),
}


if __name__ == "__main__":
    sys.exit(main())
