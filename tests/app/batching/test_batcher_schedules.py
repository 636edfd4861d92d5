"""Whatever clients and engine do, every request gets its own answer once, or an error that is true."""

import asyncio
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from app.batching.batch_errors import ClosedError, DeadlineError, QueueFullError
from tests.support.batcher_simulation import Client, Ending, Request, Run, Schedule, Simulation, answer_to

FAILURES: list[Ending] = ["raises", "raises at once", "too few", "too many", "cancelled"]

REQUESTS = st.builds(
    Request,
    arrival=st.integers(0, 12),
    steps=st.integers(0, 4),
    size=st.integers(1, 10),
    patience=st.none() | st.integers(0, 8),
    cancelled_after=st.none() | st.none() | st.integers(0, 6),
)
SCHEDULES = st.builds(
    Schedule,
    max_batch=st.integers(1, 8),
    max_queue=st.integers(1, 24),
    concurrency=st.integers(1, 3),
    requests=st.lists(REQUESTS, min_size=8, max_size=24),
    runs=st.lists(
        st.tuples(st.integers(0, 4), st.just("answers") | st.sampled_from(FAILURES)),
        min_size=1,
        max_size=8,
    ),
    close_at=st.none() | st.integers(0, 16),
)


def runs_with(client: Client, simulation: Simulation) -> list[Run]:
    return [run for run in simulation.runs if any(number == client.number for number, _ in run.items)]


def starts(client: Client, simulation: Simulation) -> list[tuple[int, float, int]]:
    """Place, time and number of all items of `client` that were started."""
    return [
        (place, run.started, index)
        for run in simulation.runs
        for place, (number, index) in zip(run.places, run.items, strict=True)
        if number == client.number
    ]


def check_batches(simulation: Simulation) -> None:
    """Within their limits, reported as they were, and no item in two of them."""
    schedule = simulation.schedule
    for run in simulation.runs:
        assert 1 <= len(run.items) <= schedule.max_batch
        assert run.running_with_it <= schedule.concurrency
    run_counts = Counter(item for run in simulation.runs for item in run.items)
    assert set(run_counts.values()) <= {1}
    assert simulation.reported == [
        len(run.items) for run in simulation.runs if run.ending != "raises at once"
    ]


def check_outcome(client: Client, simulation: Simulation) -> None:
    """The answer is the client's own, or the error is one that it had to get, and at its time."""
    request, runs = client.request, runs_with(client, simulation)
    failed = [run for run in runs if run.ending != "answers"]
    assert client.ended is not None
    match client.outcome:
        case list(answers):
            assert answers == [answer_to(item) for item in client.items]
            assert not failed
            assert client.ended == max(run.ended for run in runs if run.ended is not None)
        case DeadlineError(where=where, seconds=seconds):
            assert client.ended == client.deadline == request.arrival + seconds
            ends = [(run.started, run.ended) for run in runs if run.ended is not None]
            if any(started < client.ended < ended for started, ended in ends):
                assert where == "running"
            if not any(started <= client.ended <= ended for started, ended in ends):
                assert where == "waiting"
        case asyncio.CancelledError():
            assert client.cancelled_place is not None
            assert client.ended == request.arrival + (request.cancelled_after or 0)
        case QueueFullError():  # that it did not fit was checked at the time
            assert client.ended == request.arrival
            assert not runs
        case ClosedError():
            assert simulation.closed_place is not None
            assert client.submitted_place is not None
            assert client.submitted_place > simulation.closed_place
            assert not runs
        case error:
            ends_then = [run for run in failed if run.ended == client.ended]
            if type(error) is RuntimeError:
                assert {run.ending for run in ends_then} & {"too few", "too many", "cancelled"}
            else:
                assert any(error is run.error for run in ends_then)


def check_drops(client: Client, simulation: Simulation) -> None:
    """Nothing of a client is started once it is cancelled, expired or failed."""
    failures = [run.ended for run in runs_with(client, simulation) if run.ending != "answers"]
    for place, time, _ in starts(client, simulation):
        assert client.cancelled_place is None or place < client.cancelled_place
        assert client.deadline is None or time < client.deadline
        assert all(failure is None or time <= failure for failure in failures)


def check_turns(client: Client, simulation: Simulation) -> None:
    """Items start in order, and between two of them every other client has one turn at most, newcomers none
    before the first."""
    own = starts(client, simulation)
    assert [index for _, _, index in own] == list(range(len(own)))
    if not own or client.submitted_place is None:
        return
    for other in simulation.clients:
        if other is client or other.submitted_place is None:
            continue
        places = [place for place, _, _ in starts(other, simulation)]
        for previous, following in pairwise([client.submitted_place, *(place for place, _, _ in own)]):
            assert sum(previous < place < following for place in places) <= 1
        if other.submitted_place > client.submitted_place:
            assert all(place > own[0][0] for place in places)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(SCHEDULES)
def test_every_schedule_keeps_the_promises(schedule: Schedule) -> None:
    simulation = Simulation(schedule)
    check_batches(simulation)
    for client in simulation.clients:
        check_outcome(client, simulation)
        check_drops(client, simulation)
        check_turns(client, simulation)


def reached(simulation: Simulation) -> set[str]:
    """What of that which needs judging has happened: errors, and failures and drops of what runs."""
    outcomes = [client.outcome for client in simulation.clients]
    endings = {run.ending for run in simulation.runs}
    errors = {type(outcome).__name__ for outcome in outcomes}
    waits = {outcome.where for outcome in outcomes if isinstance(outcome, DeadlineError)}
    dropped = {
        f"{type(client.outcome).__name__} after a part"
        for client in simulation.clients
        if 0 < len(starts(client, simulation)) < client.request.size
    }
    return endings | errors | waits | dropped


@pytest.mark.parametrize(
    "event",
    [
        *FAILURES,
        *("waiting", "running", "QueueFullError", "ClosedError", "CancelledError"),
        *("DeadlineError after a part", "CancelledError after a part", "KeyError after a part"),
    ],
)
def test_the_schedules_reach_every_event(event: str) -> None:
    """Each among the first few, so that the test above is known to have much to judge."""
    find(
        SCHEDULES,
        lambda schedule: event in reached(Simulation(schedule)),
        settings=settings(max_examples=50, deadline=None, derandomize=True, phases=[Phase.generate]),
    )
