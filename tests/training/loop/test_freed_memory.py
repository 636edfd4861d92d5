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


def test_another_c_library_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.loop.freed_memory.ctypes.CDLL", lambda _: object())
    assert not keep_freed_memory()
