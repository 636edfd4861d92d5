"""The processes that are measured are new ones: what the C library was told cannot be taken back."""

import subprocess
import sys

import pytest

from training.loop.freed_memory import keep_freed_memory

PAGE_FAULTS = """
import resource
from training.loop import freed_memory

kept = {call}

def step():
    return len(bytearray(b"x") * 2**26)

step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    step()
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

LARGE_BLOCK = """
import ctypes
from training.loop.freed_memory import keep_freed_memory

keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.sbrk.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
block = libc.malloc(ctypes.c_size_t(5 * 2**29))
end = libc.sbrk(0)
libc.free(block)
print(bool(block), libc.sbrk(0) == end)
"""


def page_faults(call: str) -> tuple[str, int]:
    printed = subprocess.check_output([sys.executable, "-c", PAGE_FAULTS.format(call=call)], text=True)
    kept, faults = printed.split()
    return kept, int(faults)


@pytest.mark.skipif(sys.platform != "linux", reason="is about glibc")
def test_memory_that_is_asked_for_again_is_still_there() -> None:
    kept, faults = page_faults("freed_memory.keep_freed_memory()")
    _, faults_by_default = page_faults("None")
    assert kept == "True"
    assert faults < faults_by_default / 4


@pytest.mark.skipif(sys.platform != "linux", reason="is about glibc")
def test_a_block_of_more_than_two_gigabytes_is_kept_too() -> None:
    printed = subprocess.check_output([sys.executable, "-c", LARGE_BLOCK], text=True)
    assert printed.split() == ["True", "True"]


def test_another_c_library_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.loop.freed_memory.ctypes.CDLL", lambda _: object())
    assert not keep_freed_memory()
