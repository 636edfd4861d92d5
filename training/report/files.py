"""The files that show a report: model card and plots, which lie in the artifact, and the page."""

from pathlib import Path

from models.artifact.report import StoredReport, load_report
from models.artifact.robustness import Robustness, load_robustness
from models.artifact.store import ModelDescription, load_artifact
from training.output_folder import write_file
from training.report.model_card import model_card
from training.report.page import report_page
from training.report.plots import (
    augmentation_figure,
    calibration_figure,
    confusion_figure,
    mistakes_figure,
    render,
    training_figure,
    watched_name,
)
from training.report.robustness import robustness_figure

PAGE = "report.html"


def render_report(
    description: ModelDescription, report: StoredReport, robustness: Robustness | None = None
) -> dict[str, bytes]:
    """The card and its plots, as files by name."""
    watched = watched_name(description.dataset.held_out_images)
    figures = {
        "training": training_figure(report.history, watched, report.evaluation.accuracy),
        "confusion": confusion_figure(report.evaluation, description.classes),
        "calibration": calibration_figure(report.evaluation),
    }
    if report.mistakes:
        figures["mistakes"] = mistakes_figure(report.mistakes)
    if report.augmentation:
        figures["augmentation"] = augmentation_figure(report.augmentation)
    if robustness is not None:
        figures["robustness"] = robustness_figure(robustness)
    files = {"card.md": model_card(description, report, robustness).encode()}
    for name, figure in figures.items():
        files |= render(figure, name)
    return files


def render_robustness(
    description: ModelDescription, report: StoredReport, robustness: Robustness
) -> dict[str, bytes]:
    """Those of the same files that differ once the robustness is known."""
    card = model_card(description, report, robustness).encode()
    return {"card.md": card, **render(robustness_figure(robustness), "robustness")}


def write_report(artifact: Path, out: Path) -> list[Path]:
    """Write page, card and plots of an artifact into `out`. Raises `ArtifactError`."""
    loaded, report = load_artifact(artifact), load_report(artifact)
    robustness = load_robustness(artifact, loaded.metadata)
    page = report_page(loaded, report, robustness).encode()
    files = {PAGE: page, **render_report(loaded.metadata, report, robustness)}
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        write_file(out / name, content)
    return [out / name for name in files]
