"""What a run has to show: the model card in Markdown, with the plots beside it."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from models.artifact import (
    ArtifactError,
    Int8,
    ModelDescription,
    load_artifact,
)
from training.checkpoint import EpochRecord
from training.evaluate import Evaluation
from training.plots import calibration_figure, confusion_figure, render, training_figure, watched_name

FILE_NAME = "report.json"


@dataclass(frozen=True)
class Report:
    """What report.json of an artifact holds: the run's epochs, and the figures on the test set."""

    history: list[EpochRecord]
    evaluation: Evaluation


def load_report(folder: Path) -> Report:
    """Read report.json of an artifact. Raises `ArtifactError`."""
    try:
        return TypeAdapter(Report).validate_json((folder / FILE_NAME).read_bytes(), strict=True)
    except (OSError, ValidationError) as error:
        raise ArtifactError(f"{folder / FILE_NAME} cannot be read: {error}") from error


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [header, ["---"] * len(list(header)), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def model_card(description: ModelDescription, report: Report) -> str:
    """The card as Markdown: what the model is, how good, how it was made, and where it should not be used."""
    evaluation, recipe = report.evaluation, description.recipe
    per_class = table(
        ["class", "accuracy"],
        [[name, f"{value:.1%}"] for name, value in evaluation.per_class_accuracy.items()],
    )
    epochs = table(
        [
            "epoch",
            "px",
            "training loss",
            "training accuracy",
            f"{_watched(description)} accuracy",
            "images/s",
        ],
        [
            [
                str(r.epoch),
                str(r.image_size),
                f"{r.train_loss:.3f}",
                f"{r.train_accuracy:.1%}",
                f"{r.watched_accuracy:.1%}",
                f"{r.images_per_second:,.0f}",
            ]
            for r in report.history
        ],
    )
    size = f"{description.input_size}×{description.input_size}"
    watched = _watched(description)
    return f"""# {description.name}, version {description.version}

{description.architecture} on {description.dataset.name}: {len(description.classes)} classes, input {size}.

**Test accuracy {evaluation.accuracy:.2%}** on {evaluation.images:,} images: one run (n = 1), one forward pass
an image, no test-time augmentation. Negative log-likelihood {evaluation.negative_log_likelihood:.3f} nats,
expected calibration error {evaluation.expected_calibration_error:.3f} at temperature
{description.temperature}. The weights are stored as {description.weights_dtype},
and these figures are theirs in float32 arithmetic.

{_int8_paragraph(description.int8)}

{per_class}

![confusion matrix](confusion.png)
![calibration](calibration.png)

## Training

    python -m training train --recipe {recipe["name"]} --seed {recipe["seed"]}

{description.training_seconds / 60:.0f} minutes on {description.hardware},
torch {description.library_versions["torch"]}.
Trained on {description.dataset.train_images:,} images, {description.dataset.held_out_images:,} more held out.
An epoch's {watched} accuracy is taken at the image size of that epoch. It chose nothing: the result is
the weights after the last step.

{epochs}

![training curves](training.png)

The recipe:

```json
{json.dumps(recipe, indent=2)}
```

## Limits of use

It knows {len(description.classes)} classes and nothing else: a picture of anything else gets one of them all
the same, often with confidence. Larger pictures are reduced to {size} pixels around their centre, so small
or off-centre objects are lost. The probabilities are calibrated on images like those of the data set.
"""


def _int8_paragraph(int8: Int8 | None) -> str:
    if int8 is None:
        return "There is no int8 network beside them."
    return f"""**In int8 {int8.metrics.accuracy:.2%}** of the same images: {int8.method} quantisation by NNCF,
with ranges from {int8.calibration_images:,} training images, run by OpenVINO. Of the {int8.held_out_images:,}
held-out images, on which it was admitted, int8 gets {int8.held_out_accuracy:.2%} right and float32
{int8.held_out_accuracy_float32:.2%}; more than 0.1 points less would not have been exported."""


def render_report(description: ModelDescription, report: Report) -> dict[str, bytes]:
    """The card and its plots, as files by name."""
    test_accuracy = report.evaluation.accuracy
    return {
        "card.md": model_card(description, report).encode(),
        **render(training_figure(report.history, _watched(description), test_accuracy), "training"),
        **render(confusion_figure(report.evaluation, description.classes), "confusion"),
        **render(calibration_figure(report.evaluation), "calibration"),
    }


def _watched(description: ModelDescription) -> str:
    return watched_name(description.dataset.held_out_images)


def write_report(artifact: Path, out: Path) -> list[Path]:
    """Write card and plots of an artifact into `out`. Raises `ArtifactError`."""
    files = render_report(load_artifact(artifact).metadata, load_report(artifact))
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (out / name).write_bytes(content)
    return [out / name for name in files]
