from app.batching.working_time import WorkingTime


class Clock:
    now = 50.0

    def __call__(self) -> float:
        return self.now


def test_it_goes_on_while_there_is_work() -> None:
    clock = Clock()
    worked = WorkingTime(clock)
    assert worked() == 0
    clock.now += 10
    assert worked() == 0
    worked.begin()
    clock.now += 2
    assert worked() == 2
    worked.begin()
    clock.now += 1
    worked.end()
    assert worked() == 3
    clock.now += 4
    worked.end()
    clock.now += 60
    assert worked() == 7
    worked.begin()
    clock.now += 1
    assert worked() == 8
