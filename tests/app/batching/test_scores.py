import pytest

from app.batching.scores import Scores, averaged


def test_views_are_averaged_class_by_class() -> None:
    first = Scores([2, 0, 1], [0.6, 0.3, 0.1], 0.5, 2.0, 4, unfamiliarity=0.2)
    second = Scores([0, 1, 2], [0.7, 0.2, 0.1], 0.7, 3.0, 4, unfamiliarity=0.9)
    mean = averaged([first, second])
    assert mean.classes == [0, 2, 1]
    assert mean.probabilities == pytest.approx([0.5, 0.35, 0.15])
    assert (mean.unfamiliarity, mean.batch_size) == (0.2, 4)


def test_one_view_is_what_it_is() -> None:
    only = Scores([0], [1.0], 0.5, 2.0, 1)
    assert averaged([only]) is only
