"""The training loop: one run of one recipe, from its first step or from its checkpoint."""

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.artifact.report import EpochRecord
from models.artifact.store import Artifact
from training.data.balance import class_weights
from training.data.cifar10 import ImageData
from training.evaluation.evaluate import accuracy, predict
from training.loop.batch_norm_statistics import reestimate_batch_norm
from training.loop.batches import Batches
from training.loop.build_model import build_model
from training.loop.checkpoint import (
    FILE_NAME,
    CheckpointError,
    RunState,
    is_finished,
    load_checkpoint,
    require_same_run,
    save_checkpoint,
)
from training.loop.compilation import explained_compilation
from training.loop.device import autocast, describe_hardware, resolve_precision
from training.loop.distributed import ALONE, PeerLostError, Processes, detect_peer_loss
from training.loop.ema import Ema
from training.loop.fine_tune import start_from
from training.loop.lookahead import Lookahead
from training.loop.mixing import dominant_label
from training.loop.optimizer import create_optimizer, learning_rate, set_learning_rate
from training.loop.progress import Progress
from training.loop.sync_batch_norm import synchronise
from training.recipes.recipe import Recipe

CHECK_EVERY = 20
"""Steps between two looks at the loss: each look makes the host wait for the device."""


class TrainingError(RuntimeError):
    """The run cannot go on; the message says why, and what is kept."""


class Interrupted(Exception):
    """The run was asked to stop, and its state is saved."""


class Run:
    """A run in progress: the network, its average, its optimiser, and where it stands."""

    def __init__(
        self,
        recipe: Recipe,
        data: ImageData,
        seed: int,
        out: Path,
        processes: Processes = ALONE,
        initial: Artifact | None = None,
    ) -> None:
        self.recipe, self.data, self.out, self.processes = recipe, data, out, processes
        self.batches = Batches(recipe, data, seed, processes)
        self.device = self.batches.device
        self.dtype = resolve_precision(recipe.precision, self.device)
        self.class_weights = class_weights(data) if recipe.balance == "loss" else None
        model = build_model(recipe, data, seed)
        if initial is not None:
            start_from(model, initial, recipe, data)
        self.model = model.to(self.device).to(memory_format=torch.channels_last)
        if recipe.sync_batch_norm and processes.count > 1:
            self.model = synchronise(self.model, self.device)
        self.ema = None if recipe.ema_decay is None else Ema(self.model, recipe.ema_decay)
        self.optimizer = create_optimizer(self.model, recipe)
        self.lookahead: Lookahead | None = None
        if recipe.lookahead is not None:
            self.lookahead = Lookahead(
                self.model, recipe.lookahead, total=recipe.epochs * self.batches.per_epoch
            )
        self.forward: Callable[[Tensor], Tensor] = processes.wrap(self.model)
        if recipe.compile:
            # A compiled network is run long enough for every convolution to be tried in all its forms first.
            torch.backends.cudnn.benchmark = True
            self.forward = torch.compile(self.forward, mode=recipe.compile_mode)
        hardware = describe_hardware(self.device)
        if processes.count > 1:
            hardware = f"{processes.count} × {hardware}"
        self.state = RunState(recipe, seed, data.sha256, hardware)

    def restore(self, tell: Callable[[str], None]) -> None:
        """Go on from the checkpoint; a finished run that is given more epochs follows the longer schedule."""
        if self.processes.writes and not (self.out / FILE_NAME).is_file():
            raise CheckpointError(f"no checkpoint at {self.out / FILE_NAME}: start the run without --resume")
        state = self.processes.from_writer(
            load_checkpoint(self.out, tell) if self.processes.writes else self.state
        )
        require_same_run(state, self.recipe, self.state.seed, self.data.sha256)
        if state.epoch < self.recipe.epochs and is_finished(state):
            state.extended_after.append(state.epoch)
            state.recipe = self.state.recipe
        self.model.load_state_dict(state.model)
        self.optimizer.load_state_dict(state.optimizer)
        if self.ema is not None:
            self.ema.model.load_state_dict(state.ema)
            self.ema.updates = state.ema_updates
        if self.lookahead is not None:
            self.lookahead.load(state.lookahead)
        self.state = state

    def save(self) -> None:
        """Write the checkpoint, in the first process. Raises `CheckpointError` where that fails."""
        self.state.model = self.model.state_dict()
        self.state.optimizer = self.optimizer.state_dict()
        if self.ema is not None:
            self.state.ema, self.state.ema_updates = self.ema.model.state_dict(), self.ema.updates
        if self.lookahead is not None:
            self.state.lookahead = self.lookahead.slow
        if self.processes.writes:
            save_checkpoint(self.out, self.state)

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The mean cross-entropy in nats of logits (N, classes) to what `Batches.batch` gives as targets."""
        smoothing = self.recipe.label_smoothing
        if self.class_weights is None:
            return F.cross_entropy(logits, targets, label_smoothing=smoothing)
        # Over the number of images, not their weights: otherwise the rest of a batch decides what one counts.
        summed = F.cross_entropy(
            logits, targets, weight=self.class_weights, label_smoothing=smoothing, reduction="sum"
        )
        return summed / len(targets)

    def step(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Update the weights once, on what `Batches.batch` gives.

        Returns the loss and the number of right answers, still on the device: nothing here waits for it. An
        answer is right if it is the class with the largest share in the image.
        """
        done = self.state.epoch * self.batches.per_epoch + self.state.step
        set_learning_rate(self.optimizer, learning_rate(self.recipe, done, self.batches.per_epoch))
        if self.recipe.compile:
            # What the last step's CUDA graphs put out may be overwritten from here on.
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        with autocast(self.device, self.dtype):
            logits = self.forward(images)
            loss = self.loss(logits, targets)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if self.recipe.gradient_clip is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.gradient_clip)
        self.optimizer.step()
        if self.lookahead is not None:
            self.lookahead.after_step(self.model, done + 1)
        if self.ema is not None:
            self.ema.update(self.model)
        return loss.detach(), (logits.detach().argmax(1) == dominant_label(targets)).sum()

    def epoch(self, progress: Progress, stopping: Callable[[], bool]) -> bool:
        """Go on to the end of the current epoch; return whether a stop was asked for at its very last step.

        Raises `TrainingError`, or `Interrupted` where it was asked to before.
        """
        state, per_epoch = self.state, self.batches.per_epoch
        asked = False
        self.model.train()
        order = self.batches.order(state.epoch)
        # Sums over all processes are in the state; here are those of this one, which the writer goes on from.
        totals = torch.zeros(2, device=self.device, dtype=torch.float64)
        if self.processes.writes:
            totals += torch.tensor((state.loss_sum, state.correct), device=self.device, dtype=torch.float64)
        started = time.perf_counter() - state.epoch_seconds
        while state.step < per_epoch:
            loss, right = self.step(*self.batches.batch(state.epoch, state.step, order))
            totals += torch.stack((loss / self.processes.count, right)).double()
            state.step += 1
            stop = stopping()
            check = state.step % CHECK_EVERY == 0 or state.step == per_epoch
            # All processes have to take the same turn: several only ask one another at the checks.
            if check or (stop and self.processes.count == 1):
                loss_sum, correct = self.processes.sum(totals).tolist()
                state.loss_sum, state.correct = loss_sum, round(correct)
                state.epoch_seconds = time.perf_counter() - started
                if not math.isfinite(loss_sum):
                    raise TrainingError(
                        f"the loss is no longer finite in epoch {state.epoch + 1}, step {state.step}: try a "
                        f"lower learning rate; the last good checkpoint is kept in {self.out}"
                    )
                progress.update(state, self.recipe.batch_size)
                asked = self.processes.any(stop, self.device)
                if asked and state.step < per_epoch:
                    self.save()
                    raise Interrupted
        return asked

    def finish_epoch(self) -> EpochRecord:
        """Evaluate at the epoch's own image size, record, and move on to the next epoch."""
        state, recipe = self.state, self.recipe
        images = self.batches.per_epoch * recipe.batch_size
        network = self.model if self.ema is None else self.ema.model
        if recipe.reestimate_batch_norm and state.epoch == recipe.epochs - 1:
            reestimate_batch_norm(network, self._statistics_batches(), self.dtype)
        watched = self.data.held_out if len(self.data.held_out) else self.data.test
        pixels = recipe.image_size_at(state.epoch)
        logits = predict(network, watched.images, self.batches.preprocessing, self.dtype, image_size=pixels)
        record = EpochRecord(
            epoch=state.epoch + 1,
            image_size=pixels,
            learning_rate=self.optimizer.param_groups[0]["lr"],
            train_loss=state.loss_sum / self.batches.per_epoch,
            train_accuracy=state.correct / images,
            watched_loss=F.cross_entropy(logits, watched.labels).item(),
            watched_accuracy=accuracy(logits, watched.labels),
            images_per_second=images / state.epoch_seconds,
            seconds=state.epoch_seconds,
        )
        state.history.append(record)
        state.epoch, state.step, state.loss_sum, state.correct, state.epoch_seconds = (
            state.epoch + 1,
            0,
            0.0,
            0,
            0.0,
        )
        return record

    def _statistics_batches(self) -> Iterator[Tensor]:
        """Images as an epoch after the last would train on, at the final size."""
        after = self.recipe.epochs
        order = self.batches.order(after)
        for step in range(min(self.recipe.reestimate_batch_norm, self.batches.per_epoch)):
            yield self.batches.batch(after, step, order)[0]


def train(
    recipe: Recipe,
    data: ImageData,
    out: Path,
    *,
    seed: int = 0,
    resume: bool = False,
    progress: Progress | None = None,
    stopping: Callable[[], bool] = lambda: False,
    processes: Processes = ALONE,
    initial: Artifact | None = None,
) -> RunState:
    """Run `recipe` on `data`, on the data's device, with a checkpoint in `out` after each epoch.

    With `resume` the run in `out` goes on, to the same final weights as if it had never stopped (same
    machine, same seed). One that is finished is given back as it is, or, where `recipe` is the same with more
    epochs, goes on as the longer run does in those. `stopping` is asked after each step; once it says yes,
    the state is saved. Every one of several `processes` calls this; `out` is that of the first, which alone
    writes, and reads, the run. Where there is `initial`, which the recipe names as its `init`, the run starts
    from its weights.

    Raises `Interrupted` after such a stop, `TrainingError` where the loss is no longer finite or another
    process has ended, `CompilationError` where the recipe's network cannot be compiled, `ValueError` where
    the recipe does not fit the data, and `CheckpointError` where the checkpoint is absent, damaged or of
    another run.
    """
    progress = progress or Progress.silent()
    try:
        with detect_peer_loss(), explained_compilation(recipe.name):
            run = Run(recipe, data, seed, out, processes, initial)
            if resume:
                run.restore(progress.note)
            if run.state.epoch == recipe.epochs:
                progress.note(
                    f"the run in {out} is finished, all its {recipe.epochs} epochs are done: a larger number "
                    f"of --epochs gives it more"
                )
                return run.state
            with progress.watching(recipe, run.state, run.batches.per_epoch, out):
                while run.state.epoch < recipe.epochs:
                    asked = run.epoch(progress, stopping)
                    record = run.finish_epoch()
                    if not math.isfinite(record.watched_loss):
                        raise TrainingError(
                            f"the weights are no longer finite after epoch {record.epoch}: try a lower "
                            f"learning rate; the last good checkpoint is kept in {out}"
                        )
                    run.save()
                    progress.epoch_done(record)
                    if asked and run.state.epoch < recipe.epochs:
                        raise Interrupted
    except PeerLostError as error:
        raise TrainingError(
            f"another process of this run has ended; {out} keeps the last checkpoint: start all of them "
            f"again, with --resume"
        ) from error
    return run.state
