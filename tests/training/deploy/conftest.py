"""Images to train on in seconds."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes, of dark and of bright images."""
    random = np.random.default_rng(0)
    for name, brightness in (("dark", 40), ("bright", 150)):
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        for number in range(400):
            pixels = random.integers(brightness, brightness + 60, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path / "photos"
