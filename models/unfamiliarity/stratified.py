"""A choice of images in which every class has the same share, as far as there are images of it."""

import numpy as np
import numpy.typing as npt

SEED = 0


def stratified(labels: npt.NDArray[np.integer], count: int) -> npt.NDArray[np.intp]:
    """The places, rising, of `count` of the images with these `labels` (N,), or of all where there are fewer.

    They are drawn at random, always the same, and one of each class in turn.
    """
    order = np.random.default_rng(SEED).permutation(len(labels))
    turn = np.empty(len(labels), np.intp)
    for label in np.unique(labels):
        own = order[labels[order] == label]
        turn[own] = np.arange(len(own))
    chosen = order[np.argsort(turn[order], kind="stable")][:count]
    return np.sort(chosen)
