"""What is freed in pieces goes back to the system."""

import gc
import platform
import weakref

import psutil
import pytest

from app.registry.free_memory import return_free_memory


class _Cycle:
    def __init__(self) -> None:
        self.itself = self


def test_what_only_a_cycle_holds_is_found() -> None:
    gc.disable()
    try:
        lost = weakref.ref(_Cycle())
        assert lost() is not None
        return_free_memory()
        assert lost() is None
    finally:
        gc.enable()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library needs no telling")
def test_freed_pieces_leave_the_process() -> None:
    process = psutil.Process()
    pieces = [bytes(50_000) for _ in range(2000)]
    kept = pieces[::100]  # so that the heap cannot simply shrink
    del pieces
    before = process.memory_info().rss
    return_free_memory()
    assert process.memory_info().rss < before - 50_000_000
    assert len(kept) == 20
