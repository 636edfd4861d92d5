"""report.json without the zeros of the confusion, and as artifacts had it that were exported before."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from models.artifact.report import FILE_NAME, Evaluation, StoredReport, load_report, parse_report
from models.artifact.store import ArtifactError


def evaluation(confusion: list[list[int]]) -> Evaluation:
    return Evaluation(4, 0.75, 0.5, 0.1, {"a": 1.0, "b": 0.5}, confusion, [0.5], [0.5], [1.0])


CONFUSION = [[2, 0, 0], [0, 0, 1], [0, 0, 0]]
REPORT = StoredReport(history=[], evaluation=evaluation(CONFUSION))


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    content = REPORT.to_json()
    assert json.loads(content)["evaluation"]["confusion"] == [{"0": 2}, {"2": 1}, {}]
    (tmp_path / FILE_NAME).write_bytes(content)
    assert load_report(tmp_path) == REPORT
    assert parse_report(content).evaluation == REPORT.evaluation


def test_a_report_with_all_the_numbers_is_read_too(tmp_path: Path) -> None:
    content = json.dumps(asdict(REPORT)).encode()
    (tmp_path / FILE_NAME).write_bytes(content)
    assert load_report(tmp_path) == REPORT
    assert parse_report(content).evaluation == REPORT.evaluation


def test_a_report_of_many_classes_takes_room_for_what_is_there() -> None:
    many = 1000
    report = StoredReport(history=[], evaluation=evaluation([[0] * many for _ in range(many)]))
    assert len(report.to_json()) < 10 * many


@pytest.mark.parametrize(
    ("row", "said"),
    [({"3": 1}, "row 0 must name its classes by number, got '3'"), ({"0": "x"}, "valid integer")],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: dict[str, object], said: str) -> None:
    values = json.loads(REPORT.to_json())
    values["evaluation"]["confusion"][0] = row
    (tmp_path / FILE_NAME).write_text(json.dumps(values))
    with pytest.raises(ArtifactError, match=said):
        load_report(tmp_path)
