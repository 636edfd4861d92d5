import pytest

from app import main
from app.main import engine_options
from app.settings import Settings


@pytest.mark.parametrize(
    ("cores", "workers", "asked", "threads"),
    [
        (2, 1, 0, 2),
        (16, 1, 0, 16),
        (16, 4, 0, 4),
        (2, 2, 0, 2),
        (4, 16, 0, 2),
        (1, 2, 0, 1),
        (8, 4, 1, 1),
        (2, 1, 6, 6),
    ],
)
def test_a_workers_share_of_the_cores_but_two_at_least(
    monkeypatch: pytest.MonkeyPatch, cores: int, workers: int, asked: int, threads: int
) -> None:
    monkeypatch.setattr(main, "usable_cores", lambda: cores)
    assert engine_options(Settings(workers=workers, engine_threads=asked)).threads == threads
