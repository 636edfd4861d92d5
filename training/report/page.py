"""A report as one HTML page that needs no other file, no host and no script."""

import base64
import json
from collections.abc import Iterable
from html import escape

from matplotlib.figure import Figure

from models.artifact.store import Artifact, ModelDescription
from models.summary import summarize
from training.evaluation.evaluate import Evaluation
from training.report.confusion import shown_confusion
from training.report.model_card import limits_of_use
from training.report.plots import calibration_figure, render, training_figure, watched_name
from training.report.report import Report
from training.report.style import STYLE
from training.report.training_command import training_command


def report_page(artifact: Artifact, report: Report) -> str:
    """The page, in light and dark and for every width. Every text of the artifact is escaped."""
    description, evaluation = artifact.metadata, report.evaluation
    title = f"{description.name}, version {description.version}"
    data_set = description.dataset
    watched = watched_name(data_set.held_out_images)
    size = f"{description.input_size}×{description.input_size}"
    curves = training_figure(report.history, watched, evaluation.accuracy)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>{escape(title)}</h1>
<p>{escape(description.architecture)} on {escape(data_set.name)}: {len(description.classes)} classes,
input {size}, {"colour" if description.in_channels == 3 else "greyscale"}.</p>
{_key_figures(artifact, evaluation)}
</header>
<main>
{
        _section(
            "Training",
            f'''<p>An epoch's {watched} accuracy is taken at the image size of that epoch. It chose
nothing: the result is the weights after the last step.</p>
{_plot(curves, "training", "Training curves: loss and accuracy over the epochs", "wide")}''',
        )
    }
{_section("Accuracy per class", _per_class(description))}
{_section("Confusion", _confusion(evaluation, description.classes))}
{_section("Calibration", _calibration(description, evaluation))}
{_section("The worst mistakes", _mistakes(report))}
{_section("Augmentation", _augmentation(report))}
{_section("Recipe", _recipe(description))}
{_section("Hardware and cost", _cost(description, report))}
{_section("Limits of use", f"<p>{escape(limits_of_use(description))}</p>")}
</main>
</body>
</html>
"""


def _section(heading: str, content: str) -> str:
    return f"<section>\n<h2>{heading}</h2>\n{content}\n</section>"


def _list(entries: Iterable[tuple[str, str]], kind: str) -> str:
    rows = "\n".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in entries)
    return f'<dl class="{kind}">\n{rows}\n</dl>'


def _key_figures(artifact: Artifact, evaluation: Evaluation) -> str:
    description = artifact.metadata
    shape = (description.in_channels, description.input_size, description.input_size)
    parameters = sum(parameter.numel() for parameter in artifact.model.parameters())
    multiply_adds = sum(layer.multiply_adds for layer in summarize(artifact.model, shape))
    int8 = "not exported" if description.int8 is None else f"{description.int8.metrics.accuracy:.2%}"
    return _list(
        [
            ("test accuracy, float32", f"{evaluation.accuracy:.2%}"),
            ("test accuracy, int8", int8),
            ("test images", f"{evaluation.images:,}"),
            ("negative log-likelihood", f"{evaluation.negative_log_likelihood:.3f} nats"),
            ("expected calibration error", f"{evaluation.expected_calibration_error:.3f}"),
            ("parameters", f"{parameters:,}"),
            ("multiply-adds an image", f"{multiply_adds:,}"),
            ("training", f"{description.training_seconds / 60:,.1f} minutes"),
        ],
        "figures",
    )


def _plot(figure: Figure, name: str, text: str, kind: str) -> str:
    """The figure without its paper, so that it can take the colours of the page."""
    figure.patch.set_visible(False)
    for ax in figure.axes:
        ax.patch.set_visible(False)
    source = base64.b64encode(render(figure, name)[f"{name}.svg"]).decode("ascii")
    return f"""<div class="scroll" tabindex="0" role="region" aria-label="{escape(text)}">
<img class="plot {kind}" alt="{escape(text)}" src="data:image/svg+xml;base64,{source}"></div>"""


def _per_class(description: ModelDescription) -> str:
    measured = {"float32": description.metrics}
    if description.int8 is not None:
        measured["int8"] = description.int8.metrics
    head = "".join(f'<th scope="col">{name}</th>' for name in measured)
    rows = []
    for name in description.classes:
        shares = [metrics.per_class_accuracy[name] for metrics in measured.values()]
        cells = "".join(f"<td>{share:.1%}</td>" for share in shares)
        bar = f'<td class="bar" aria-hidden="true"><span style="width:{shares[0]:.1%}"></span></td>'
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{cells}{bar}</tr>')
    return f"""<table class="classes"><thead><tr><th scope="col">class</th>{head}<td></td></tr></thead>
<tbody>{"".join(rows)}</tbody></table>"""


def _confusion(evaluation: Evaluation, classes: tuple[str, ...]) -> str:
    shown = shown_confusion(evaluation.confusion, classes)
    head = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in shown.classes)
    rows = []
    for i, (name, row, total) in enumerate(zip(shown.classes, shown.counts, shown.totals, strict=True)):
        scale = 1 / max(1, total)
        cells = "".join(
            f'<td class="{"right" if i == j else "wrong"}" style="--s:{n * scale:.4f}">{n}</td>'
            for j, n in enumerate(row)
        )
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>')
    note = f" Shown are {shown.note}." if shown.note else ""
    return f"""<p>A row is the true class, a column the answer; a cell counts test images.{note}</p>
<div class="scroll" tabindex="0" role="region" aria-label="Confusion matrix">
<table class="confusion"><thead><tr><td></td>{head}</tr></thead>
<tbody>{"".join(rows)}</tbody></table></div>"""


def _calibration(description: ModelDescription, evaluation: Evaluation) -> str:
    return f"""<p>How often it is right when it is so sure, at temperature {description.temperature}.
Expected calibration error {evaluation.expected_calibration_error:.3f}.</p>
{_plot(calibration_figure(evaluation), "calibration", "Accuracy over confidence", "square")}"""


def _mistakes(report: Report) -> str:
    if report.mistakes is None:
        return (
            '<p class="absent">Absent: the artifact was exported before its worst mistakes were kept. '
            "Exporting the run again adds them.</p>"
        )
    if not report.mistakes:
        return "<p>There are none: every test image is answered right.</p>"
    cards = "\n".join(
        f"""<li><figure>{_thumbnail(m.picture, f"test image {m.number}")}<figcaption>
<strong>{escape(m.true_class)}</strong> taken for <strong>{escape(m.answer)}</strong>
<span>{m.probability:.2%}, the true class {m.true_probability:.2%}; test image {m.number}</span>
</figcaption></figure></li>"""
        for m in report.mistakes
    )
    return f"""<p>The wrong answers on the test set that it was surest of, and how sure.</p>
<ul class="cards">
{cards}
</ul>"""


def _augmentation(report: Report) -> str:
    if not report.augmentation:
        return (
            '<p class="absent">Absent: the artifact was exported before samples were kept. '
            "Exporting the run again adds them.</p>"
        )
    columns = len(report.augmentation[0].augmented)
    head = "".join(f'<th scope="col">epoch {epoch + 1}</th>' for epoch in range(columns))
    rows = []
    for sample in report.augmentation:
        pictures = "".join(
            f"<td>{_thumbnail(picture, f'{sample.true_class}, {what}')}</td>"
            for what, picture in [
                ("as it is", sample.original),
                *((f"epoch {n}", p) for n, p in enumerate(sample.augmented, start=1)),
            ]
        )
        rows.append(f'<tr><th scope="row">{escape(sample.true_class)}</th>{pictures}</tr>')
    return f"""<p>Training images, and what the recipe's augmentation may make of them from epoch to epoch.
Mixing of images, where a recipe has it, is not shown.</p>
<div class="scroll" tabindex="0" role="region" aria-label="Augmentation samples">
<table class="samples"><thead><tr><td></td><th scope="col">as it is</th>{head}</tr></thead>
<tbody>{"".join(rows)}</tbody></table></div>"""


def _thumbnail(picture: str, text: str) -> str:
    return f'<img class="pixels" alt="{escape(text)}" src="data:image/png;base64,{escape(picture)}">'


def _recipe(description: ModelDescription) -> str:
    recipe = description.recipe
    return f"""<pre tabindex="0">{escape(training_command(description))}</pre>
<details open><summary>All that decides the run</summary>
<pre tabindex="0">{escape(json.dumps(recipe, indent=2, ensure_ascii=False))}</pre></details>"""


def _cost(description: ModelDescription, report: Report) -> str:
    passes = sum(record.seconds * record.images_per_second for record in report.history)
    seconds = sum(record.seconds for record in report.history)
    data_set = description.dataset
    versions = description.library_versions
    return _list(
        [
            ("hardware", description.hardware),
            (
                "time",
                f"{description.training_seconds / 60:,.1f} minutes, evaluation after each epoch left out",
            ),
            ("images trained on", f"{passes:,.0f} in {len(report.history)} epochs"),
            ("speed", f"{passes / seconds:,.0f} images/s on average" if seconds else "not known"),
            ("energy", "not measured"),
            (
                "data set",
                f"{data_set.name}: {data_set.train_images:,} images to train on, "
                f"{data_set.held_out_images:,} held out, {data_set.test_images:,} to test; "
                f"SHA-256 {data_set.sha256}",
            ),
            ("libraries", ", ".join(f"{name} {version}" for name, version in versions.items())),
            ("exported", description.created),
        ],
        "facts",
    )
