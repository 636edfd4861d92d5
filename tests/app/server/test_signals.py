"""The two signals become something to wait for, and leave no trace."""

import os
import signal
from multiprocessing.connection import wait

import pytest

from app.server.signals import STOP_SIGNALS, StopSignals


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_interrupts_nothing_and_wakes_who_waits(number: signal.Signals) -> None:
    with StopSignals() as signals:
        assert not signals.take()
        assert wait([signals.fileno()], timeout=0) == []
        os.kill(os.getpid(), number)
        assert wait([signals.fileno()], timeout=60) == [signals.fileno()]
        assert signals.take()
        assert not signals.take()
        assert wait([signals.fileno()], timeout=0) == []


def test_other_signals_are_none_of_its_business() -> None:
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with StopSignals() as signals:
            os.kill(os.getpid(), signal.SIGUSR1)
            assert not signals.take()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_handlers_are_put_back() -> None:
    before = [signal.getsignal(number) for number in STOP_SIGNALS]
    with StopSignals():
        assert all(signal.getsignal(number) not in before for number in STOP_SIGNALS)
    assert [signal.getsignal(number) for number in STOP_SIGNALS] == before
    assert signal.set_wakeup_fd(-1) == -1
