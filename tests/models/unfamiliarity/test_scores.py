"""Every registered score, and each against an implementation from elsewhere."""

import numpy as np
import pytest
from scipy.special import logsumexp, softmax
from sklearn.covariance import EmpiricalCovariance
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from models.unfamiliarity import SCORES, Reference
from models.unfamiliarity.base import Floats
from models.unfamiliarity.nearest_neighbours import BANK
from models.unfamiliarity.nearest_neighbours import NearestNeighbours as Neighbours
from models.unfamiliarity.relative_mahalanobis import RelativeMahalanobis
from models.unfamiliarity.scale import Scale
from models.unfamiliarity.vim import Vim

CLASSES, DIMENSIONS = 4, 16
each_score = pytest.mark.parametrize("name", SCORES)


class Network:
    """Features of four classes, each around a direction of its own, and the classifier that tells them."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(0)
        self.centres = np.zeros((CLASSES, DIMENSIONS), np.float32)
        self.centres[np.arange(CLASSES), np.arange(CLASSES)] = 4
        self.weight = self.centres - self.centres.mean(axis=0)
        self.bias = np.array([-1.0, 0.5, 0.3, 0.2], np.float32)

    def logits(self, features: Floats) -> Floats:
        logits: Floats = features @ self.weight.T + self.bias
        return logits

    def known(self, n: int) -> tuple[Floats, np.ndarray]:
        labels = self.random.integers(CLASSES, size=n)
        noise = 0.3 * self.random.standard_normal((n, DIMENSIONS))
        return np.maximum(self.centres[labels] + noise, 0).astype(np.float32), labels

    def strange(self, n: int) -> Floats:
        """A little of every class, and much that no class has."""
        features = np.abs(self.random.standard_normal((n, DIMENSIONS))).astype(np.float32)
        features[:, :CLASSES] *= 0.5
        return features

    def reference(self, n: int = 400) -> Reference:
        features, labels = self.known(n)
        return self.reference_of(features, labels)

    def reference_of(self, features: Floats, labels: np.ndarray) -> Reference:
        """With outliers that are as unlike the strange images as these are unlike the known ones."""
        outliers = np.maximum(features.max() / 2 - features, 0)
        return Reference(features, self.logits(features), labels, self.weight, self.bias, outliers)


@each_score
def test_what_is_strange_scores_higher_than_what_is_known(name: str) -> None:
    network = Network()
    score = SCORES[name].fit(network.reference())
    known, strange = network.known(300)[0], network.strange(300)
    scores = [score(features, network.logits(features)) for features in (known, strange)]
    assert roc_auc_score([0] * 300 + [1] * 300, np.concatenate(scores)) > 0.9


@each_score
def test_a_stored_score_gives_the_same(name: str) -> None:
    network = Network()
    score = SCORES[name].fit(network.reference())
    stored = {key: np.asarray(array, np.float32) for key, array in score.arrays().items()}
    again = SCORES[name].from_arrays(stored)
    features = network.strange(20)
    assert np.array_equal(
        score(features, network.logits(features)), again(features, network.logits(features))
    )


@each_score
def test_an_images_score_does_not_depend_on_the_others(name: str) -> None:
    network = Network()
    score = SCORES[name].fit(network.reference())
    features = network.strange(8)
    together = score(features, network.logits(features))
    assert together.shape == (8,)
    for i in range(8):
        alone = score(features[i : i + 1], network.logits(features[i : i + 1]))
        np.testing.assert_allclose(alone, together[i : i + 1], rtol=1e-4, atol=1e-5)


@each_score
def test_features_of_nothing_but_zeros_have_a_score(name: str) -> None:
    network = Network()
    score = SCORES[name].fit(network.reference())
    nothing = np.zeros((1, DIMENSIONS), np.float32)
    assert np.isfinite(score(nothing, network.logits(nothing))).all()


@pytest.mark.filterwarnings("error")
@each_score
def test_one_known_image_of_each_class_is_enough(name: str) -> None:
    """Then no feature varies within a class."""
    network = Network()
    features = network.centres
    logits, labels = network.logits(features), np.arange(CLASSES)
    score = SCORES[name].fit(network.reference_of(features, labels))
    strange = network.strange(20)
    assert np.isfinite(score(strange, network.logits(strange))).all()
    assert np.isfinite(score(features, logits)).all()


def test_the_scores_of_logits_are_scipys() -> None:
    logits = (8 * np.random.default_rng(0).standard_normal((50, 7))).astype(np.float32)
    features = np.zeros((50, 1), np.float32)
    reference = Network().reference()
    expected = {
        "energy": -logsumexp(logits, axis=1),
        "max_softmax": 1 - softmax(logits, axis=1).max(axis=1),
        "max_logit": -logits.max(axis=1),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(SCORES[name].fit(reference)(features, logits), values, atol=1e-5)


def test_neighbours_are_scikit_learns() -> None:
    network = Network()
    reference = network.reference(BANK)
    features = network.strange(30)
    neighbours = NearestNeighbors(n_neighbors=10, metric="cosine").fit(reference.features)
    expected = neighbours.kneighbors(features)[0][:, -1]
    got = Neighbours.fit(reference)(features, network.logits(features))
    # The bank is kept in half precision.
    np.testing.assert_allclose(got, expected, atol=3e-4)


def test_of_many_known_images_a_part_is_kept() -> None:
    assert Neighbours.fit(Network().reference(BANK + 500)).bank.shape == (BANK, DIMENSIONS)


@pytest.mark.parametrize(("images", "neighbours"), [(CLASSES, 1), (20, 1), (40, 3), (120, 10), (400, 10)])
def test_where_few_images_of_a_class_are_known_fewer_neighbours_count(images: int, neighbours: int) -> None:
    """With ten of five a class, known images would be as far away as strange ones."""
    network = Network()
    labels = np.arange(images) % CLASSES
    noise = 0.3 * network.random.standard_normal((images, DIMENSIONS))
    features = np.maximum(network.centres[labels] + noise, 0).astype(np.float32)
    score = Neighbours.fit(network.reference_of(features, labels))
    assert score.neighbours.tolist() == [neighbours]
    known, strange = network.known(300)[0], network.strange(300)
    scores = [score(each, network.logits(each)) for each in (known, strange)]
    assert roc_auc_score([0] * 300 + [1] * 300, np.concatenate(scores)) > 0.9


def test_of_many_classes_five_images_each_are_kept() -> None:
    random, classes = np.random.default_rng(0), 300
    labels = np.arange(3000) % classes
    features = random.random((3000, DIMENSIONS)).astype(np.float32)
    weight = np.zeros((classes, DIMENSIONS), np.float32)
    logits, bias = np.zeros((3000, classes), np.float32), np.zeros(classes, np.float32)
    score = Neighbours.fit(Reference(features, logits, labels, weight, bias, features[:0]))
    assert score.bank.shape == (1500, DIMENSIONS)
    assert score.neighbours.tolist() == [1]


def test_of_itself_an_image_in_the_bank_is_no_neighbour() -> None:
    network = Network()
    reference = network.reference()
    neighbours = NearestNeighbors(n_neighbors=10, metric="cosine").fit(reference.features)
    expected = neighbours.kneighbors()[0][:, -1]
    np.testing.assert_allclose(Neighbours.fit(reference).of_bank(), expected, atol=4e-4)


def test_a_bank_of_an_older_version_counts_ten_neighbours() -> None:
    fitted = Neighbours.fit(Network().reference())
    assert Neighbours.from_arrays({"bank": fitted.bank}).neighbours.tolist() == [10]


def test_distances_are_those_of_scikit_learns_covariances() -> None:
    network = Network()
    reference = network.reference()
    features = network.strange(30)
    means = np.stack([reference.features[reference.labels == k].mean(axis=0) for k in range(CLASSES)])
    within = EmpiricalCovariance(assume_centered=True).fit(reference.features - means[reference.labels])
    overall = EmpiricalCovariance().fit(reference.features)
    by_class = np.stack([within.mahalanobis(features - mean) for mean in means])
    expected = by_class.min(axis=0) - overall.mahalanobis(features)
    got = RelativeMahalanobis.fit(reference)(features, network.logits(features))
    np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-2)


def test_virtual_logits_are_those_of_the_papers_code() -> None:
    """The steps of https://github.com/haoqiwang/vim, with scikit-learn's covariance."""
    network = Network()
    reference = network.reference()
    features = network.strange(30)
    origin = -np.matmul(np.linalg.pinv(network.weight), network.bias)
    covariance = EmpiricalCovariance(assume_centered=True).fit(reference.features - origin)
    values, vectors = np.linalg.eig(covariance.covariance_)
    space = vectors.T[np.argsort(values * -1)[DIMENSIONS // 2 :]].T
    lengths = np.linalg.norm(np.matmul(reference.features - origin, space), axis=-1)
    alpha = reference.logits.max(axis=-1).mean() / lengths.mean()
    virtual = np.linalg.norm(np.matmul(features - origin, space), axis=-1) * alpha
    expected = virtual - logsumexp(network.logits(features), axis=-1)
    np.testing.assert_allclose(
        Vim.fit(reference)(features, network.logits(features)), expected, rtol=1e-4, atol=1e-4
    )


def test_scaled_features_are_those_of_the_papers_formula() -> None:
    network = Network()
    features = network.strange(30)
    expected = []
    for row in features:
        largest = row[row >= np.percentile(row, 85)]
        scaled = row * np.exp(row.sum() / largest.sum())
        expected.append(-logsumexp(network.weight @ scaled + network.bias))
    got = Scale.fit(network.reference())(features, network.logits(features))
    np.testing.assert_allclose(got, expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("field", "shape"),
    [
        ("logits", (9, CLASSES)),
        ("labels", (9,)),
        ("weight", (CLASSES, 3)),
        ("bias", (CLASSES + 1,)),
        ("outliers", (3, 2)),
    ],
)
def test_shapes_that_do_not_belong_together_are_refused(field: str, shape: tuple[int, ...]) -> None:
    reference = Network().reference(8)
    values = {
        name: getattr(reference, name)
        for name in ("features", "logits", "labels", "weight", "bias", "outliers")
    }
    with pytest.raises(ValueError, match=f"^{field} must have shape"):
        Reference(**{**values, field: np.zeros(shape, values[field].dtype)})
