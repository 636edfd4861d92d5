"""What the commands do that serve a model in service: its reference, its corrections, its own photographs."""

import argparse

from rich.console import Console

from models.artifact.reference import FILE_NAME as REFERENCE_FILE
from models.artifact.reference import LEAST_IMAGES, measure_reference
from models.artifact.store import load_artifact
from models.feedback.records import FeedbackError
from models.preprocessing.transform import Preprocessing
from training.data.cifar10 import DataError
from training.data.feedback import export_corrections, of_model
from training.data.folder_layout import training_part
from training.data.load import load
from training.loop.device import select_device
from training.output_folder import require_place_for_artifact, require_writable
from training.recipes.recipe import RecordedRecipe


def reference_command(arguments: argparse.Namespace) -> None:
    """Of the images that were held out of its training, as export does it."""
    from models.artifact.amend import amend_artifact
    from training.evaluation import measure
    from training.evaluation.engines import engine_logits, load_engine

    require_place_for_artifact(arguments.artifact, "--artifact")
    artifact = load_artifact(arguments.artifact)
    about = artifact.metadata
    device, console = select_device(arguments.device), Console()
    data = load(arguments.data, RecordedRecipe.of(about).held_out, about.input_size, console).to(device)
    measure.require_own_data(about, data)
    if len(data.held_out) < LEAST_IMAGES:
        count = f"{len(data.held_out)} images of it are held out"
        raise DataError(f"--data: {count}, and the reference needs {LEAST_IMAGES} to be measured on")
    preprocessing = Preprocessing.from_metadata(about)
    images = measure.as_served(data.held_out.images, preprocessing)
    logits = engine_logits(load_engine(artifact, "torch", device), images)
    reference = measure_reference(images.cpu().numpy(), logits.numpy(), about.classes, about.temperature)
    amend_artifact(arguments.artifact, {REFERENCE_FILE: reference.to_json()})
    words = f"{REFERENCE_FILE}, of {reference.images:,} images, added to {arguments.artifact}"
    console.print(words, markup=False, soft_wrap=True)


def photos_command(arguments: argparse.Namespace) -> None:
    from training.evaluation import photos
    from training.evaluation.engines import load_engine
    from training.evaluation.measure import require_own_data

    artifact = load_artifact(arguments.artifact)
    about, device = artifact.metadata, select_device(arguments.device)
    preprocessing = Preprocessing.from_metadata(about)
    read = photos.read_photos(arguments.folder, about.classes, preprocessing)
    data = None
    if arguments.data is not None:
        held_out = RecordedRecipe.of(about).held_out
        data = load(arguments.data, held_out, about.input_size, Console(quiet=True))
        require_own_data(about, data)
    engine = load_engine(artifact, arguments.engine, device)
    report = photos.measure_photos(artifact, engine, read, data)
    if arguments.json:
        print(report.to_json())
    else:
        photos.show(report, Console())


def export_feedback_command(arguments: argparse.Namespace) -> None:
    try:
        # Not at the top: the extra may not be installed.
        from models.feedback.database import FeedbackDatabase
    except ImportError as error:
        raise DataError(
            "export-feedback needs the extra `feedback`: pip install '.[feedback]' in the project's folder,"
            f" or build the image with EXTRAS=serve,feedback ({error})"
        ) from error
    folder = training_part(arguments.out)
    require_writable(folder)
    try:
        database = FeedbackDatabase(arguments.database, must_exist=True)
    except ValueError as error:
        raise DataError(f"--database: {error}") from error
    try:
        # What is told here goes where it does not mix with the JSON.
        entries = of_model(database.entries(), arguments.model, Console(stderr=True))
        exported = export_corrections(entries, database.image, folder)
    except FeedbackError as error:
        raise DataError(f"--database: {error}") from error
    finally:
        database.close()
    if arguments.json:
        print(exported.to_json())
    else:
        exported.show(folder, Console())
