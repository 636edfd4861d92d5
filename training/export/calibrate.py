"""What is fitted to a finished network's answers: its temperature, and its detector of unfamiliar images.

Each network, float32 and int8, has its own. `calibrate_artifact` fits them anew for a stored model.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.console import Console
from torch import Tensor, nn

from models.artifact.detector import load_detector
from models.artifact.metadata import (
    DETECTOR_FILE,
    INT8_DETECTOR_FILE,
    Calibration,
    ModelDescription,
    ModelMetrics,
    Unfamiliarity,
)
from models.artifact.reference import FILE_NAME as REFERENCE_FILE
from models.artifact.reference import measure_reference
from models.artifact.report import FILE_NAME as REPORT_FILE
from models.artifact.report import Evaluation, load_report
from models.artifact.robustness import load_robustness
from models.artifact.save import copy_beside, save_artifact
from models.artifact.store import ArtifactError, load_artifact
from models.features import last_linear
from models.unfamiliarity.detector import KEPT, Detector
from models.unfamiliarity.nearest_neighbours import bank_size
from training.data.cifar10 import ImageData, Split
from training.evaluation.corruptions.mix import corrupted_mix
from training.evaluation.engines import load_engine
from training.evaluation.evaluate import evaluate, fit_temperature
from training.evaluation.measure import require_own_data
from training.evaluation.outputs import Answer, Outputs, answer_of_engine, outlier_count, reference
from training.evaluation.robustness import sample
from training.report.files import render_report
from training.report.mistakes import worst_mistakes

SCORE = "neighbours_and_probe"
"""Of `models.unfamiliarity.SCORES`; `training/LOG.md` has the measurement that chose it."""
CORRUPTED_TEST_IMAGES = 1500
"""Twenty of each of the 15 corruptions at each of their five severities."""
SEED = 0
COLOUR_CHANNELS = 3
"""What the corruptions are defined for."""


@dataclass(frozen=True)
class Fitted:
    """Of one network; `logits` (N, classes) are those of the test images.

    `held_out_logits` are those of the validation images, and None where there are none, as `detector` is.
    `calibration` is None where the temperature was fitted on clean images alone.
    """

    temperature: float
    calibration: Calibration | None
    detector: Detector | None
    logits: Tensor
    held_out_logits: Tensor | None
    evaluation: Evaluation


@dataclass(frozen=True)
class Corrupted:
    """Images each under one of the corruptions: of the validation set all, of the test set a part."""

    held_out: Tensor
    test: Split


def corrupted_images(data: ImageData) -> Corrupted | None:
    """What networks are fitted to beside clean images; None without a validation set, or without colour."""
    if not len(data.held_out) or data.held_out.images.shape[1] != COLOUR_CHANNELS:
        return None
    part = sample(data.test, min(CORRUPTED_TEST_IMAGES, len(data.test)), SEED)
    return Corrupted(
        corrupted_mix(data.held_out.images, SEED), Split(corrupted_mix(part.images, SEED), part.labels)
    )


def fit(answer: Answer, classifier: nn.Linear, data: ImageData, corrupted: Corrupted | None) -> Fitted:
    """Fit temperature and detector to what `answer` gives, and measure on the test images.

    The temperature is that of the validation images, once as they are and once as in `corrupted`, the
    `corrupted_images` of `data`; `classifier` is the network's last layer. Without a validation set it is 1.
    """
    test = answer(data.test.images)
    logits, labels = torch.from_numpy(test.logits), data.test.labels.cpu()
    if not len(data.held_out):
        return Fitted(1.0, None, None, logits, None, evaluate(logits, labels, data.classes, 1.0))
    clean = answer(data.held_out.images)
    validation, truth = torch.from_numpy(clean.logits), data.held_out.labels.cpu()
    if corrupted is not None:
        validation = torch.cat([validation, torch.from_numpy(answer(corrupted.held_out).logits)])
        truth = torch.cat([truth, truth])
    temperature = fit_temperature(validation, truth)
    return Fitted(
        temperature,
        None if corrupted is None else _calibration(answer, data.classes, corrupted, temperature),
        _detector(answer, classifier, data, clean),
        logits,
        torch.from_numpy(clean.logits),
        evaluate(logits, labels, data.classes, temperature),
    )


def _calibration(
    answer: Answer, classes: tuple[str, ...], corrupted: Corrupted, temperature: float
) -> Calibration:
    test = corrupted.test
    measured = evaluate(torch.from_numpy(answer(test.images).logits), test.labels, classes, temperature)
    return Calibration(
        held_out_images=len(corrupted.held_out),
        corrupted_images=len(corrupted.held_out),
        test_images=len(test),
        accuracy=measured.accuracy,
        expected_calibration_error=measured.expected_calibration_error,
    )


def _detector(answer: Answer, classifier: nn.Linear, data: ImageData, clean: Outputs) -> Detector:
    known = reference(answer, classifier, data.train, bank_size(len(data.classes)))
    return Detector.fit(SCORE, known, *clean)


def describe_detector(data: ImageData) -> Unfamiliarity | None:
    """None where there is no validation set to set a threshold on."""
    if not len(data.held_out):
        return None
    return Unfamiliarity(
        score=SCORE,
        reference_images=min(bank_size(len(data.classes)), len(data.train)),
        outliers=outlier_count(data.train),
        held_out_images=len(data.held_out),
        kept=KEPT,
    )


def detector_files(float32: Fitted, int8: Fitted | None) -> dict[str, bytes]:
    """The detectors as files by name."""
    detectors = {DETECTOR_FILE: float32.detector, INT8_DETECTOR_FILE: int8.detector if int8 else None}
    return {name: detector.to_bytes() for name, detector in detectors.items() if detector is not None}


def metrics(evaluation: Evaluation) -> ModelMetrics:
    """What of `evaluation` an artifact's metadata state."""
    return ModelMetrics(
        accuracy=evaluation.accuracy,
        images=evaluation.images,
        negative_log_likelihood=evaluation.negative_log_likelihood,
        expected_calibration_error=evaluation.expected_calibration_error,
        per_class_accuracy=evaluation.per_class_accuracy,
    )


def show(name: str, fitted: Fitted, console: Console) -> None:
    """Print what came of it."""
    line = (
        f"{name}: temperature {fitted.temperature}, expected calibration error "
        f"{fitted.evaluation.expected_calibration_error:.2%} on {fitted.evaluation.images:,} test images"
    )
    if fitted.calibration is not None:
        about = fitted.calibration
        line += f", {about.expected_calibration_error:.2%} on {about.test_images:,} corrupted ones"
    console.print(line)


def calibrate_artifact(folder: Path, data: ImageData, device: torch.device, console: Console) -> None:
    """Fit temperatures and detectors of the artifact in `folder` anew, and write all that tells of them.

    The weights, the int8 network and the golden tensors stay as they are, and so do files beside the
    artifact's own. Raises `ArtifactError` where `data` is not what the artifact was trained on, or has no
    validation set.
    """
    artifact, report = load_artifact(folder), load_report(folder)
    about = artifact.metadata
    require_own_data(about, data)
    if not len(data.held_out):
        raise ArtifactError(f"{folder}: the model was trained without a validation set to fit anything to")
    classifier, corrupted = last_linear(artifact.model), corrupted_images(data)

    def fitted_by(engine: str) -> Fitted:
        console.print(f"{engine}: answering images")
        fitted = fit(answer_of_engine(load_engine(artifact, engine, device)), classifier, data, corrupted)
        show(engine, fitted, console)
        return fitted

    float32 = fitted_by("torch" if device.type == "cuda" else "openvino")
    int8 = fitted_by("int8") if about.int8 is not None else None
    changes: dict[str, object] = {
        "temperature": float32.temperature,
        "calibration": float32.calibration,
        "metrics": metrics(float32.evaluation),
        "unfamiliarity": describe_detector(data),
    }
    if about.int8 is not None and int8 is not None:
        changes["int8"] = about.int8.model_copy(
            update={
                "temperature": int8.temperature,
                "calibration": int8.calibration,
                "metrics": metrics(int8.evaluation),
            }
        )
    described = {name: getattr(about, name) for name in ModelDescription.model_fields}
    description = ModelDescription(**{**described, **changes})
    report = replace(
        report,
        evaluation=float32.evaluation,
        mistakes=worst_mistakes(float32.logits, data.test, data.classes, float32.temperature),
    )
    files = {name: (folder / name).read_bytes() for name in about.files}
    files |= detector_files(float32, int8)
    if REFERENCE_FILE in files and float32.held_out_logits is not None:
        # Its confidences are those at the temperature.
        confident = measure_reference(
            data.held_out.images.cpu().numpy(),
            float32.held_out_logits.numpy(),
            data.classes,
            float32.temperature,
        )
        files[REFERENCE_FILE] = confident.to_json()
    shown = render_report(description, report, load_robustness(folder, about))
    files |= {REPORT_FILE: report.to_json(), **shown}

    def prove(fresh: Path) -> None:
        prove_detectors(fresh)
        copy_beside(folder, fresh)

    save_artifact(folder, artifact.model, description, files, prove)
    console.print(f"artifact written to {folder}", markup=False, soft_wrap=True)


def prove_detectors(folder: Path) -> None:
    """Read the artifact back, with the detector of each network. Raises `ArtifactError` for one not right."""
    artifact = load_artifact(folder)
    for precision in ("float32", *(["int8"] if artifact.metadata.int8 else [])):
        load_detector(artifact, precision)
