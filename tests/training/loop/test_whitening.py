import pytest
import torch
from torch import nn
from torch.nn import functional as F

from training.loop.whitening import EPSILON, whiten


def correlated_images() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(64, 3, 16, 16, generator=generator)
    smooth = F.avg_pool2d(noise, 3, stride=1, padding=1) + 0.3 * noise
    return smooth + smooth.mean(1, keepdim=True)


def test_whitened_patches_have_no_correlation_and_unit_variance() -> None:
    images = correlated_images()
    conv = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    whiten(conv, images)
    patches = F.unfold(images, 3).transpose(1, 2).reshape(-1, 27)
    eigenvalues = torch.linalg.eigvalsh(patches.T @ patches / len(patches)).flip(0)
    outputs = patches @ conv.weight.detach()[:27].reshape(27, 27).T
    covariance = outputs.T @ outputs / len(outputs)
    torch.testing.assert_close(
        covariance, torch.diag(eigenvalues / (eigenvalues + EPSILON)), atol=1e-3, rtol=0
    )


def test_the_negatives_follow_the_rest_stays_and_all_is_frozen() -> None:
    conv = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    before = conv.weight.detach().clone()
    whiten(conv, correlated_images())
    after = conv.weight.detach()
    assert torch.equal(after[27:54], -after[:27])
    assert torch.equal(after[54:], before[54:])
    assert not conv.weight.requires_grad


def test_too_few_filters_are_refused() -> None:
    with pytest.raises(ValueError, match="whitening needs 54 filters, the convolution has 6"):
        whiten(nn.Conv2d(3, 6, 3), correlated_images())
