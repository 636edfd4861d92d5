"""MixUp and CutMix against their definitions, computed pixel by pixel."""

import random

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.support.goodness_of_fit import uniform_misfit
from training.loop.mixing import Box, Mixing, cutmix, dominant_label, mixup, sample_box

CLASSES = 4
PARTNERS = torch.tensor([2, 0, 1])
TARGETS = F.one_hot(torch.tensor([3, 0, 1]), CLASSES).float()


def random_images(n: int = 3, height: int = 5, width: int = 7) -> Tensor:
    return torch.rand(n, 3, height, width, generator=torch.Generator().manual_seed(0))


def test_mixup_weighs_images_and_labels_alike() -> None:
    images = random_images()
    mixed, targets = mixup(images, TARGETS, PARTNERS, 0.7)
    for i, partner in enumerate(PARTNERS.tolist()):
        torch.testing.assert_close(mixed[i], 0.7 * images[i] + 0.3 * images[partner])
    torch.testing.assert_close(targets, torch.tensor([[0, 0.3, 0, 0.7], [0.7, 0, 0, 0.3], [0.3, 0.7, 0, 0]]))


def test_cutmix_puts_the_box_in_and_weighs_labels_by_area() -> None:
    images = random_images()
    mixed, targets = cutmix(images, TARGETS, PARTNERS, Box(top=1, bottom=3, left=2, right=7))
    for i, partner in enumerate(PARTNERS.tolist()):
        for row in range(5):
            for column in range(7):
                source = partner if 1 <= row < 3 and 2 <= column < 7 else i
                assert torch.equal(mixed[i, :, row, column], images[source, :, row, column])
    own = 1 - 10 / 35
    torch.testing.assert_close(targets[0], torch.tensor([0, 1 - own, 0, own]))
    assert torch.equal(images, random_images())


@pytest.mark.parametrize("box", [Box(0, 0, 0, 0), Box(0, 5, 0, 7)])
def test_an_empty_box_leaves_and_a_full_one_replaces_everything(box: Box) -> None:
    images = random_images()
    mixed, targets = cutmix(images, TARGETS, PARTNERS, box)
    source = PARTNERS if box.bottom else torch.arange(3)
    assert torch.equal(mixed, images[source])
    torch.testing.assert_close(targets, TARGETS[source])


def test_a_box_has_the_stated_area_unless_the_border_cuts_it() -> None:
    chance = random.Random(0)
    boxes = [sample_box(0.75, 1000, 600, chance) for _ in range(2000)]
    whole = [box for box in boxes if box.top > 0 and box.left > 0 and box.bottom < 1000 and box.right < 600]
    assert {box.bottom - box.top for box in whole} <= {499, 500, 501}
    assert {box.right - box.left for box in whole} <= {299, 300, 301}
    # A centre lies far enough inside in half of the rows and half of the columns.
    assert 0.2 < len(whole) / len(boxes) < 0.3
    centres = torch.tensor([box.top + 250.0 for box in boxes if box.top > 0 and box.bottom < 1000])
    assert uniform_misfit(centres, 250, 750) < 1.95
    assert all(0 <= box.top <= box.bottom <= 1000 and 0 <= box.left <= box.right <= 600 for box in boxes)


def test_shares_follow_the_beta_distribution_and_targets_stay_distributions() -> None:
    """Beta(1, 1) is uniform: so is the share of an image's own label."""
    images, labels = torch.zeros(2, 3, 4, 4), torch.tensor([0, 1])
    shares = []
    for seed in range(2000):
        _, targets = Mixing(1.0, None)(images, labels, 2, seed)
        torch.testing.assert_close(targets.sum(1), torch.ones(2))
        shares.append(targets[0, 0].item())
    mixed = torch.tensor([share for share in shares if share < 1])
    # Of two images, one in two is its own partner.
    assert 0.45 < len(mixed) / len(shares) < 0.55
    assert uniform_misfit(mixed, 0, 1) < 1.95


def test_with_both_each_batch_is_mixed_by_one_of_them() -> None:
    images, labels = random_images(16, 8, 8), torch.arange(16) % CLASSES
    kept = []
    for seed in range(200):
        mixed, _ = Mixing(1.0, 1.0)(images, labels, CLASSES, seed)
        # CutMix only copies pixels; MixUp leaves none of an image as it was.
        kept.append(bool(torch.isin(mixed, images).all()))
    assert 70 < sum(kept) < 130


def test_the_seed_is_all_chance() -> None:
    images, labels = random_images(), torch.arange(3)
    first, again, other = (Mixing(0.2, 1.0)(images, labels, CLASSES, seed) for seed in (1, 1, 2))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


def test_without_either_batches_stay_as_they_are() -> None:
    images, labels = random_images(), torch.arange(3)
    assert Mixing(None, None)(images, labels, CLASSES, 0) == (images, labels)


def test_the_dominant_label_is_the_one_with_the_largest_share() -> None:
    labels = torch.tensor([2, 0])
    assert torch.equal(dominant_label(labels), labels)
    assert dominant_label(torch.tensor([[0.4, 0.6, 0], [0.1, 0.2, 0.7]])).tolist() == [1, 2]
