from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from training.loop.event_log import EventLog, logged_steps


def shown(folder: Path) -> dict[int, float]:
    """What TensorBoard's own reader finds."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return {event.step: event.value for event in events.Scalars("loss")}


def log(folder: Path, from_step: int, *steps: int) -> None:
    events = EventLog(folder, from_step)
    for step in steps:
        events.scalars(step, {"loss": float(step)})
    events.close()


def test_what_was_logged_is_in_the_file_without_closing_it(tmp_path: Path) -> None:
    events = EventLog(tmp_path, 1)
    for step in (1, 2):
        events.scalars(step, {"loss": 0.5, "accuracy": 0.25})
    assert logged_steps(tmp_path) == {"loss": {1, 2}, "accuracy": {1, 2}}
    assert shown(tmp_path) == {1: 0.5, 2: 0.5}
    events.close()


def test_what_a_later_session_does_anew_is_void(tmp_path: Path) -> None:
    log(tmp_path, 1, 1, 2, 3, 4)
    log(tmp_path, 3, 3)
    assert logged_steps(tmp_path) == {"loss": {1, 2, 3}}
    assert shown(tmp_path) == {1: 1.0, 2: 2.0, 3: 3.0}


def test_sessions_in_one_second_are_read_in_their_order(tmp_path: Path) -> None:
    for step in range(12):
        log(tmp_path, step + 1, step + 1, step + 2)
    assert logged_steps(tmp_path) == {"loss": set(range(1, 14))}
    assert shown(tmp_path).keys() == set(range(1, 14))


def test_half_a_record_at_the_end_of_a_session_hides_nothing(tmp_path: Path) -> None:
    log(tmp_path, 1, 1, 2)
    (first,) = tmp_path.iterdir()
    first.write_bytes(first.read_bytes()[:-7])
    log(tmp_path, 3, 3)
    assert logged_steps(tmp_path) == {"loss": {1, 3}}
