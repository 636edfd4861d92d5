"""How bright and how sharp images are: two numbers by which a change of what is sent shows."""

import numpy as np
import numpy.typing as npt

BRIGHTNESS_EDGES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
SHARPNESS_EDGES = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""The upper edges of bins, each but the last, which has none."""


def brightness_and_sharpness(
    images: npt.NDArray[np.uint8 | np.float32],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Both of each of `images` (N, C, S, S), uint8 or floating point in 0..1; each (N,) float32.

    Brightness is the mean of the grey values, 0 for black to 1 for white. Sharpness is the variance of their
    Laplacian, 0 for an even image; of photographs at 32 pixels it is about 0.001 (blurred) to 0.3. Of images
    of fewer than 3 pixels a side it is 0.

    Source: Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy: a comparative study", 2000,
    https://doi.org/10.1109/ICPR.2000.903548.
    """
    count, channels, height, width = images.shape
    grey = images.sum(1, dtype=np.float32)
    scale = channels * (255 if images.dtype == np.uint8 else 1)
    brightness = grey.reshape(count, -1).mean(1) / scale
    if min(height, width) < 3:
        return brightness, np.zeros(count, np.float32)
    # Pixels that are no numbers give a sharpness that is none.
    with np.errstate(invalid="ignore", over="ignore"):
        laplacian = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1]
        laplacian += grey[:, 1:-1, :-2]
        laplacian += grey[:, 1:-1, 2:]
        laplacian -= 4 * grey[:, 1:-1, 1:-1]
        return brightness, laplacian.reshape(count, -1).var(1) / scale**2
