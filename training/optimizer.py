"""The optimiser of a recipe, and its learning rate over time."""

from torch import nn, optim

from training.recipe import Recipe


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Weights of convolutions and linear layers decay; batch norm and biases, all one-dimensional, do not."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in trained if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in trained if p.dim() <= 1], "weight_decay": 0.0},
    ]


def create_optimizer(model: nn.Module, recipe: Recipe) -> optim.Optimizer:
    groups = parameter_groups(model, recipe.weight_decay)
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
