"""A step of training keeps the device busy: the host never waits for it between two looks at the loss."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.augmentations import AUGMENTATIONS, Compose, create_augmentation
from tests.support.host_waits import HostWaits
from tests.support.tiny_run import RECIPE, tiny_data
from training.loop.train import Run
from training.recipes.recipe import Recipe

EVERY_AUGMENTATION = Compose(tuple((name, create_augmentation(name)) for name in AUGMENTATIONS))
CHOICES: dict[str, dict[str, object]] = {
    "sgd": {},
    "adam": {"optimizer": "adam"},
    "every augmentation": {"augmentation": EVERY_AUGMENTATION},
    "mixing": {"mixup_alpha": 1.0},
    "mixing boxes": {"cutmix_alpha": 1.0},
    "lookahead": {"lookahead": 1},
    "clipping": {"gradient_clip": 0.1},
    "torch's batch norm": {"norm_layer": "torch"},
    "bfloat16": {"precision": "bfloat16"},
    "airbench": {
        "architecture": "airbench94",
        "initialization": "dirac",
        "whiten_stem": True,
        "batch_norm_rate_scale": 8.0,
    },
}


def two_steps(recipe: Recipe, device: str, guard: Callable[[], HostWaits | None]) -> HostWaits | None:
    """Take a step to make everything that is made once, and then a second one under `guard`."""
    run = Run(recipe, tiny_data().to(torch.device(device)), seed=0, out=Path())
    run.model.train()
    order = run.batches.order(0)
    run.step(*run.batches.batch(0, 0, order))
    guarded = guard()
    if guarded is None:
        run.step(*run.batches.batch(0, 1, order))
        return None
    with guarded:
        run.step(*run.batches.batch(0, 1, order))
    return guarded


@pytest.mark.parametrize("choice", CHOICES)
def test_no_operation_of_a_step_fetches_or_brings_values(choice: str) -> None:
    recipe = RECIPE.changed(**CHOICES[choice])
    waits = two_steps(recipe, "cpu", HostWaits)
    assert waits is not None
    assert waits.found == []


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU, whose driver would tell")
@pytest.mark.parametrize("choice", CHOICES)
def test_cuda_sees_no_synchronisation_either(choice: str) -> None:
    def forbid() -> None:
        torch.cuda.set_sync_debug_mode("error")

    try:
        two_steps(RECIPE.changed(**CHOICES[choice]), "cuda", forbid)
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: x.sum().item(),
        lambda x: float(x[0]),
        lambda x: bool((x > 0).any()),
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
        lambda x: torch.where(x > 0),
        lambda x: x.masked_fill_(x > 0, 0).masked_select(x > 0),
        lambda x: x.index_put_((x > 0,), torch.zeros(())),
        lambda x: x + torch.tensor([1.0, 2.0, 3.0]),
    ],
)
def test_every_way_of_waiting_is_noticed(wait: Callable[[Tensor], object]) -> None:
    with HostWaits() as waits:
        wait(torch.arange(3.0))
    assert waits.found
