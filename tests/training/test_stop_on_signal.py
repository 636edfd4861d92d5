import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from training.stop_on_signal import StopOnSignal

NUMBERS = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture(autouse=True)
def _keep_signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in NUMBERS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", NUMBERS)
def test_the_first_signal_asks_and_the_second_would_end_the_program(number: int) -> None:
    stop = StopOnSignal()
    assert not stop()
    os.kill(os.getpid(), number)
    assert stop()
    assert signal.getsignal(number) is signal.SIG_DFL


def test_off_the_main_thread_signals_stay_as_they_are() -> None:
    before = [signal.getsignal(number) for number in NUMBERS]
    with ThreadPoolExecutor(1) as other:
        assert not other.submit(StopOnSignal).result()()
    assert [signal.getsignal(number) for number in NUMBERS] == before
