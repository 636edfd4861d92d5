import io
from pathlib import Path

from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.support.tiny_run import RECIPE, tiny_data
from training.loop.progress import Progress
from training.loop.train import train


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


def test_silence_writes_nothing(tmp_path: Path) -> None:
    train(RECIPE.with_epochs(1), tiny_data(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.pt"]
