"""The model card in Markdown: what the model is, how good, how it was made, where it should not be used."""

import json
import re
from collections.abc import Iterable

from models.artifact.metadata import Int8, ModelDescription, Unfamiliarity
from models.artifact.report import StoredReport
from models.artifact.robustness import Robustness
from training.report.plots import watched_name
from training.report.robustness import grids
from training.report.training_command import training_command


def literal(text: str) -> str:
    """Markdown that shows `text` and nothing else, in the cell of a table too."""
    return re.sub(r"[\\`*_\[\]<>|~&#$]", r"\\\g<0>", text)


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [header, ["---"] * len(list(header)), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def model_card(
    description: ModelDescription, report: StoredReport, robustness: Robustness | None = None
) -> str:
    """The card as Markdown: what the model is, how good, how it was made, and where it should not be used."""
    evaluation, recipe, data = report.evaluation, description.recipe, description.dataset
    per_class = table(
        ["class", "accuracy"],
        [[literal(name), f"{value:.1%}"] for name, value in evaluation.per_class_accuracy.items()],
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
    return f"""# {literal(description.name)}, version {description.version}

{description.architecture} on {literal(data.name)}: {len(description.classes)} classes, input {size}.

**Test accuracy {evaluation.accuracy:.2%}** on {evaluation.images:,} images: one run (n = 1), one forward pass
per image, no test-time augmentation. Negative log-likelihood {evaluation.negative_log_likelihood:.3f} nats,
expected calibration error {evaluation.expected_calibration_error:.3f} at temperature
{description.temperature}. The weights are stored as {description.weights_dtype};
these figures were computed with them in float32.

{_int8_paragraph(description.int8)}

{_honesty_paragraph(description)}

{per_class}

![confusion matrix](confusion.png)
![calibration](calibration.png)

{"" if robustness is None else _robustness_section(description, robustness)}## The worst mistakes

{_mistakes_section(report)}

## Training

    {training_command(description)}

{description.training_seconds / 60:.0f} minutes on {description.hardware},
torch {description.library_versions["torch"]}.
Trained on {data.train_images:,} images; {data.held_out_images:,} more are the validation set.
An epoch's {watched} accuracy is measured at the image size of that epoch. It was not used to choose
anything: the result is the weights after the last step.

{epochs}

![training curves](training.png)

Energy was not measured.

{_augmentation_section(report)}

The recipe:

```json
{json.dumps(recipe, indent=2)}
```

## Limits of use

{limits_of_use(description)}
"""


def limits_of_use(description: ModelDescription) -> str:
    size = f"{description.input_size}×{description.input_size}"
    classes = len(description.classes)
    return f"""It knows {classes} classes and nothing else: a picture of anything else is assigned to one of
them too, often with high confidence. Larger pictures are cropped to their central square and scaled down to
{size} pixels, so small or off-centre objects are lost. The probabilities are calibrated on images like those
of the data set."""


def _robustness_section(description: ModelDescription, robustness: Robustness) -> str:
    """With the empty line behind it."""
    means = "\n".join(
        f"**Mean accuracy over the 15 corruptions at their five severities, {precision}: {mean:.2%}**; "
        f"{robustness.clean[precision]:.2%} as they are."
        for precision, mean in robustness.mean_corrupted.items()
    )
    tables = "\n\n".join(
        f"{grid.title}, {precision}:\n\n"
        + table(
            ["", *(literal(level) for level in grid.levels), "mean", "changed"],
            [
                [
                    row.name.replace("_", " "),
                    *(f"{each:.1%}" for each in (*row.accuracies, row.mean, row.changed)),
                ]
                for row in grid.rows
            ],
        )
        for precision in robustness.clean
        for grid in grids(robustness, precision)
    )
    folder = f"{description.name}/{description.version}"
    return f"""## Accuracy on changed images

    python -m training evaluate --artifact {folder} --robustness --images {robustness.images}

Accuracy on {robustness.images:,} test images (chosen by seed {robustness.seed}) under each of
{len(robustness.conditions)} conditions; `changed` is the share of predictions that differ from those for
the unchanged images.

{means}

![robustness](robustness.png)

{tables}

"""


def _mistakes_section(report: StoredReport) -> str:
    if report.mistakes is None:
        return "The artifact does not contain any: it was exported before they were stored."
    if not report.mistakes:
        return "There are none: every test image is classified correctly."
    rows = table(
        ["test image", "true class", "prediction", "its probability", "probability of the true class"],
        [
            [
                str(m.number),
                literal(m.true_class),
                literal(m.answer),
                f"{m.probability:.2%}",
                f"{m.true_probability:.2%}",
            ]
            for m in report.mistakes
        ],
    )
    return f"""The wrong predictions on the test set with the highest probability:

![worst mistakes](mistakes.png)

{rows}"""


def _augmentation_section(report: StoredReport) -> str:
    if not report.augmentation:
        return (
            "The artifact contains no samples of the augmentation: it was exported before they were stored."
        )
    return """Training images, and how the recipe's augmentation may change them in five epochs:

![augmentation](augmentation.png)"""


def _int8_paragraph(int8: Int8 | None) -> str:
    if int8 is None:
        return "There is no int8 network."
    return f"""**In int8 {int8.metrics.accuracy:.2%}** of the same images: {int8.method} quantisation by NNCF,
with ranges from {int8.calibration_images:,} training images, run by OpenVINO. Of the {int8.held_out_images:,}
validation images, int8 gets {int8.held_out_accuracy:.2%} right and float32
{int8.held_out_accuracy_float32:.2%}; export rejects an int8 network that is more than 0.1 points worse."""


def _honesty_paragraph(description: ModelDescription) -> str:
    """How far its probabilities are to be trusted, and whether it tells what it does not know."""
    lines = []
    if (about := description.calibration) is not None:
        lines.append(
            f"The temperature was fitted to {about.held_out_images:,} validation images, clean and again\n"
            f"with each under one of the 15 corruptions of CIFAR-10-C. Of {about.test_images:,} test images\n"
            f"corrupted in the same way, {about.accuracy:.2%} are classified correctly, with an expected\n"
            f"calibration error of {about.expected_calibration_error:.3f}."
        )
        if description.int8 is not None and (int8 := description.int8.calibration) is not None:
            lines.append(
                f"In int8, at temperature {description.int8.temperature}, {int8.accuracy:.2%} and "
                f"{int8.expected_calibration_error:.3f};\non clean test images "
                f"{description.int8.metrics.expected_calibration_error:.3f}."
            )
    if (detector := description.unfamiliarity) is not None:
        lines.append(
            f"Unfamiliar images are detected by `{detector.score}`, fitted to {detector.reference_images:,}\n"
            f"training images{_outliers(detector)};\n"
            f"{detector.kept:.0%} of the validation images are familiar."
        )
    return (
        "\n".join(lines)
        or "It was not calibrated on corrupted images, and has no detector of unfamiliar ones."
    )


def _outliers(detector: Unfamiliarity) -> str:
    if not detector.outliers:
        return ""
    return f" and {detector.outliers:,} made from them\nthat show none of the classes"


def _watched(description: ModelDescription) -> str:
    return watched_name(description.dataset.held_out_images)
