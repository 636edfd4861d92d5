"""Evidence as colours over an image."""

import io

import numpy as np
import pytest
import torch
from matplotlib import colormaps
from PIL import Image
from torch import Tensor

from app.drawing.heat_map import INFERNO, STRONGEST, colours, overlay_png, strength_of

IMAGE = torch.randint(256, (3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def _drawn(image: Tensor, evidence: Tensor) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(overlay_png(image, evidence))))


def _enlarged(image: Tensor, factor: int) -> np.ndarray:
    return image.permute(1, 2, 0).numpy().repeat(factor, axis=0).repeat(factor, axis=1)


def test_without_evidence_the_image_is_only_enlarged() -> None:
    for nothing in (torch.zeros(4, 4), -torch.rand(4, 4)):
        assert (_drawn(IMAGE, nothing) == _enlarged(IMAGE, 8)).all()


@pytest.mark.parametrize(("size", "side"), [(32, 256), (48, 240), (224, 224), (300, 300)])
def test_pixels_are_enlarged_by_a_whole_factor(size: int, side: int) -> None:
    image = torch.zeros(3, size, size, dtype=torch.uint8)
    assert _drawn(image, torch.zeros(4, 4)).shape == (side, side, 3)


def test_a_grey_image_is_drawn_as_grey() -> None:
    assert (_drawn(IMAGE[:1], torch.zeros(4, 4)) == _enlarged(IMAGE[:1].expand(3, -1, -1), 8)).all()


def test_colour_lies_where_the_evidence_is_and_nowhere_else() -> None:
    evidence = torch.full((4, 4), -3.0)
    evidence[0, 3] = 5.0
    drawn, plain = _drawn(IMAGE, evidence).astype(int), _enlarged(IMAGE, 8).astype(int)
    # Bicubic interpolation reaches two places far, each 64 pixels, from the centre at 32.
    assert (drawn[160:] == plain[160:]).all()
    assert (drawn[:, :96] == plain[:, :96]).all()
    expected = plain[0, -1] * (1 - STRONGEST) + np.array(INFERNO[-1]) * STRONGEST
    assert np.abs(drawn[0, -1] - expected).max() <= 1


def test_evidence_is_shown_relative_to_its_greatest() -> None:
    evidence = torch.rand(4, 4, generator=torch.Generator().manual_seed(1))
    strength = strength_of(evidence, 64)
    assert torch.allclose(strength, strength_of(evidence * 1e6, 64), atol=1e-6)
    assert (strength.min() >= 0) & (strength.max() <= 1)
    row, column = divmod(int(evidence.argmax()), 4)
    assert strength[16 * row + 8, 16 * column + 8] > 0.9


def test_a_greater_strength_is_always_lighter() -> None:
    """Luminance by Rec. 709, of linear light."""
    linear = (colours(torch.linspace(0, 1, 256).view(1, -1)) / 255) ** 2.2
    luminance = (linear[:, 0] * torch.tensor([[0.2126], [0.7152], [0.0722]])).sum(0)
    assert (luminance.diff() > 0).all()


def test_the_colours_are_those_of_the_published_map() -> None:
    strength = torch.linspace(0, 1, 256).view(1, -1)
    published = colormaps["inferno"](np.arange(256))[:, :3] * 255
    assert np.abs(colours(strength)[:, 0].T.numpy() - published).max() < 7.5
    at_stored = colormaps["inferno"](np.linspace(0, 1, len(INFERNO)))[:, :3] * 255
    assert np.abs(np.array(INFERNO) - at_stored).max() <= 0.51
