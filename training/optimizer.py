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


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """The rate of `step`, counted from 0, of `steps` in all."""
    if recipe.schedule == "constant" and recipe.warmup == 0:
        return recipe.learning_rate
    done = (step + 0.5) / steps
    if done < recipe.warmup:
        return recipe.learning_rate * done / recipe.warmup
    if recipe.schedule == "constant":
        return recipe.learning_rate
    return recipe.learning_rate * (1 - done) / (1 - recipe.warmup)
