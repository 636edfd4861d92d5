"""The options that several commands of `python -m training` take."""

import argparse

from training.argument_types import folder, folder_to_read
from training.data.cifar10 import DEFAULT_FOLDER
from training.evaluation.engines import ENGINE_CHOICES

ANY_DATA = "folder with cifar-10-batches-py, or with a sub-folder of images for each class"


def takes_data(sub: argparse.ArgumentParser, words: str = ANY_DATA) -> None:
    """`words` say what the folder holds: not every command can do something with one's own images."""
    sub.add_argument("--data", type=folder, default=DEFAULT_FOLDER, help=f"{words} (default: %(default)s)")


def takes_test(sub: argparse.ArgumentParser) -> None:
    takes_data(sub)
    words = "measure on all images of this folder, a sub-folder for each class, instead"
    sub.add_argument("--test", type=folder_to_read, metavar="FOLDER", help=words)


def takes_artifact(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--artifact", type=folder, required=True, help="folder of the artifact")


def takes_engine(sub: argparse.ArgumentParser, default: str, option: str = "--engine") -> None:
    sub.add_argument(
        option,
        choices=tuple(ENGINE_CHOICES),
        default=default,
        help="engine and precision: the stored weights in float32 or bfloat16, or the int8 network"
        " (default: %(default)s)",
    )


def takes_device(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="device to compute on (default: cuda if there is a GPU, else cpu)",
    )
