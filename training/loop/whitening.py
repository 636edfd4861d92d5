"""Whitening initialisation of a first convolution.

Source: Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024, https://arxiv.org/abs/2404.00498,
after Page, "How to Train Your ResNet", 2019.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON = 5e-4
"""Added to the eigenvalues, so that directions that hold next to nothing are not blown up."""


@torch.no_grad()
def whiten(conv: nn.Conv2d, images: Tensor) -> None:
    """Set the first filters to the whitening filters of the patches of `images`, and to their negatives.

    The rest of the filters keep what they had. The kernel is frozen: it takes no gradient from here on.
    `images` are normalised, (N, C, H, W). Raises `ValueError` where the convolution has too few filters.
    """
    patch = conv.in_channels * conv.kernel_size[0] * conv.kernel_size[1]
    if conv.out_channels < 2 * patch:
        raise ValueError(f"whitening needs {2 * patch} filters, the convolution has {conv.out_channels}")
    height, width = conv.kernel_size
    patches = F.unfold(images.float(), (height, width)).transpose(1, 2).reshape(-1, patch)
    covariance = patches.T @ patches / len(patches)
    eigenvalues, eigenvectors = torch.linalg.eigh(covariance)
    filters = (eigenvectors * torch.rsqrt(eigenvalues + EPSILON)).T.flip(0)
    filters = filters.reshape(patch, conv.in_channels, height, width).to(conv.weight)
    conv.weight[: 2 * patch] = torch.cat([filters, -filters])
    conv.weight.requires_grad = False
