"""`python -m models summary` and `seal`."""

from pathlib import Path

import pytest

from models import ARCHITECTURES, create_model
from models.__main__ import main
from models.artifact.save import save_artifact
from models.layers import format_table
from models.summary import summarize
from tests.support.small_model import DESCRIPTION, lenet


def test_the_command_prints_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    main(["summary", "resnet18", "--input", "1x224x224"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split() == ["stem", "Stem", "64×56×56", "3,264", "39,337,984"]
    assert lines[-3].split() == ["classifier", "Linear", "10", "5,130", "5,120"]
    assert lines[-1].split() == ["Total", "11,175,370", "1,734,890,496"]


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_channels_and_classes_are_those_asked_for(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["summary", name, "--input", "2x32x48", "--classes", "7"])
    model = create_model(name, num_classes=7, in_channels=2)
    assert capsys.readouterr().out == format_table(summarize(model, (2, 32, 48))) + "\n"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["vgg", "--input", "3x32x32"], "invalid choice: 'vgg'"),
        (["lenet"], "the following arguments are required: --input"),
        (["lenet", "--input", "32x32"], "must be channels x height x width such as 3x32x32, each below"),
        (["lenet", "--input", "3x0x32"], "each below 1,000,000, got '3x0x32'"),
        (["lenet", "--input", "3x8x8"], "the network cannot take an input of 3×8×8"),
        (["lenet", "--input", "3x32x99999999999999999999"], "each below 1,000,000, got '3x32x9999"),
        (["lenet", "--input", "3x32x32", "--classes", "0"], "must be a whole number in 1..100000, got '0'"),
        (["lenet", "--input", "3x32x32", "--classes", "9" * 20], "must be a whole number in 1..100000, got"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["summary", *arguments])
    assert stopped.value.code == 2
    assert complaint in capsys.readouterr().err.splitlines()[-1]


def test_a_model_is_sealed_or_told_why_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_artifact(tmp_path / "small" / "1", lenet(), DESCRIPTION, {})
    main(["seal", str(tmp_path / "small" / "1")])
    assert capsys.readouterr().out == "small 1 has digests of all that is in it\n"
    with pytest.raises(SystemExit):
        main(["seal", str(tmp_path / "other")])
    assert "the file is missing" in capsys.readouterr().err


def test_a_model_that_cannot_be_written_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(folder: Path) -> None:
        raise OSError(30, "Read-only file system", str(folder))

    monkeypatch.setattr("models.__main__.seal_artifact", refuse)
    with pytest.raises(SystemExit) as stopped:
        main(["seal", str(tmp_path)])
    assert stopped.value.code == 2
    assert f"Read-only file system: '{tmp_path}'" in capsys.readouterr().err.splitlines()[-1]
