import numpy as np
import pytest
import torch

from training.report.thumbnail import LONGEST_SIDE, decode_thumbnail, thumbnail


@pytest.mark.parametrize("channels", [1, 3])
def test_a_small_image_comes_back_exactly(channels: int) -> None:
    image = torch.randint(0, 256, (channels, 5, 7), dtype=torch.uint8)
    pixels = np.asarray(decode_thumbnail(thumbnail(image)))
    assert np.array_equal(pixels, image.expand(3, 5, 7).permute(1, 2, 0).numpy())


def test_a_large_image_is_reduced_in_proportion() -> None:
    assert decode_thumbnail(thumbnail(torch.zeros(3, 100, 200, dtype=torch.uint8))).size == (
        LONGEST_SIDE,
        LONGEST_SIDE // 2,
    )


@pytest.mark.parametrize("text", ["?", "AAAA"])
def test_what_is_no_thumbnail_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - base64 has words of its own
        decode_thumbnail(text)
