import io
from itertools import count
from pathlib import Path

import pytest
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from models.artifact.report import EpochRecord
from tests.support.tiny_run import RECIPE, STEPS_PER_EPOCH, tiny_data
from training.loop.checkpoint import load_checkpoint
from training.loop.progress import Progress
from training.loop.train import Interrupted, train


def test_a_run_prints_a_line_an_epoch_and_logs_its_curves(tmp_path: Path) -> None:
    output = io.StringIO()
    state = train(RECIPE, tiny_data(), tmp_path, progress=Progress(Console(file=output, width=160)))
    lines = [line for line in output.getvalue().splitlines() if line.startswith("epoch ") and "px" in line]
    assert len(lines) == RECIPE.epochs
    assert "16 px" in lines[0]
    assert "images/s" in lines[0]

    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    accuracies = [event.value for event in events.Scalars("watched_accuracy")]
    assert len(accuracies) == RECIPE.epochs
    assert abs(accuracies[-1] - state.history[-1].watched_accuracy) < 1e-6


def figures(folder: Path) -> dict[int, float]:
    """Of each epoch the accuracy that TensorBoard shows."""
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return {event.step // STEPS_PER_EPOCH: event.value for event in events.Scalars("watched_accuracy")}


def quiet() -> Progress:
    return Progress(Console(file=io.StringIO()))


@pytest.mark.parametrize("step", [STEPS_PER_EPOCH, STEPS_PER_EPOCH + 2])
def test_a_resumed_run_keeps_every_epoch_in_its_log(tmp_path: Path, step: int) -> None:
    steps = count(1)
    with pytest.raises(Interrupted):
        train(RECIPE, tiny_data(), tmp_path, progress=quiet(), stopping=lambda: next(steps) > step)
    state = train(RECIPE, tiny_data(), tmp_path, progress=quiet(), resume=True)
    assert figures(tmp_path) == pytest.approx({r.epoch: r.watched_accuracy for r in state.history})


def test_an_epoch_that_a_crash_kept_from_the_log_is_logged_on_resuming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(Exception):
        pass

    def crash(_progress: Progress, _record: EpochRecord) -> None:
        raise Crash

    with monkeypatch.context() as between_checkpoint_and_log:
        between_checkpoint_and_log.setattr(Progress, "epoch_done", crash)
        with pytest.raises(Crash):
            train(RECIPE, tiny_data(), tmp_path, progress=quiet())
    assert load_checkpoint(tmp_path).epoch == 1
    state = train(RECIPE, tiny_data(), tmp_path, progress=quiet(), resume=True)
    assert figures(tmp_path) == pytest.approx({r.epoch: r.watched_accuracy for r in state.history})


def test_a_log_that_cannot_be_written_is_told_once_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").touch()
    output = io.StringIO()
    console = Console(file=output, width=160)
    assert train(RECIPE, tiny_data(), tmp_path, progress=Progress(console)).epoch == RECIPE.epochs
    assert output.getvalue().count("nothing more is logged for TensorBoard: ") == 1


def test_no_figure_is_shown_before_there_is_one(tmp_path: Path) -> None:
    output = io.StringIO()
    train(RECIPE, tiny_data(), tmp_path, progress=Progress(Console(file=output, width=160)))
    assert "nan" not in output.getvalue()


def test_silence_writes_nothing(tmp_path: Path) -> None:
    train(RECIPE.with_epochs(1), tiny_data(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]
