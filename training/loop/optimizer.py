"""The optimiser of a recipe, and its learning rate over time."""

from torch import nn, optim

from models.batch_norm.layer import BATCH_NORMS
from training.recipes.recipe import Recipe


def parameter_groups(model: nn.Module, recipe: Recipe) -> list[dict[str, object]]:
    """Weights of convolutions and linear layers decay; batch norm and biases, all one-dimensional, do not.

    Batch norms have a group of their own where the recipe treats them otherwise, at `rate_scale` times the
    learning rate.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups: list[dict[str, object]] = [
        {"params": [p for p in trained if p.dim() > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in trained if p.dim() <= 1], "weight_decay": 0.0},
    ]
    scale = recipe.batch_norm_rate_scale
    if scale == 1 and not recipe.decay_batch_norm:
        return groups
    norms = {
        id(p) for module in model.modules() if isinstance(module, BATCH_NORMS) for p in module.parameters()
    }
    groups[1]["params"] = [p for p in trained if p.dim() <= 1 and id(p) not in norms]
    # A step shrinks by rate times decay, and the rate is scaled already.
    decay = recipe.weight_decay / scale if recipe.decay_batch_norm else 0.0
    groups.append(
        {"params": [p for p in trained if id(p) in norms], "weight_decay": decay, "rate_scale": scale}
    )
    return groups


def set_learning_rate(optimizer: optim.Optimizer, rate: float) -> None:
    """Give every group the learning rate `rate`, times its `rate_scale` where it has one."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("rate_scale", 1.0)


def create_optimizer(model: nn.Module, recipe: Recipe) -> optim.Optimizer:
    """The recipe's, over what of `model` takes a gradient."""
    groups = parameter_groups(model, recipe)
    if recipe.optimizer == "adam":
        return optim.Adam(groups, lr=recipe.learning_rate, fused=True)
    nesterov = recipe.momentum > 0
    return optim.SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=nesterov, fused=True)


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """The rate of `step`, counted from 0 over the whole run."""
    first_epoch, peak, end_epoch = 0, recipe.learning_rate, recipe.epochs
    for restart in recipe.restarts:
        if step < restart.epoch * steps_per_epoch:
            end_epoch = restart.epoch
            break
        first_epoch, peak = restart.epoch, restart.learning_rate
    if recipe.schedule == "constant" and recipe.warmup == 0:
        return peak
    done = (step - first_epoch * steps_per_epoch + 0.5) / ((end_epoch - first_epoch) * steps_per_epoch)
    if done < recipe.warmup:
        return peak * done / recipe.warmup
    if recipe.schedule == "constant":
        return peak
    return peak * (1 - done) / (1 - recipe.warmup)
