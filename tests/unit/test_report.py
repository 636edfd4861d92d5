from pathlib import Path

import pytest

from models.artifact import ArtifactError, load_artifact
from training.report import load_report, model_card, write_report


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


def test_the_card_says_where_there_is_no_int8_network(exported: Path) -> None:
    metadata = load_artifact(exported).metadata.model_copy(update={"int8": None})
    card = model_card(metadata, load_report(exported))
    assert "There is no int8 network beside them." in card
    assert "**In int8" not in card


def test_the_report_of_an_artifact_is_written_again(exported: Path, tmp_path: Path) -> None:
    written = write_report(exported, tmp_path / "report")
    assert {path.name for path in written} == {
        "card.md",
        "training.png",
        "training.svg",
        "confusion.png",
        "confusion.svg",
        "calibration.png",
        "calibration.svg",
    }
    for path in written:
        assert path.read_bytes() == (exported / path.name).read_bytes(), path.name


@pytest.mark.parametrize("content", [None, b"{}", b"not json"])
def test_a_report_that_cannot_be_read_is_refused_by_its_path(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "report.json").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"report\.json cannot be read"):
        load_report(tmp_path)
