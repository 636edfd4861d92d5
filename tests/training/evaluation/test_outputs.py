from pathlib import Path

import numpy as np
import torch

from models.artifact.store import load_artifact
from models.features import last_linear
from models.preprocessing.transform import Preprocessing
from tests.support.tiny_run import tiny_data
from training.evaluation.engines import load_engine
from training.evaluation.outputs import answer_of_engine, answer_of_network, reference


def test_a_network_and_its_engines_give_the_same(exported: Path) -> None:
    artifact, images = load_artifact(exported), tiny_data().test.images
    preprocessing, classifier = Preprocessing.from_metadata(artifact.metadata), last_linear(artifact.model)
    own = answer_of_network(artifact.model, preprocessing)(images)
    with torch.inference_mode():
        expected = classifier(torch.from_numpy(own.features)).numpy()
    np.testing.assert_allclose(own.logits, expected, atol=1e-5)
    assert not classifier._forward_pre_hooks
    for name in ("torch", "openvino"):
        engine = load_engine(artifact, name, torch.device("cpu"))
        features, logits = answer_of_engine(engine)(images)
        np.testing.assert_allclose(features, own.features, atol=1e-4)
        np.testing.assert_allclose(logits, own.logits, atol=1e-4)


def test_a_reference_is_of_so_many_training_images(exported: Path) -> None:
    artifact, train = load_artifact(exported), tiny_data().train
    answer = answer_of_network(artifact.model, Preprocessing.from_metadata(artifact.metadata))
    classifier = last_linear(artifact.model)
    assert len(reference(answer, classifier, train, 1000).labels) == len(train)
    part = reference(answer, classifier, train, 7)
    assert part.features.shape == (7, classifier.in_features)
    assert part.outliers.shape == (2 * len(train), classifier.in_features)
    # Labels, features and logits are of the same images, whichever were drawn.
    whole = answer(train.images)
    for features, logits, label in zip(part.features, part.logits, part.labels, strict=True):
        (place,) = np.flatnonzero(np.isclose(whole.features, features, atol=1e-5).all(axis=1))
        np.testing.assert_allclose(whole.logits[place], logits, atol=1e-5)
        assert train.labels[place] == label
