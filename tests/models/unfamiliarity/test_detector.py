import numpy as np
import pytest
from safetensors.numpy import save

from models.unfamiliarity import SCORES
from models.unfamiliarity.detector import KEPT, Detector, DetectorError, is_familiar
from tests.models.unfamiliarity.test_scores import Network


def fitted(name: str = "nearest_neighbours") -> tuple[Network, Detector]:
    network = Network()
    reference = network.reference()
    features, _ = network.known(1000)
    return network, Detector.fit(name, reference, features, network.logits(features))


@pytest.mark.parametrize("name", SCORES)
def test_so_many_known_images_are_familiar_and_hardly_a_strange_one(name: str) -> None:
    network, detector = fitted(name)
    known, strange = network.known(2000)[0], network.strange(500)
    of_known = detector.unfamiliarity(known, network.logits(known))
    of_strange = detector.unfamiliarity(strange, network.logits(strange))
    assert abs((of_known <= 0.95).mean() - 0.95) < 0.03
    assert (of_strange <= 0.95).mean() < 0.5
    assert ((of_known >= 0) & (of_known < 1)).all()


def test_few_images_to_set_the_threshold_on_call_no_more_known_ones_unfamiliar() -> None:
    network = Network()
    reference, known = network.reference(), network.known(2000)[0]
    logits, shares = network.logits(known), []
    for at in range(0, 2000, 20):
        few = slice(at, at + 20)
        detector = Detector.fit("max_softmax", reference, known[few], logits[few])
        shares.append((detector.unfamiliarity(known, logits) > 0.95).mean())
    assert abs(np.mean(shares) - 0.05) < 0.02


def test_it_rises_with_the_score_beyond_the_threshold_too() -> None:
    network, detector = fitted()
    features = np.concatenate([network.known(500)[0], network.strange(500)])
    logits = network.logits(features)
    order = np.argsort(detector.score(features, logits))
    values = detector.unfamiliarity(features, logits)[order]
    assert (np.diff(values) >= 0).all()
    beyond = values[values > 0.95]
    assert len(np.unique(beyond)) == len(beyond)


@pytest.mark.parametrize("name", SCORES)
def test_a_stored_detector_gives_the_same(name: str) -> None:
    network, detector = fitted(name)
    again = Detector.from_bytes(detector.to_bytes(), name)
    features = network.strange(20)
    logits = network.logits(features)
    assert np.array_equal(again.unfamiliarity(features, logits), detector.unfamiliarity(features, logits))


def test_a_damaged_detector_is_refused() -> None:
    content = fitted()[1].to_bytes()
    wrong_numbers = {"quantiles": np.full(96, np.nan, np.float32), "score.bank": np.ones((2, 3), np.float32)}
    for damaged, message in (
        (content[:50], "not readable"),
        (save({"quantiles": np.zeros(96, np.float32)}), "lacks 'bank'"),
        (save({"score.bank": np.ones((2, 3), np.float32)}), "lacks 'quantiles'"),
        (save(wrong_numbers), "numbers that it cannot have"),
        (save({**wrong_numbers, "quantiles": np.zeros(5, np.float32)}), "numbers that it cannot have"),
    ):
        with pytest.raises(DetectorError, match=message):
            Detector.from_bytes(damaged, "nearest_neighbours")
    with pytest.raises(DetectorError, match="lacks 'crystal_ball'"):
        Detector.from_bytes(content, "crystal_ball")


def test_familiar_is_up_to_the_threshold_and_not_beyond() -> None:
    assert is_familiar(0.0) is True
    assert is_familiar(KEPT) is True
    assert is_familiar(KEPT + 1e-6) is False
    assert is_familiar(None) is None
