from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from tests.support.tiny_run import RECIPE, tiny_data
from training.data.balance import class_weights
from training.data.cifar10 import ImageData, Split
from training.loop.batches import Batches
from training.loop.train import Run


def imbalanced() -> ImageData:
    """40 images of the first class, 6 of the second, 2 of the third."""
    data = tiny_data()
    labels = torch.cat([torch.full((n,), label) for label, n in enumerate((40, 6, 2))])
    return replace(data, train=Split(data.train.images[: len(labels)], labels))


def test_weights_are_inverse_frequencies_with_a_mean_of_one_over_the_images() -> None:
    data = imbalanced()
    weights = class_weights(data)
    torch.testing.assert_close(weights, torch.tensor([48 / (3 * 40), 48 / (3 * 6), 48 / (3 * 2)]))
    torch.testing.assert_close(weights[data.train.labels].mean(), torch.tensor(1.0))


def test_sampling_draws_all_classes_alike_and_the_same_for_one_epoch() -> None:
    data = imbalanced()
    batches = Batches(RECIPE.changed(balance="sampling"), data, seed=0)
    orders = [batches.order(epoch) for epoch in range(200)]
    assert torch.equal(batches.order(7), orders[7])
    assert all(len(order) == len(data.train) for order in orders)
    counts = torch.bincount(data.train.labels[torch.cat(orders)], minlength=3)
    # 9,600 draws with probability 1/3 each: five standard deviations are 231.
    assert (counts - 3200).abs().max() < 231


def test_without_balance_every_image_comes_once() -> None:
    order = Batches(RECIPE, imbalanced(), seed=0).order(3)
    assert order.sort().values.equal(torch.arange(48))


def test_the_loss_counts_an_image_by_the_weight_of_its_class(tmp_path: Path) -> None:
    data = imbalanced()
    run = Run(RECIPE.changed(balance="loss", label_smoothing=0.0), data, 0, tmp_path)
    logits, labels = torch.randn(8, 3), torch.tensor([0, 0, 0, 0, 1, 1, 2, 2])
    each = F.cross_entropy(logits, labels, reduction="none")
    torch.testing.assert_close(run.loss(logits, labels), (each * class_weights(data)[labels]).mean())
    plain = Run(RECIPE.changed(label_smoothing=0.0), data, 0, tmp_path)
    torch.testing.assert_close(plain.loss(logits, labels), each.mean())


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_equal_classes_weigh_nothing(tmp_path: Path, smoothing: float) -> None:
    data = tiny_data()
    data = replace(data, train=Split(data.train.images[:45], torch.arange(45) % 3))
    recipe = RECIPE.changed(label_smoothing=smoothing)
    logits, labels = torch.randn(8, 3), torch.arange(8) % 3
    torch.testing.assert_close(
        Run(recipe.changed(balance="loss"), data, 0, tmp_path).loss(logits, labels),
        Run(recipe, data, 0, tmp_path).loss(logits, labels),
    )
