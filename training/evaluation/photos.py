"""An artifact measured on a folder of one's own photographs: of its classes, and of other things."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from models.artifact.detector import load_detector
from models.artifact.report import Evaluation
from models.artifact.store import Artifact
from models.engines import Engine
from models.preprocessing.transform import Preprocessing
from models.unfamiliarity import SCORES
from models.unfamiliarity.of_logits import OfLogits
from training.data.cifar10 import DataError, ImageData, Split
from training.data.folder_layout import class_name, sub_folders
from training.evaluation.evaluate import evaluate
from training.evaluation.outputs import Outputs, answer_of_engine
from training.evaluation.unfamiliar import Separation, auroc, measure_separation, read_pictures, separate

CONFIDENT = 0.9
"""The probability from which on a wrong answer is one that misleads."""

LISTED = 20
"""Mistakes that are shown, the most confident first; the JSON has all."""


@dataclass(frozen=True)
class Photos:
    """Photographs as the network gets them, uint8 (N, C, S, S).

    `labels` (N,) are the classes of `known` by number, `files` their paths; `others` (M, C, S, S) are of
    things that are none of the classes, from the folders `other_names`. `left_out` cannot be read as images.
    """

    known: Tensor
    labels: Tensor
    files: list[Path]
    others: Tensor
    other_names: list[str]
    left_out: list[Path]


@dataclass(frozen=True)
class PhotoMistake:
    """A photograph whose wrong `answer` was given `probability`, more than `CONFIDENT`."""

    file: str
    true_class: str
    answer: str
    probability: float


@dataclass(frozen=True)
class PhotoReport:
    """All figures. Shares and probabilities are in 0..1.

    `per_class` has the number of photographs of each class and the accuracy on them, of those with any.
    `wrong` are the wrong answers in all, `confident_mistakes` those above `CONFIDENT`. `other_confident` is
    the share of other photographs that get more than that as well, `auroc` of each score how well it tells
    them from photographs with the right answer, and `served` what the artifact's own detector makes of both;
    None and empty where there are no others, and `served` where there is no detector.
    """

    name: str
    version: str
    engine: str
    evaluation: Evaluation
    per_class: dict[str, tuple[int, float]]
    wrong: int
    confident_mistakes: list[PhotoMistake]
    others: int
    other_confident: float | None
    auroc: dict[str, float]
    served: Separation | None
    left_out: list[str]

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)


def read_photos(folder: Path, classes: Sequence[str], preprocessing: Preprocessing) -> Photos:
    """The images below `folder`, whose sub-folders are named as classes or as anything else.

    What is passed over, and when a name is that of a class, is as in `training.data.folder_layout`. Raises
    `DataError` where no sub-folder is named as a class, or one has no image.
    """
    folders = sub_folders(folder)
    if not any(class_name(each) in classes for each in folders):
        raise DataError(f"{folder}: no sub-folder is named as a class: {', '.join(classes[:LISTED])}")
    known, labels, others = [], [], []
    files: list[Path] = []
    other_names: list[str] = []
    left_out: list[Path] = []
    for each in folders:
        name, pictures = class_name(each), read_pictures(each, preprocessing)
        left_out += pictures.left_out
        if name in classes:
            known.append(pictures.images)
            labels += [classes.index(name)] * len(pictures.images)
            files += pictures.files
        else:
            others.append(pictures.images)
            other_names.append(name)
    empty = torch.zeros(0, *known[0].shape[1:], dtype=torch.uint8)
    return Photos(
        torch.cat(known), torch.tensor(labels), files, torch.cat([empty, *others]), other_names, left_out
    )


def measure_photos(
    artifact: Artifact, engine: Engine, photos: Photos, data: ImageData | None = None
) -> PhotoReport:
    """All figures of `artifact`, computed by `engine`, with the temperature and the detector for it.

    With `data`, which the artifact was trained on, every score of `SCORES` is fitted and measured; without,
    those that need nothing but logits.
    """
    about = artifact.metadata
    answer = answer_of_engine(engine)
    known, others = answer(photos.known), answer(photos.others) if len(photos.others) else None
    temperature, detector = about.temperature_of(engine.precision), load_detector(artifact, engine.precision)
    logits = torch.from_numpy(known.logits)
    evaluation = evaluate(logits, photos.labels, about.classes, temperature)
    confidence, predicted = (logits.double() / temperature).softmax(1).max(1)
    right = predicted == photos.labels
    counts = torch.bincount(photos.labels, minlength=len(about.classes)).tolist()
    misleading = sorted(
        ((~right) & (confidence > CONFIDENT)).nonzero().flatten().tolist(),
        key=lambda index: -confidence[index].item(),
    )
    separation: dict[str, float] = {}
    served: Separation | None = None
    if others is not None and bool(right.any()):
        of_right = Outputs(known.features[right.numpy()], known.logits[right.numpy()])
        if data is None:
            separation = _of_logits(of_right, others)
        else:
            as_test = replace(data, test=Split(photos.known, photos.labels))
            measured = measure_separation(artifact, answer, as_test, photos.others)
            separation = {each.score: each.auroc for each in measured}
        if detector is not None:
            served = separate(detector, of_right, others)
    return PhotoReport(
        name=about.name,
        version=about.version,
        engine=f"{engine.name} in {engine.precision}",
        evaluation=evaluation,
        per_class={
            name: (count, evaluation.per_class_accuracy[name])
            for name, count in zip(about.classes, counts, strict=True)
            if count
        },
        wrong=int((~right).sum()),
        confident_mistakes=[
            PhotoMistake(
                str(photos.files[index]),
                about.classes[int(photos.labels[index])],
                about.classes[int(predicted[index])],
                confidence[index].item(),
            )
            for index in misleading
        ],
        others=len(photos.others),
        other_confident=None if others is None else _share_above(others, temperature),
        auroc=separation,
        served=served,
        left_out=[str(path) for path in photos.left_out],
    )


def _share_above(outputs: Outputs, temperature: float) -> float:
    confidence = (torch.from_numpy(outputs.logits).double() / temperature).softmax(1).amax(1)
    return (confidence > CONFIDENT).double().mean().item()


def _of_logits(right: Outputs, others: Outputs) -> dict[str, float]:
    scores = {name: kind.from_arrays({}) for name, kind in SCORES.items() if issubclass(kind, OfLogits)}
    return {name: auroc(score(*others), score(*right)) for name, score in scores.items()}


def show(report: PhotoReport, console: Console) -> None:
    evaluation = report.evaluation
    console.print(
        f"accuracy {evaluation.accuracy:.2%} on {evaluation.images:,} photographs, {report.engine};"
        f" expected calibration error {evaluation.expected_calibration_error:.4f}"
    )
    for name, (count, accuracy) in report.per_class.items():
        console.print(f"  {name:12} {accuracy:8.2%} of {count:,}", markup=False)
    table = Table("confidence", "right", "photographs", title="reliability")
    bins = zip(evaluation.bin_confidence, evaluation.bin_accuracy, evaluation.bin_share, strict=True)
    for confidence, accuracy, share in bins:
        if share:
            table.add_row(f"{confidence:.1%}", f"{accuracy:.1%}", f"{share * evaluation.images:.0f}")
    console.print(table)
    mistakes = report.confident_mistakes
    console.print(f"{len(mistakes)} of {report.wrong} wrong answers are given more than {CONFIDENT:.0%}")
    for mistake in mistakes[:LISTED]:
        words = f"{mistake.true_class} taken for {mistake.answer}, {mistake.probability:.1%}"
        console.print(f"  {mistake.file}: {words}", markup=False, soft_wrap=True)
    if report.other_confident is not None:
        console.print(
            f"{report.other_confident:.1%} of {report.others:,} photographs of other things get more than"
            f" {CONFIDENT:.0%}"
        )
    for name, value in report.auroc.items():
        console.print(f"  {name:22} AUROC {value:.3f} against right answers", markup=False)
    if report.served is not None:
        console.print(
            f"unfamiliar to the service: {report.served.others:.1%} of them, and {report.served.right:.1%} of"
            f" the photographs with the right answer; AUROC {report.served.auroc:.3f}"
        )
    if report.left_out:
        left_out = report.left_out
        words = f"{len(left_out)} files are no images that can be read, the first is {left_out[0]}"
        console.print(words, markup=False, soft_wrap=True)
