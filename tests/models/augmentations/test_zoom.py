import numpy as np
import pytest
import torch
from PIL import Image

from models.augmentations.zoom import Zoom
from tests.support.goodness_of_fit import uniform_misfit


@pytest.mark.parametrize(("height", "width"), [(32, 32), (9, 14), (5, 40)])
def test_every_window_equals_pillows_of_the_mirrored_image(height: int, width: int) -> None:
    zoom = Zoom(probability=1, area=(0.05, 4), ratio=(0.25, 4))
    images = torch.rand(24, 3, height, width, generator=torch.Generator().manual_seed(0))
    params = zoom.sample(24, (height, width), torch.Generator().manual_seed(0))
    result = zoom.apply(images, params)
    margin = 5 * max(height, width)
    for i, image in enumerate(images.numpy()):
        top, left, tall, wide = (float(params[key][i]) for key in ("top", "left", "height", "width"))
        box = (left + margin, top + margin, left + wide + margin, top + tall + margin)
        for channel, got in zip(image, result[i], strict=True):
            mirrored = Image.fromarray(np.pad(channel, margin, mode="symmetric"))
            expected = np.array(mirrored.resize((width, height), Image.Resampling.BILINEAR, box=box))
            torch.testing.assert_close(got, torch.from_numpy(expected), atol=2e-4, rtol=0)


def test_windows_have_the_stated_areas_and_ratios() -> None:
    params = Zoom(probability=0.4, area=(0.5, 2.0), ratio=(0.5, 2.0)).sample(
        10_000, (20, 30), torch.Generator().manual_seed(0)
    )
    area = params["height"] * params["width"] / 600
    ratio = (params["width"] / 30) / (params["height"] / 20)
    for values in (area, ratio):
        assert uniform_misfit(values.log(), np.log(0.5), np.log(2)) < 1.95
    assert abs(params["applied"].double().mean() - 0.4) < 0.02


def test_windows_lie_within_the_image_or_around_it_anywhere() -> None:
    params = Zoom(probability=1, area=(0.2, 4), ratio=(1, 1)).sample(
        10_000, (32, 32), torch.Generator().manual_seed(0)
    )
    for start, length in (("top", "height"), ("left", "width")):
        share = params[start] / (32 - params[length])
        assert uniform_misfit(share, 0, 1) < 1.95


def test_a_window_of_the_images_own_size_changes_nothing() -> None:
    images = torch.rand(4, 3, 12, 20, generator=torch.Generator().manual_seed(0))
    zoom = Zoom(probability=1, area=(1, 1), ratio=(1, 1))
    result = zoom.apply(images, zoom.sample(4, (12, 20), torch.Generator().manual_seed(0)))
    torch.testing.assert_close(result, images, atol=1e-5, rtol=0)


def test_only_the_chosen_images_are_zoomed() -> None:
    images = torch.rand(16, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    params = Zoom().sample(16, (8, 8), torch.Generator().manual_seed(0))
    changed = (Zoom().apply(images, params) != images).flatten(1).any(1)
    assert torch.equal(changed, params["applied"])
