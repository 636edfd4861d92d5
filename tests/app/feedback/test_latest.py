"""The latest predictions are found by their request, and bounded by their number."""

from app.feedback.latest import LatestPredictions
from models.feedback.records import Prediction

CAT = Prediction("cat", 0.75, "lenet", "1")
DOG = Prediction("dog", 0.5, "lenet", "1")


def test_the_oldest_are_dropped_for_what_does_not_fit() -> None:
    latest = LatestPredictions(5)
    latest.add("a", [CAT, CAT])
    latest.add("b", [DOG])
    latest.add("c", [CAT, DOG, CAT])
    assert latest.get("a") is None
    assert latest.get("b") == [DOG]
    assert latest.get("c") == [CAT, DOG, CAT]
    assert len(latest) == 4


def test_a_request_that_is_larger_than_all_of_it_is_not_held() -> None:
    latest = LatestPredictions(2)
    latest.add("a", [CAT, CAT, CAT])
    assert latest.get("a") is None
    assert len(latest) == 0


def test_an_id_that_is_used_again_means_the_later_request() -> None:
    latest = LatestPredictions(2)
    latest.add("a", [CAT, CAT])
    latest.add("a", [DOG])
    assert latest.get("a") == [DOG]
    assert len(latest) == 1


def test_what_is_taken_is_not_held_any_more() -> None:
    latest = LatestPredictions(5)
    latest.add("a", [CAT])
    latest.add("b", [DOG])
    assert latest.take() == [("a", [CAT]), ("b", [DOG])]
    assert latest.take() == []
    assert len(latest) == 0
