"""How many batches waiting items make where several can run side by side, and how large each is."""

LEAST_TOGETHER, LEAST_BESIDE = 4, 8
"""Items that a batch side by side with others is worth a thread for: of batches that begin together, and of
one that begins while others run. Fewer wait for the end of those, or for company."""


def sizes_side_by_side(waiting: int, running: int, max_batch: int, concurrency: int) -> list[int]:
    """The size of each batch to start beside those that are `running`, where so many items wait.

    They are shared out evenly, so that the batches take equally long.
    """
    least = min(LEAST_BESIDE if running else LEAST_TOGETHER, max_batch)
    batches = min(concurrency - running, waiting // least)
    if batches < 1:
        return []
    size, more = divmod(min(waiting, batches * max_batch), batches)
    return [size + 1] * more + [size] * (batches - more)
