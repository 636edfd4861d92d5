"""From a finished run to an artifact: weights, int8, their measured figures, golden tensors, card, plots."""

import platform
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Literal

import torch
from rich.console import Console
from torch import Tensor, nn

from models import create_model
from models.artifact.golden import GOLDEN_FILE, check_golden
from models.artifact.reference import FILE_NAME as REFERENCE_FILE
from models.artifact.reference import LEAST_IMAGES, measure_reference
from models.artifact.report import FILE_NAME as REPORT_FILE
from models.artifact.report import StoredReport
from models.artifact.save import save_artifact
from models.artifact.store import (
    INT8_NETWORK_FILE,
    INT8_WEIGHTS_FILE,
    ArtifactError,
    Dataset,
    Int8,
    ModelDescription,
    load_artifact,
)
from models.engines.conversion import float32_network
from models.features import last_linear
from models.preprocessing.transform import Preprocessing
from training.data.cifar10 import ImageData, Split
from training.evaluation.engines import engine_logits, load_engine
from training.evaluation.evaluate import accuracy, predict
from training.evaluation.outputs import answer_of_engine, answer_of_network
from training.export.calibrate import (
    Fitted,
    corrupted_images,
    describe_detector,
    detector_files,
    fit,
    metrics,
    prove_detectors,
    show,
)
from training.export.golden import make_golden
from training.export.quantize import Quantized, quantize
from training.loop.batches import preprocessing_of
from training.loop.checkpoint import CheckpointError, RunState
from training.report.augmentation_samples import augmentation_samples
from training.report.files import render_report
from training.report.mistakes import worst_mistakes

GOLDEN_IMAGES = 16
LOSS_BY_ROUNDING = 0.0005
"""Of accuracy, up to which rounding counts as harmless: an eighth of the standard error of 5,000 validation
images at 92 %."""
LIBRARIES = ("torch", "torchvision", "numpy", "pillow", "safetensors", "openvino")
INT8_LIBRARIES = ("nncf",)
GOLDEN_TOLERANCE = 1e-3
"""Largest difference of a logit between the artifact as it is read back and the network that was measured."""


@torch.no_grad()
def round_weights(model: nn.Module, dtype: torch.dtype) -> None:
    """Round the weights that an artifact stores as `dtype`, those of two or more dimensions, in place."""
    for parameter in model.parameters():
        if parameter.dim() >= 2:
            parameter.copy_(parameter.to(dtype))


def finished_model(state: RunState, data: ImageData) -> nn.Module:
    """The run's result on the data's device, in eval mode. Raises `CheckpointError` if it is unfinished."""
    epochs = state.recipe.epochs
    if state.epoch < epochs:
        raise CheckpointError(f"the run has done {state.epoch} of {epochs} epochs: go on with train --resume")
    if state.data_sha256 != data.sha256:
        raise CheckpointError("the run was trained on another data set than the one given by --data")
    model = create_model(state.recipe.architecture, len(data.classes), data.train.images.shape[1])
    model.load_state_dict(state.result)
    return model.to(data.train.images.device).to(memory_format=torch.channels_last).eval()


def choose_weights_dtype(
    model: nn.Module, validation: Split, preprocessing: Preprocessing, console: Console
) -> tuple[Literal["float16", "float32"], Tensor]:
    """Round the weights to float16 where that costs at most `LOSS_BY_ROUNDING` of the validation accuracy.

    Without a validation set nothing tells that it is harmless, and the weights stay as they are: chosen on
    the test set, the accuracy there would be that of the better of two.

    Returns the type to store them as, and the logits (N, classes) of `validation` as the model then is.
    """
    unrounded = {name: value.clone() for name, value in model.state_dict().items()}
    unrounded_logits = predict(model, validation.images, preprocessing)
    if not len(validation):
        console.print("no float16: there is no validation set to judge it on")
        return "float32", unrounded_logits
    round_weights(model, torch.float16)
    logits = predict(model, validation.images, preprocessing)
    trained, stored = (accuracy(each, validation.labels) for each in (unrounded_logits, logits))
    console.print(
        f"validation accuracy {trained:.2%} as trained, {stored:.2%} with weights rounded to float16"
    )
    if trained - stored <= LOSS_BY_ROUNDING:
        return "float16", logits
    model.load_state_dict(unrounded)
    return "float32", unrounded_logits


def describe_int8(quantized: Quantized, data: ImageData, fitted: Fitted) -> Int8:
    return Int8(
        method=quantized.method,
        calibration_images=quantized.calibration_images,
        held_out_accuracy=quantized.held_out_accuracy,
        held_out_accuracy_float32=quantized.held_out_accuracy_float32,
        held_out_images=len(data.held_out),
        metrics=metrics(fitted.evaluation),
        temperature=fitted.temperature,
        calibration=fitted.calibration,
    )


def export_run(
    state: RunState,
    data: ImageData,
    folder: Path,
    *,
    name: str,
    version: str,
    console: Console,
    with_int8: bool = True,
) -> None:
    """Write the artifact of a finished run to `folder`.

    Weights are stored as float16 where that costs at most `LOSS_BY_ROUNDING` of the validation accuracy, and
    as float32 otherwise. Temperature and detector of unfamiliar images are fitted
    as `fit` does it, for each network. The figures in the artifact are those of the stored weights in float32
    arithmetic, one forward pass an image; those under `int8` are of the int8 network, which is made of the
    stored weights too, and only exported where `quantize` finds one that is fit. The artifact is read back
    and proven before it takes the place of an earlier one.

    Raises `CheckpointError` for an unfinished run or another data set, and `ArtifactError` for an artifact
    that proves to be another than was measured.
    """
    model = finished_model(state, data)
    preprocessing = preprocessing_of(state.recipe, data)

    console.print("measuring the weights as trained, then as stored")
    validation = data.held_out
    weights_dtype, validation_logits = choose_weights_dtype(model, validation, preprocessing, console)
    corrupted = corrupted_images(data)
    fitted = fit(answer_of_network(model, preprocessing), last_linear(model), data, corrupted)
    console.print(f"stored as {weights_dtype}")
    show("float32", fitted, console)

    model.cpu()
    golden_images = data.test.images[:GOLDEN_IMAGES].cpu()
    quantized: Quantized | None = None
    fitted_int8: Fitted | None = None
    if with_int8:
        quantized = quantize(model, preprocessing, data, validation_logits, name=name, console=console)
    if quantized is None:
        int8 = None
        files = {
            GOLDEN_FILE: make_golden(model, preprocessing, golden_images),
            **float32_network(model, preprocessing, name),
        }
    else:
        fitted_int8 = fit(answer_of_engine(quantized.engine), last_linear(model), data, corrupted)
        int8 = describe_int8(quantized, data, fitted_int8)
        show("int8", fitted_int8, console)
        console.print(
            f"test accuracy {int8.metrics.accuracy:.2%} in int8, {fitted.evaluation.accuracy:.2%} in float32"
        )
        int8_logits = engine_logits(quantized.engine, golden_images)
        files = {
            GOLDEN_FILE: make_golden(model, preprocessing, golden_images, int8_logits),
            INT8_NETWORK_FILE: quantized.ir.xml,
            INT8_WEIGHTS_FILE: quantized.ir.weights,
        }

    description = ModelDescription(
        schema_version=2,
        name=name,
        version=version,
        architecture=state.recipe.architecture,
        in_channels=preprocessing.in_channels,
        classes=data.classes,
        input_size=preprocessing.input_size,
        interpolation=preprocessing.interpolation,
        mean=preprocessing.mean,
        std=preprocessing.std,
        temperature=fitted.temperature,
        weights_dtype=weights_dtype,
        metrics=metrics(fitted.evaluation),
        int8=int8,
        recipe={
            **state.recipe.to_json(),
            "seed": state.seed,
            **({"extended_after": list(state.extended_after)} if state.extended_after else {}),
        },
        dataset=Dataset(
            name=data.name,
            sha256=data.sha256,
            train_images=len(data.train),
            held_out_images=len(data.held_out),
            test_images=len(data.test),
        ),
        hardware=state.hardware,
        training_seconds=round(state.seconds, 1),
        library_versions=library_versions(LIBRARIES + (INT8_LIBRARIES if int8 else ())),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        calibration=fitted.calibration,
        unfamiliarity=describe_detector(data),
    )
    report = StoredReport(
        history=state.history,
        evaluation=fitted.evaluation,
        mistakes=worst_mistakes(fitted.logits, data.test, data.classes, fitted.temperature),
        augmentation=augmentation_samples(state.recipe, data.train, data.classes),
    )
    files |= detector_files(fitted, fitted_int8)
    files[REPORT_FILE] = report.to_json()
    if 0 < len(validation) < LEAST_IMAGES:
        words = f"without {REFERENCE_FILE}, the reference for drift: {len(validation)} validation images"
        console.print(f"{words} are too few, {LEAST_IMAGES} are needed", soft_wrap=True)
    elif len(validation):
        reference = measure_reference(
            validation.images.cpu().numpy(), validation_logits.cpu().numpy(), data.classes, fitted.temperature
        )
        files[REFERENCE_FILE] = reference.to_json()
    files |= render_report(description, report)
    save_artifact(folder, model, description, files, prove=lambda fresh: prove(fresh, model))
    console.print(f"artifact written to {folder}", markup=False, soft_wrap=True)


def prove(folder: Path, measured: nn.Module) -> None:
    """Read the artifact in `folder` back and compute with it. Raises `ArtifactError` for one not right."""
    artifact = load_artifact(folder)
    require_equal_weights(measured, artifact.model)
    preprocessing = Preprocessing.from_metadata(artifact.metadata)
    check_golden(
        folder,
        lambda images: predict(artifact.model, torch.from_numpy(images), preprocessing).numpy(),
        GOLDEN_TOLERANCE,
    )
    if artifact.metadata.int8 is not None:
        engine = load_engine(artifact, "int8", torch.device("cpu"))
        check_golden(
            folder,
            engine.predict,
            GOLDEN_TOLERANCE,
            "int8_logits",
        )
    prove_detectors(folder)


def require_equal_weights(measured: nn.Module, stored: nn.Module) -> None:
    """The figures belong to the stored weights only if those are the measured ones, bit for bit."""
    values = stored.state_dict()
    for name, value in measured.state_dict().items():
        if not torch.equal(value.float(), values[name].float()):
            raise ArtifactError(f"the stored tensor {name} is not the one that was measured")


def library_versions(libraries: tuple[str, ...]) -> dict[str, str]:
    return {"python": platform.python_version(), **{name: installed_version(name) for name in libraries}}
