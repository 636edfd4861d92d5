import pytest

from app.batching.batcher import MEMORY_SECONDS, Throughput


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_nothing_is_known_at_first(clock: Clock) -> None:
    throughput = Throughput(clock)
    assert throughput.per_second() == 0
    throughput.add(8)
    assert throughput.per_second() == 0


@pytest.mark.parametrize("seconds", [0.5, 3.0, 60.0])
def test_a_steady_rate_is_told_from_early_on(clock: Clock, seconds: float) -> None:
    throughput = Throughput(clock)
    throughput.per_second()
    for _ in range(int(seconds / 0.02)):
        clock.now += 0.02
        throughput.add(16)
    assert throughput.per_second() == pytest.approx(800, rel=0.03)


def test_the_past_fades(clock: Clock) -> None:
    throughput = Throughput(clock)
    throughput.per_second()
    for _ in range(5000):
        clock.now += 0.02
        throughput.add(16)
    clock.now += 3 * MEMORY_SECONDS
    assert throughput.per_second() == pytest.approx(800 * 0.0498, rel=0.05)
