"""What a run shows while it goes on: a progress bar, a line per epoch, TensorBoard logs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich import progress as bar
from rich.console import Console
from torch.utils.tensorboard import SummaryWriter

from models.artifact.report import EpochRecord
from training.loop.checkpoint import RunState
from training.recipes.recipe import Recipe


class Progress:
    """Shows one run on `console` and logs it for TensorBoard beside the checkpoint."""

    def __init__(self, console: Console, *, log: bool = True) -> None:
        self._console = console
        self._log = log
        self._bar = bar.Progress(
            bar.TextColumn("epoch {task.fields[epoch]}"),
            bar.BarColumn(),
            bar.TaskProgressColumn(),
            bar.TextColumn("loss {task.fields[loss]:.3f}  accuracy {task.fields[accuracy]:.1%}"),
            bar.TextColumn("{task.fields[speed]:,.0f} images/s"),
            bar.TimeElapsedColumn(),
            bar.TextColumn("left"),
            bar.TimeRemainingColumn(compact=True),
            console=console,
            auto_refresh=log,
        )
        self._task: bar.TaskID | None = None
        self._writer: SummaryWriter | None = None
        self._per_epoch = 0

    @classmethod
    def silent(cls) -> "Progress":
        """One that shows and writes nothing."""
        return cls(Console(quiet=True), log=False)

    @contextmanager
    def watching(self, recipe: Recipe, state: RunState, per_epoch: int, out: Path) -> Iterator[None]:
        self._per_epoch = per_epoch
        done = state.epoch * per_epoch + state.step
        if self._log:
            self._writer = SummaryWriter(str(out / "tensorboard"), purge_step=done if done else None)
        # Images of half the size take a quarter of the work: the time left is counted in work, not in steps.
        self._work = [recipe.image_size_at(epoch) ** 2 for epoch in range(recipe.epochs)]
        self._task = self._bar.add_task(
            recipe.name,
            total=sum(self._work) * per_epoch,
            completed=self._work_done(state),
            epoch=f"{min(state.epoch + 1, recipe.epochs)}/{recipe.epochs}",
            loss=float("nan"),
            accuracy=0.0,
            speed=0.0,
        )
        try:
            with self._bar:
                yield
        finally:
            if self._writer is not None:
                self._writer.close()

    def _work_done(self, state: RunState) -> int:
        whole = sum(self._work[: state.epoch]) * self._per_epoch
        return whole + (self._work[state.epoch] * state.step if state.epoch < len(self._work) else 0)

    def update(self, state: RunState, batch_size: int) -> None:
        """Show where the epoch stands. Called every few steps."""
        assert self._task is not None
        images = state.step * batch_size
        self._bar.update(
            self._task,
            completed=self._work_done(state),
            epoch=f"{state.epoch + 1}/{len(self._work)}",
            loss=state.loss_sum / state.step,
            accuracy=state.correct / images,
            speed=images / state.epoch_seconds,
        )
        if self._writer is not None:
            step = state.epoch * self._per_epoch + state.step
            self._writer.add_scalar("train/running_loss", state.loss_sum / state.step, step)

    def epoch_done(self, record: EpochRecord, state: RunState) -> None:
        """Print the epoch's line and log its figures."""
        self._console.print(
            f"epoch {record.epoch:>3}  {record.image_size} px  loss {record.train_loss:.4f}  "
            f"train {record.train_accuracy:.2%}  watched {record.watched_accuracy:.2%}  "
            f"{record.images_per_second:,.0f} images/s  {record.seconds:,.0f} s"
        )
        if self._writer is None:
            return
        step = state.epoch * self._per_epoch
        for name in ("train_loss", "train_accuracy", "watched_loss", "watched_accuracy", "learning_rate"):
            self._writer.add_scalar(name, getattr(record, name), step)
        self._writer.flush()
