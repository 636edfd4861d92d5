"""A report as one HTML page that needs no other file, no host and no script."""

import base64
import json

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from models.artifact.report import EpochRecord, Evaluation, StoredReport
from models.artifact.robustness import Robustness
from models.artifact.store import Artifact, ModelDescription
from training.report.confusion import shown_confusion
from training.report.model_card import limits_of_use
from training.report.plots import calibration_figure, render, training_figure, watched_name
from training.report.robustness import grids, robustness_figure
from training.report.training_command import training_command

TEMPLATES = Environment(
    loader=PackageLoader("training.report", ""),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def report_page(artifact: Artifact, report: StoredReport, robustness: Robustness | None = None) -> str:
    """The page, in light and dark and for every width. Every text of the artifact is escaped."""
    model, evaluation = artifact.metadata, report.evaluation
    watched = watched_name(model.dataset.held_out_images)
    measured = {"float32": model.metrics} | ({} if model.int8 is None else {"int8": model.int8.metrics})
    return TEMPLATES.get_template("page.html.jinja").render(
        model=model,
        evaluation=evaluation,
        confusion=shown_confusion(evaluation.confusion, model.classes),
        watched=watched,
        key_figures=_key_figures(artifact, evaluation),
        training_plot=_svg(training_figure(report.history, watched, evaluation.accuracy), "training"),
        calibration_plot=_svg(calibration_figure(evaluation), "calibration"),
        measured=measured,
        robustness=robustness,
        robust_figures={} if robustness is None else _robust_figures(robustness),
        robustness_plot=None if robustness is None else _svg(robustness_figure(robustness), "robustness"),
        grids={} if robustness is None else {each: grids(robustness, each) for each in robustness.clean},
        mistakes=report.mistakes,
        augmentation=report.augmentation,
        command=training_command(model),
        recipe=json.dumps(model.recipe, indent=2, ensure_ascii=False),
        cost=_cost(model, report.history),
        limits=limits_of_use(model),
    )


def _svg(figure: Figure, name: str) -> str:
    """The figure in Base64, without its paper, so that it can take the colours of the page."""
    figure.patch.set_visible(False)
    for ax in figure.axes:
        ax.patch.set_visible(False)
    return base64.b64encode(render(figure, name, ["svg"])[f"{name}.svg"]).decode("ascii")


def _key_figures(artifact: Artifact, evaluation: Evaluation) -> dict[str, str]:
    model, layers = artifact.metadata, artifact.facts.layers
    return {
        "test accuracy, float32": f"{evaluation.accuracy:.2%}",
        "test accuracy, int8": (
            "not exported" if model.int8 is None else f"{model.int8.metrics.accuracy:.2%}"
        ),
        "test images": f"{evaluation.images:,}",
        "negative log-likelihood": f"{evaluation.negative_log_likelihood:.3f} nats",
        "expected calibration error": f"{evaluation.expected_calibration_error:.3f}",
        "parameters": f"{sum(layer.parameters for layer in layers):,}",
        "multiply-adds an image": f"{sum(layer.multiply_adds for layer in layers):,}",
        "training": f"{model.training_seconds / 60:,.1f} minutes",
    }


def _robust_figures(robustness: Robustness) -> dict[str, str]:
    return {
        f"mean of 15 × 5, {precision}": f"{mean:.2%}, {robustness.clean[precision]:.2%} of clean images"
        for precision, mean in robustness.mean_corrupted.items()
    }


def _cost(model: ModelDescription, history: list[EpochRecord]) -> dict[str, str]:
    images = sum(record.seconds * record.images_per_second for record in history)
    seconds = sum(record.seconds for record in history)
    data_set = model.dataset
    return {
        "hardware": model.hardware,
        "time": f"{model.training_seconds / 60:,.1f} minutes, evaluation after each epoch left out",
        "images trained on": f"{images:,.0f} in {len(history)} epochs",
        "speed": f"{images / seconds:,.0f} images/s on average" if seconds else "not known",
        "energy": "not measured",
        "data set": f"{data_set.name}: {data_set.train_images:,} images to train on, "
        f"{data_set.held_out_images:,} to validate, {data_set.test_images:,} to test; "
        f"SHA-256 {data_set.sha256}",
        "libraries": ", ".join(f"{name} {version}" for name, version in model.library_versions.items()),
        "exported": model.created,
    }
