from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from models.unfamiliarity.base import Floats
from models.unfamiliarity.nearest_neighbours import NearestNeighbours
from models.unfamiliarity.neighbours_and_probe import NeighboursAndProbe
from tests.models.unfamiliarity.test_scores import DIMENSIONS, Network


def test_outliers_show_what_the_distance_alone_does_not_tell() -> None:
    """Known images vary much in eight directions, and others differ a little in another one."""
    network = Network()

    def varied(features: Floats) -> Floats:
        features[:, 8:] += 6 * network.random.random((len(features), DIMENSIONS - 8)).astype(np.float32)
        return features

    def others(n: int) -> Floats:
        features = varied(network.known(n)[0])
        features[:, 5] += 0.8
        return features

    features, labels = network.known(400)
    reference = replace(network.reference_of(varied(features), labels), outliers=others(200))
    images = np.concatenate([varied(network.known(300)[0]), others(300)])
    is_other = np.repeat([0, 1], 300)
    by_distance = NearestNeighbours.fit(reference)(images, network.logits(images))
    by_both = NeighboursAndProbe.fit(reference)(images, network.logits(images))
    assert roc_auc_score(is_other, by_distance) < 0.7
    assert roc_auc_score(is_other, by_both) > 0.97


def test_outliers_that_look_like_known_images_change_little() -> None:
    """As upside-down images would of a subject that has no top."""
    network = Network()
    reference = replace(network.reference(), outliers=network.known(400)[0])
    score = NeighboursAndProbe.fit(reference)
    known, strange = network.known(300)[0], network.strange(300)
    scores = np.concatenate([score(each, network.logits(each)) for each in (known, strange)])
    assert roc_auc_score([0] * 300 + [1] * 300, scores) > 0.9


def test_without_outliers_there_is_nothing_to_fit() -> None:
    reference = Network().reference()
    with pytest.raises(ValueError, match="outliers must hold at least 1 image"):
        NeighboursAndProbe.fit(replace(reference, outliers=reference.outliers[:0]))
