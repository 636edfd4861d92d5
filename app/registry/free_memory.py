"""Memory that a model leaves behind goes back to the system."""

import ctypes
import gc


def return_free_memory() -> None:
    """Find what only cycles hold, as loading leaves it, and have the C library give back what is free.

    Without the one Python, and without the other glibc would keep tens of megabytes of every model that
    goes. Takes some hundredths of a second, so not for the event loop. Other C libraries do as they do.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
