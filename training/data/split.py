"""Which images of a folder are trained on, held out and tested on, by the files' contents."""

import hashlib
from collections.abc import Sequence
from typing import Literal

Role = Literal["train", "held_out", "test"]

SHARE = 0.15
"""Of a class's images, that each of the roles is given which has no folder of its own."""
SPLIT_SEED = 0
"""Fixed apart from the run's seed, so that all runs over a folder hold out the same images."""


def split(digests: Sequence[str], wanted: Sequence[Role]) -> list[Role]:
    """The role of each image of one class, told by the digest of its file.

    Each role in `wanted` gets `SHARE` of the images, at least one, and training the rest. The images are
    ranked by a seeded hash of their digests and not of their paths: renaming a file or moving the folder
    changes nothing, and an image that is added changes the role of few others. By rank, every class has its
    share exactly, however few its images are.

    Raises `ValueError` where nothing would be left to train on.
    """
    if len(digests) <= len(wanted):
        raise ValueError(f"at least {len(wanted) + 1} images are needed, got {len(digests)}")
    count = max(1, round(len(digests) * SHARE))
    if count * len(wanted) >= len(digests):
        count = 1

    def key(index: int) -> str:
        return hashlib.sha256(f"{SPLIT_SEED} {digests[index]}".encode()).hexdigest()

    roles: list[Role] = ["train"] * len(digests)
    ranked = sorted(range(len(digests)), key=key)
    for position, role in enumerate(wanted):
        for index in ranked[position * count : (position + 1) * count]:
            roles[index] = role
    return roles
