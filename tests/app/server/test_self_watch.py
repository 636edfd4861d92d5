"""A lone process is ended once it is stuck, and not before."""

import queue
import threading

from app.server.self_watch import SILENT_TICKS, SelfWatch


def test_an_engine_that_is_not_well_ends_the_process() -> None:
    ended: list[str] = []
    with SelfWatch(300, ended.append) as watch:
        watch.pulse(None)
        assert ended == []
        watch.pulse("the engine is on fire")
        assert ended == ["the engine is on fire"]


def test_a_start_that_hangs_ends_the_process() -> None:
    ended: queue.Queue[str] = queue.Queue()
    with SelfWatch(0.01, ended.put):
        assert ended.get(timeout=60) == "not ready after RESNET_SERVE_START_SECONDS=0.01"


def test_a_start_that_is_over_is_not_late() -> None:
    others = set(threading.enumerate())
    with SelfWatch(300, lambda _: None) as watch:
        (timer,) = set(threading.enumerate()) - others
        watch.pulse(None)
        timer.join(60)
        assert not timer.is_alive()


def test_silence_counts_from_the_last_pulse() -> None:
    with SelfWatch(300, lambda _: None) as watch:
        assert not any(watch.tick() for _ in range(SILENT_TICKS))
        watch.pulse(None)
        assert not any(watch.tick() for _ in range(SILENT_TICKS - 1))
        assert [watch.tick() for _ in range(3)][-1]


def test_an_event_loop_that_is_silent_ends_the_process() -> None:
    ended = threading.Event()
    with SelfWatch(300, lambda _: ended.set()) as watch:
        watch.pulse(None)
        for _ in range(SILENT_TICKS):
            watch.tick()
        assert ended.wait(60)


def test_a_service_that_has_ended_is_no_longer_watched() -> None:
    """As where it could not start: whatever runs next in this process must not be ended in its place."""
    others = set(threading.enumerate())
    for is_ready in (False, True):
        with SelfWatch(300, lambda _: None) as watch:
            if is_ready:
                watch.pulse(None)
        for thread in set(threading.enumerate()) - others:
            thread.join(60)
            assert not thread.is_alive()
