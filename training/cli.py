"""What the commands of `python -m training` do, given their arguments.

What only some of them need and takes long to import is imported where it is used.
"""

import argparse
import json
import shlex
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from rich.console import Console
from rich.markup import escape

from models.artifact.store import Artifact, load_artifact, read_metadata
from models.preprocessing.transform import Preprocessing
from training.campaign import parse_runs, run_campaign
from training.data.adapt import fitted, with_image_size
from training.data.cifar10 import DataError, download_cifar10, load_cifar10
from training.data.load import holds_cifar10, load, load_test, require_own_images
from training.export.destination import destination, slugified
from training.loop.checkpoint import FILE_NAME, CheckpointError, load_checkpoint
from training.loop.device import select_device
from training.loop.distributed import Processes, detect_peer_loss, joined
from training.loop.fine_tune import identity, load_initial
from training.loop.freed_memory import keep_freed_memory
from training.loop.progress import Progress
from training.loop.train import Interrupted, train
from training.output_folder import require_place_for_artifact, require_writable
from training.recipes import RECIPES
from training.recipes.recipe import Recipe, RecordedRecipe
from training.stop_on_signal import StopOnSignal

if TYPE_CHECKING:
    from training.evaluation import measure


def run_folder(recipe: Recipe, data_folder: Path, seed: int) -> Path:
    """Where a run goes that is not told: runs over a folder of images do not meet those of CIFAR-10."""
    images = "" if holds_cifar10(data_folder) else f"{slugified(data_folder.resolve().name)}-"
    return Path("runs") / f"{images}{recipe.name}-seed{seed}"


def data_command(arguments: argparse.Namespace) -> None:
    download_cifar10(arguments.data)


def train_command(arguments: argparse.Namespace) -> None:
    recipe = RECIPES[arguments.recipe]
    if arguments.epochs is not None:
        recipe = recipe.with_epochs(arguments.epochs)
    if arguments.sync_batch_norm:
        recipe = recipe.changed(sync_batch_norm=True)
    if arguments.image_size is not None:
        require_own_images(arguments.data, "--image-size")
        recipe = with_image_size(recipe, arguments.image_size)
    recipe = recipe.changed(balance=arguments.balance)
    device = select_device(arguments.device)
    if device.type == "cpu":
        keep_freed_memory()
    with joined(device, timedelta(seconds=arguments.peer_timeout)) as processes:
        train_together(recipe, arguments, device, processes)


def train_together(
    recipe: Recipe, arguments: argparse.Namespace, device: torch.device, processes: Processes
) -> None:
    """What each of the processes does; the first one speaks for all."""
    out = arguments.out or run_folder(recipe, arguments.data, arguments.seed)
    resume = arguments.resume or (arguments.auto_resume and holds_run(out, processes))
    if processes.writes and (out / FILE_NAME).is_file() and not resume:
        raise CheckpointError(
            f"{out} already holds a run: add --resume to go on with it, or choose another --out"
        )
    if processes.writes and (not resume or out.is_dir()):
        require_writable(out)
    console = Console(quiet=not processes.writes)
    initial = None if arguments.init is None else load_initial(arguments.init)
    images = load(arguments.data, recipe.held_out, recipe.stages[-1].image_size, console).to(device)
    cifar10 = holds_cifar10(arguments.data)
    if not cifar10:
        asked, recipe = recipe, fitted(recipe, images, processes.count)
        if recipe.batch_size != asked.batch_size:
            console.print(
                f"few images: batch size {recipe.batch_size} in place of {asked.batch_size}, "
                f"learning rate {recipe.learning_rate:.2g} in place of {asked.learning_rate:.2g}"
            )
    if initial is not None:
        recipe = recipe.changed(init=identity(initial))
    together = f" by {processes.count} processes" if processes.count > 1 else ""
    console.print(
        f"{recipe.name}: {recipe.epochs} epochs on {device}{together}, {len(images.train):,} images, "
        f"into {out}",
        markup=False,
        soft_wrap=True,
    )
    try:
        state = train(
            recipe,
            images,
            out,
            seed=arguments.seed,
            resume=resume,
            progress=Progress(console) if processes.writes else Progress.silent(),
            stopping=StopOnSignal(),
            processes=processes,
            initial=initial,
        )
    except Interrupted:
        again = [a for a in sys.argv[1:] if a != "--resume"]
        again += [] if arguments.auto_resume else ["--resume"]
        starter = "python" if processes.count == 1 else "torchrun ..."
        console.print(
            f"stopped and saved; go on with: {starter} -m training {shlex.join(again)}",
            markup=False,
            soft_wrap=True,
        )
        sys.exit(130)
    if processes.writes:
        from training.report.plots import write_run_plots

        write_run_plots(out, state)
    following = ["--run", str(out)] + ([] if cifar10 else ["--data", str(arguments.data)])
    console.print(
        f"done in {state.seconds / 60:.1f} minutes; next: python -m training export {shlex.join(following)}",
        markup=False,
        soft_wrap=True,
    )


def holds_run(folder: Path, processes: Processes) -> bool:
    """Whether `folder` holds a checkpoint: what the first process sees, which alone reads it."""
    with detect_peer_loss():
        return processes.from_writer((folder / FILE_NAME).is_file())


def campaign_command(arguments: argparse.Namespace) -> None:
    if not holds_cifar10(arguments.data):
        raise DataError(
            f"--data: {arguments.data} holds your own images, and a campaign is of CIFAR-10 alone"
        )
    require_writable(arguments.out)
    device = select_device(arguments.device)
    figures = run_campaign(
        parse_runs(arguments.runs, RECIPES),
        RECIPES,
        lambda held_out: load_cifar10(arguments.data, held_out).to(device),
        arguments.out,
        minutes=arguments.minutes,
        console=Console(stderr=True),
        stopping=StopOnSignal(),
    )
    print(json.dumps(figures))


def evaluate_command(arguments: argparse.Namespace) -> None:
    if arguments.others is not None and not arguments.views:
        raise ValueError("--others: only with --views")
    if arguments.robustness:
        from training.cli_robustness import robustness_command

        robustness_command(arguments)
        return
    if arguments.views:
        views_command(arguments)
        return
    for names, by in ((("out", "save"), "--robustness"), (("images", "seed"), "--robustness or --views")):
        if given := [f"--{name}" for name in names if getattr(arguments, name) not in (None, False)]:
            raise ValueError(f"{', '.join(given)}: only with {by}")
    measured = measured_artifact(load_artifact(arguments.artifact), arguments.engine, arguments)
    if arguments.json:
        print(measured.to_json())
    else:
        measured.show(Console())


def views_command(arguments: argparse.Namespace) -> None:
    from training.evaluation import measure, unfamiliar, views
    from training.evaluation.engines import load_engine

    if given := [f"--{name}" for name in ("out", "save") if getattr(arguments, name) not in (None, False)]:
        raise ValueError(f"{', '.join(given)}: only with --robustness")
    artifact = load_artifact(arguments.artifact)
    preprocessing = Preprocessing.from_metadata(artifact.metadata)
    others = None
    if arguments.others is not None:
        others = unfamiliar.read_pictures(arguments.others, preprocessing).images
    images = load_test(arguments.data, arguments.test, artifact.metadata.input_size)
    measure.note_other_data(artifact.metadata, images, Console(stderr=True))
    gains = views.measure_views(
        artifact,
        load_engine(artifact, arguments.engine, select_device(arguments.device)),
        images,
        others,
        count=arguments.images,
        seed=arguments.seed or 0,
    )
    if arguments.json:
        print(views.to_json(gains))
    else:
        views.show(gains, Console())


def measured_artifact(artifact: Artifact, engine: str, arguments: argparse.Namespace) -> "measure.Measured":
    """On the images of `--test` or the test images of `--data`, scaled as this artifact has them."""
    from training.evaluation import measure

    images = load_test(arguments.data, arguments.test, artifact.metadata.input_size)
    return measure.measure(artifact, engine, images, select_device(arguments.device))


def compare_command(arguments: argparse.Namespace) -> None:
    from training.evaluation import compare

    a, b = load_artifact(arguments.a), load_artifact(arguments.b)
    compare.require_same_classes(a, b)
    comparison = compare.compare(
        measured_artifact(a, arguments.engine_a, arguments),
        measured_artifact(b, arguments.engine_b, arguments),
    )
    if arguments.json:
        print(comparison.to_json())
    else:
        compare.show(comparison, Console())


def unfamiliar_command(arguments: argparse.Namespace) -> None:
    from training.evaluation import unfamiliar
    from training.evaluation.engines import load_engine
    from training.evaluation.measure import require_own_data
    from training.evaluation.outputs import answer_of_engine

    artifact = load_artifact(arguments.artifact)
    about, console = artifact.metadata, Console(stderr=True)
    others, _, left_out = unfamiliar.read_pictures(arguments.others, Preprocessing.from_metadata(about))
    if left_out:
        words = f"{len(left_out)} files are no images that can be read, the first is {left_out[0]}"
        console.print(words, markup=False, soft_wrap=True)
    held_out = RecordedRecipe.of(about).held_out
    images = load(arguments.data, held_out, about.input_size, Console(quiet=True))
    require_own_data(about, images)
    engine = load_engine(artifact, arguments.engine, torch.device("cpu"))
    answer = answer_of_engine(engine)
    separations = unfamiliar.measure_separation(artifact, answer, images, others, arguments.images)
    if arguments.json:
        print(unfamiliar.to_json(separations))
    else:
        unfamiliar.show(separations, Console())


def calibrate_command(arguments: argparse.Namespace) -> None:
    from training.export import calibrate

    about, console = read_metadata(arguments.artifact), Console()
    require_place_for_artifact(arguments.artifact, "--artifact")
    images = load(arguments.data, RecordedRecipe.of(about).held_out, about.input_size, console)
    calibrate.calibrate_artifact(arguments.artifact, images, select_device(arguments.device), console)


def export_command(arguments: argparse.Namespace) -> None:
    from training.export import export
    from training.export.quantize import require_nncf

    console = Console()
    state = load_checkpoint(arguments.run, lambda line: console.print(escape(line), soft_wrap=True))
    recipe = state.recipe
    if arguments.out:
        require_place_for_artifact(arguments.out)
    if arguments.int8:
        require_nncf()
    images = load(arguments.data, recipe.held_out, recipe.stages[-1].image_size, console)
    # Not the recipe's name for other data, which would put them in the place of the recipe's own model.
    default = recipe.name if holds_cifar10(arguments.data) else slugified(images.name)
    target = destination(arguments.out, arguments.name, arguments.version, default)
    require_place_for_artifact(target.folder)
    device = select_device(arguments.device)
    export.export_run(
        state,
        images.to(device),
        target.folder,
        name=target.name,
        version=target.version,
        console=console,
        with_int8=arguments.int8,
    )
    if arguments.robustness is not None:
        from training.cli_robustness import add_robustness

        add_robustness(target.folder, images, device, arguments.robustness, console)
