import pytest

from app.batching.side_by_side import sizes_side_by_side


@pytest.mark.parametrize(
    ("waiting", "sizes"),
    [(3, []), (9, [5, 4]), (25, [5, 4, 4, 4, 4, 4]), (47, [8, 8, 8, 8, 8, 7]), (200, [16] * 6)],
)
def test_batches_side_by_side_differ_by_one_item_at_most(waiting: int, sizes: list[int]) -> None:
    assert sizes_side_by_side(waiting, running=0, max_batch=16, concurrency=6) == sizes
