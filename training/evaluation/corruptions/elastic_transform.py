"""A picture on rubber: a random affine map of the whole, then every pixel pulled a little elsewhere.

Source of the second part: Simard, Steinkraus, Platt, "Best practices for convolutional neural networks
applied to visual document analysis", 2003, https://doi.org/10.1109/ICDAR.2003.1227801.
"""

import numpy as np
from scipy import ndimage

from training.evaluation.corruptions.picture import Picture

ELASTIC = ((0.0, 0.0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03))
"""How far pixels are pulled, how smoothly (a standard deviation), and how far three corners of the affine map
move at most, all as shares of the side, by severity."""


def elastic_transform(picture: Picture, severity: int, random: np.random.Generator) -> Picture:
    height, width = picture.shape[:2]
    side = min(height, width)
    pull, smoothness, corner = (share * side for share in ELASTIC[severity - 1])
    middle, third = np.array([height // 2, width // 2]), side // 3
    corners = np.array([middle + third, middle + np.array([third, -third]), middle - third], dtype=np.float64)
    moved_corners = corners + random.uniform(-corner, corner, corners.shape)
    # The map from the new picture to the old one: three points and their images determine it.
    matrix = np.linalg.solve(
        np.column_stack([moved_corners, np.ones(3)]), np.column_stack([corners, np.ones(3)])
    )
    pulls = [
        pull
        * ndimage.gaussian_filter(
            random.uniform(-1, 1, (height, width)), smoothness, mode="reflect", truncate=3.0
        )
        for _ in range(2)
    ]
    grid = np.moveaxis(np.mgrid[:height, :width].astype(np.float64), 0, -1)
    affine = sampled(picture, grid @ matrix[:2, :2] + matrix[2, :2], "mirror")
    return sampled(affine, grid + np.stack(pulls, axis=-1), "reflect")


def sampled(picture: Picture, places: Picture, mode: str) -> Picture:
    """`picture` at `places` (H, W, 2), row and column, linear in between; beyond its edges as `mode` says."""
    channels = [
        ndimage.map_coordinates(channel, np.moveaxis(places, -1, 0), order=1, mode=mode)
        for channel in np.moveaxis(picture, -1, 0)
    ]
    return np.stack(channels, axis=-1)
