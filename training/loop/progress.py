"""What a run shows while it goes on: a progress bar, a line per epoch, TensorBoard logs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich import progress as bar
from rich.console import Console
from rich.markup import escape

from models.artifact.report import EpochRecord
from training.loop.checkpoint import RunState
from training.loop.event_log import EventLog, logged_steps
from training.recipes.recipe import Recipe

LOGGED = ("train_loss", "train_accuracy", "watched_loss", "watched_accuracy", "learning_rate")
"""Fields of an epoch's record that TensorBoard shows."""


class Progress:
    """Shows one run on `console` and logs it for TensorBoard beside the checkpoint."""

    def __init__(self, console: Console, *, log: bool = True) -> None:
        self._console = console
        self._log = log
        self._bar = bar.Progress(
            bar.TextColumn("epoch {task.fields[epoch]}"),
            bar.BarColumn(),
            bar.TaskProgressColumn(),
            bar.TextColumn("{task.fields[figures]}"),
            bar.TimeElapsedColumn(),
            bar.TextColumn("left"),
            bar.TimeRemainingColumn(compact=True),
            console=console,
            auto_refresh=log,
        )
        self._task: bar.TaskID | None = None
        self._events: EventLog | None = None
        self._per_epoch = 0

    @classmethod
    def silent(cls) -> "Progress":
        """One that shows and writes nothing."""
        return cls(Console(quiet=True), log=False)

    def note(self, text: str) -> None:
        """Print a line."""
        self._console.print(escape(text), soft_wrap=True)

    @contextmanager
    def watching(self, recipe: Recipe, state: RunState, per_epoch: int, out: Path) -> Iterator[None]:
        self._per_epoch = per_epoch
        self._logging(lambda: self._open_log(state, out / "tensorboard"))
        # Images of half the size take a quarter of the work: the time left is counted in work, not in steps.
        self._work = [recipe.image_size_at(epoch) ** 2 for epoch in range(recipe.epochs)]
        self._task = self._bar.add_task(
            recipe.name,
            total=sum(self._work) * per_epoch,
            completed=self._work_done(state),
            epoch=f"{min(state.epoch + 1, recipe.epochs)}/{recipe.epochs}",
            figures="",
        )
        try:
            with self._bar:
                yield
        finally:
            self._logging(self._close_log)

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
            figures=f"loss {state.loss_sum / state.step:.3f}  accuracy {state.correct / images:.1%}  "
            f"{images / state.epoch_seconds:,.0f} images/s",
        )
        step = state.epoch * self._per_epoch + state.step
        running = {"train/running_loss": state.loss_sum / state.step}
        self._logging(lambda: self._scalars(step, running))

    def epoch_done(self, record: EpochRecord) -> None:
        """Print the epoch's line and log its figures."""
        self._console.print(
            f"epoch {record.epoch:>3}  {record.image_size} px  loss {record.train_loss:.4f}  "
            f"train {record.train_accuracy:.2%}  watched {record.watched_accuracy:.2%}  "
            f"{record.images_per_second:,.0f} images/s  {record.seconds:,.0f} s"
        )
        values = {name: getattr(record, name) for name in LOGGED}
        step = record.epoch * self._per_epoch
        self._logging(lambda: self._scalars(step, values))

    def _open_log(self, state: RunState, folder: Path) -> None:
        """Go on where the checkpoint is, with the epochs in it that a crash kept from being logged."""
        logged = logged_steps(folder) if state.history and folder.is_dir() else {}
        self._events = EventLog(folder, from_step=state.epoch * self._per_epoch + state.step + 1)
        for record in state.history:
            step = record.epoch * self._per_epoch
            missing = [name for name in LOGGED if step not in logged.get(name, ())]
            self._events.scalars(step, {name: getattr(record, name) for name in missing})

    def _scalars(self, step: int, values: dict[str, float]) -> None:
        assert self._events is not None
        self._events.scalars(step, values)

    def _close_log(self) -> None:
        events, self._events = self._events, None
        if events is not None:
            events.close()

    def _logging(self, log: Callable[[], object]) -> None:
        """Do so, unless this run logs nothing; where it cannot be written, say so and go on without a log."""
        if not self._log:
            return
        try:
            log()
        except OSError as error:
            self._log = False
            self.note(f"nothing more is logged for TensorBoard: {error.strerror or error}")
            with suppress(OSError):
                self._close_log()
