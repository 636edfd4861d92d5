import numpy as np
import pytest

from models.unfamiliarity.stratified import stratified

LABELS = np.array([0] * 500 + [1] * 20 + [2] * 3)


@pytest.mark.parametrize(
    ("count", "of_each"), [(3, [1, 1, 1]), (9, [3, 3, 3]), (43, [20, 20, 3]), (100, [77, 20, 3])]
)
def test_every_class_has_the_same_share_as_far_as_it_goes(count: int, of_each: list[int]) -> None:
    places = stratified(LABELS, count)
    assert np.bincount(LABELS[places]).tolist() == of_each
    assert (np.diff(places) > 0).all()


def test_more_than_there_are_is_all_of_them() -> None:
    assert stratified(LABELS, 1000).tolist() == list(range(len(LABELS)))


def test_they_are_drawn_at_random_and_always_the_same() -> None:
    places = stratified(LABELS, 9)
    assert np.array_equal(places, stratified(LABELS, 9))
    assert places[:3].tolist() != [0, 1, 2]
