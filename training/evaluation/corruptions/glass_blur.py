"""Frosted glass: pixels show a neighbour in their place, between two slight blurs.

The paper has the two change places; the code by which CIFAR-10-C was made copies the neighbour over the pixel
(a swap of two views of one array). This is what is measured everywhere, and so it is done here.
"""

import numpy as np

from training.evaluation.corruptions.picture import Picture, blurred

GLASS = ((0.05, 1), (0.25, 1), (0.4, 1), (0.25, 2), (0.4, 2))
"""Standard deviation of the blur in pixels, and how many times all pixels are taken from beside, by
severity."""


def glass_blur(picture: Picture, severity: int, random: np.random.Generator) -> Picture:
    sigma, rounds = GLASS[severity - 1]
    height, width = picture.shape[:2]
    # In 8 bits, as in the original. Places are moved in a list, many times as fast as in the array.
    values = np.floor(np.clip(blurred(picture, sigma), 0, 1) * 255) / 255
    place = np.arange(height * width).tolist()
    for _ in range(rounds):
        steps = random.integers(-1, 1, size=(height, width, 2))
        offsets = (steps[:, :, 0] * width + steps[:, :, 1]).tolist()
        for row in range(height - 1, 1, -1):
            for column in range(width - 1, 1, -1):
                here = row * width + column
                there = here + offsets[row][column]
                place[here] = place[there]
    shuffled = values.reshape(-1, 3)[place].reshape(picture.shape)
    return blurred(shuffled, sigma)
