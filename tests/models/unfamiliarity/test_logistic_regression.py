import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression as Theirs
from sklearn.preprocessing import StandardScaler

from models.unfamiliarity.logistic_regression import PENALTY, LogisticRegression

RANDOM = np.random.default_rng(0)
KNOWN = (RANDOM.standard_normal((300, 5)) * [1, 10, 0.1, 1, 1]).astype(np.float32)
OTHERS = (RANDOM.standard_normal((40, 5)) * [1, 10, 0.1, 1, 1] + [1, 5, -0.1, 0, 3]).astype(np.float32)


def test_it_is_scikit_learns() -> None:
    values = np.concatenate([KNOWN, OTHERS])
    scaled = StandardScaler().fit(values)
    strength = 1 / (2 * PENALTY * len(values))
    theirs = Theirs(C=strength, class_weight="balanced", tol=1e-8, max_iter=1000)
    theirs.fit(scaled.transform(values), [0] * len(KNOWN) + [1] * len(OTHERS))
    expected = theirs.decision_function(scaled.transform(values))
    np.testing.assert_allclose(LogisticRegression.fit(KNOWN, OTHERS)(values), expected, atol=2e-3)


def test_what_cannot_be_told_apart_has_even_odds() -> None:
    odds = LogisticRegression.fit(KNOWN, KNOWN)(OTHERS)
    np.testing.assert_allclose(odds, 0, atol=1e-4)


def test_an_input_that_never_varies_counts_for_nothing() -> None:
    same = np.ones((5, 2), np.float32)
    fitted = LogisticRegression.fit(same, same)
    assert np.isfinite(fitted(np.zeros((1, 2), np.float32))).all()


@pytest.mark.parametrize(
    ("known", "others", "name"), [(KNOWN[:0], OTHERS, "known"), (KNOWN, OTHERS[:0], "others")]
)
def test_nothing_to_fit_to_is_refused(known: np.ndarray, others: np.ndarray, name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must hold at least 1 image"):
        LogisticRegression.fit(known, others)
