"""Whether a data set fits into memory, told before any of it is read."""

from models.hardware import usable_memory

COPIES = 2
"""Of the images, that are in memory at once: one as read, one that is split into training and test images."""
SHARE = 0.5
"""Of the memory, that the images may take with their copies; the network and its training need the rest."""


def lack_of_memory(count: int, image_size: int) -> str | None:
    """Why `count` images of `image_size` × `image_size` pixels in colour do not fit, or None where they do.

    The memory is the machine's or, in a container, its limit.
    """
    needed = COPIES * count * 3 * image_size**2
    memory = usable_memory()
    if needed <= SHARE * memory:
        return None
    return (
        f"{count:,} images of {image_size} pixels take {needed / 1e9:,.2f} GB, more than {SHARE:.0%} of the "
        f"{memory / 1e9:,.2f} GB of memory that this process may use"
    )
