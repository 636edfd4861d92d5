"""MixUp and CutMix: two images and their labels become one. As labels change, it is training's alone."""

import math
import random
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Box:
    """A part of an image, in pixels: rows `top` to `bottom`, columns `left` to `right`, the ends left out."""

    top: int
    bottom: int
    left: int
    right: int


def mixup(images: Tensor, targets: Tensor, partners: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Each image times `share` plus its partner times the rest, and the targets likewise.

    Images (N, C, H, W), targets (N, classes) that sum to 1, and the `partners` int64 (N,), indices of images.

    Source: Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018, https://arxiv.org/abs/1710.09412.
    """
    return torch.lerp(images[partners], images, share), torch.lerp(targets[partners], targets, share)


def cutmix(images: Tensor, targets: Tensor, partners: Tensor, box: Box) -> tuple[Tensor, Tensor]:
    """Each image with `box` of its partner in its place, and the targets by the areas.

    Shapes as for `mixup`.

    Source: Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable
    Features", 2019, https://arxiv.org/abs/1905.04899.
    """
    mixed = images.clone(memory_format=torch.preserve_format)
    rows, columns = slice(box.top, box.bottom), slice(box.left, box.right)
    mixed[:, :, rows, columns] = images[partners, :, rows, columns]
    pixels = images.shape[2] * images.shape[3]
    share = 1 - (box.bottom - box.top) * (box.right - box.left) / pixels
    return mixed, torch.lerp(targets[partners], targets, share)


def sample_box(share: float, height: int, width: int, chance: random.Random) -> Box:
    """A box of 1 - `share` of the area, in the image's proportions, about any place, cut at the border."""
    half = math.sqrt(1 - share) / 2
    row, column = chance.uniform(0, height), chance.uniform(0, width)
    return Box(
        top=max(0, round(row - half * height)),
        bottom=min(height, round(row + half * height)),
        left=max(0, round(column - half * width)),
        right=min(width, round(column + half * width)),
    )


@dataclass(frozen=True)
class Mixing:
    """Mixes whole batches; with both alphas, each batch by one of the two, with equal chances.

    An image's own share is drawn from Beta(alpha, alpha), once for a batch, as the papers' programs do. None
    leaves the operation out; without either, batches stay as they are.
    """

    mixup_alpha: float | None
    cutmix_alpha: float | None

    @property
    def on(self) -> bool:
        return self.mixup_alpha is not None or self.cutmix_alpha is not None

    def __call__(self, images: Tensor, labels: Tensor, classes: int, seed: int) -> tuple[Tensor, Tensor]:
        """Images (N, C, H, W) and labels (N,) to mixed images and targets (N, classes); `seed` is all chance.

        Share, box and choice are drawn on the host, so that nothing waits for the device.
        """
        kinds = [
            (kind, alpha)
            for kind, alpha in (("mixup", self.mixup_alpha), ("cutmix", self.cutmix_alpha))
            if alpha is not None
        ]
        if not kinds:
            return images, labels
        chance = random.Random(seed)
        kind, alpha = chance.choice(kinds)
        share = chance.betavariate(alpha, alpha)
        generator = torch.Generator(images.device).manual_seed(chance.getrandbits(63))
        partners = torch.rand(len(images), generator=generator, device=images.device).argsort()
        # F.one_hot looks at the labels' values first.
        targets = (labels.unsqueeze(1) == torch.arange(classes, device=labels.device)).to(images.dtype)
        if kind == "mixup":
            return mixup(images, targets, partners, share)
        height, width = images.shape[2:]
        return cutmix(images, targets, partners, sample_box(share, height, width, chance))


def dominant_label(targets: Tensor) -> Tensor:
    """The label (N,) with the largest share in `targets`, which are labels (N,) or shares (N, classes)."""
    return targets.argmax(1) if targets.dim() == 2 else targets
