"""Keep freed memory in the process, which a training step on a CPU asks for again at once."""

import ctypes

M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4
NEVER = -1


def keep_freed_memory() -> bool:
    """Have the C library keep all memory that is freed from now on; returns whether it can.

    Every step allocates and frees the same gigabytes. By default, glibc gives large blocks back to the
    system, and the system clears each page again when it is next touched: a seventh of a step's processor
    time. The process then never shrinks, and may grow by an eighth. Other C libraries are left as they are.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, NEVER))
