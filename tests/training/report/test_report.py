import json
from dataclasses import replace
from pathlib import Path

import pytest

from models.artifact.report import load_report
from models.artifact.store import ArtifactError, load_artifact
from tests.training.export.test_export import PLOTS
from training.report.files import write_report
from training.report.model_card import model_card


def test_the_card_states_accuracy_command_hardware_and_limits(exported: Path) -> None:
    metadata, report = load_artifact(exported).metadata, load_report(exported)
    card = model_card(metadata, report)
    assert card == (exported / "card.md").read_text(encoding="utf-8")
    assert f"**Test accuracy {metadata.metrics.accuracy:.2%}** on 30 images" in card
    assert "python -m training train --recipe tiny --seed 0" in card
    assert metadata.int8 is not None
    assert f"**In int8 {metadata.int8.metrics.accuracy:.2%}** of the same images" in card
    assert metadata.hardware in card
    assert "## Limits of use" in card
    for name in metadata.classes:
        assert f"| {name} |" in card
    assert card.count("\n| ") > len(metadata.classes) + len(report.history)


def test_a_class_of_any_name_leaves_the_tables_whole(exported: Path) -> None:
    report = load_report(exported)
    accuracies = dict(zip(("a|b", "<i>_*", "$1"), report.evaluation.per_class_accuracy.values(), strict=True))
    card = model_card(
        load_artifact(exported).metadata,
        replace(report, evaluation=replace(report.evaluation, per_class_accuracy=accuracies)),
    )
    for cell in (r"| a\|b |", r"| \<i\>\_\* |", r"| \$1 |"):
        assert cell in card


def test_the_card_says_where_there_is_no_int8_network(exported: Path) -> None:
    metadata = load_artifact(exported).metadata.model_copy(update={"int8": None})
    card = model_card(metadata, load_report(exported))
    assert "There is no int8 network." in card
    assert "**In int8" not in card


def test_the_report_of_an_artifact_is_written_again(exported: Path, tmp_path: Path) -> None:
    written = write_report(exported, tmp_path / "report")
    plots = {f"{name}.{kind}" for name in PLOTS for kind in ("png", "svg")}
    assert {path.name for path in written} == {"card.md", "report.html"} | plots
    for path in written:
        if path.name != "report.html":
            assert path.read_bytes() == (exported / path.name).read_bytes(), path.name


def test_the_card_shows_mistakes_and_augmentation_or_says_what_is_absent(exported: Path) -> None:
    metadata, report = load_artifact(exported).metadata, load_report(exported)
    card = model_card(metadata, report)
    assert "![worst mistakes](mistakes.png)" in card
    assert "![augmentation](augmentation.png)" in card
    older = model_card(metadata, replace(report, mistakes=None, augmentation=None))
    assert "does not contain any: it was exported before" in older
    assert "contains no samples of the augmentation" in older
    assert "mistakes.png" not in older
    assert "every test image is classified correctly" in model_card(metadata, replace(report, mistakes=[]))


def test_an_older_report_is_read_without_what_it_lacks(exported: Path, tmp_path: Path) -> None:
    values = json.loads((exported / "report.json").read_bytes())
    del values["mistakes"], values["augmentation"]
    (tmp_path / "report.json").write_text(json.dumps(values), encoding="utf-8")
    assert load_report(tmp_path) == replace(load_report(exported), mistakes=None, augmentation=None)


@pytest.mark.parametrize("content", [None, b"{}", b"not json"])
def test_a_report_that_cannot_be_read_is_refused_by_its_path(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "report.json").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"report\.json cannot be read"):
        load_report(tmp_path)
