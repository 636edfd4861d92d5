"""The command that draws curves; that of the report is tested with its files."""

from pathlib import Path

import pytest

from tests.training.loop.test_checkpoint import state
from training.__main__ import main
from training.loop.checkpoint import save_checkpoint


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_curves_are_written_and_their_gaps_printed(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        save_checkpoint(tmp_path / name, state())
    out = tmp_path / "new" / f"curves.{kind}"
    main(["curves", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(out)])
    assert out.read_bytes().startswith(b"\x89PNG" if kind == "png" else b"<?xml")
    assert capsys.readouterr().out.count("epoch 1: training 40.0%") == 2


def test_what_cannot_be_drawn_is_told_and_nothing_is_written(tmp_path: Path) -> None:
    begun = state()
    begun.history.clear()
    save_checkpoint(tmp_path / "begun", begun)
    for out, said in (
        ("curves.jpg", r"--out: must end in \.png or \.svg"),
        ("curves.png", "has not finished an epoch yet"),
    ):
        with pytest.raises(SystemExit, match=said):
            main(["curves", str(tmp_path / "begun"), "--out", str(tmp_path / out)])
        assert not (tmp_path / out).exists()
