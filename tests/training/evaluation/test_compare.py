import json
from dataclasses import replace
from io import StringIO
from math import comb, sqrt
from pathlib import Path

import pytest
import torch
from rich.console import Console

from models.artifact.metadata import MODEL_FILE
from models.artifact.save import save_artifact
from models.artifact.store import ArtifactError, load_artifact
from tests.support.small_model import DESCRIPTION, lenet
from tests.training.evaluation.test_measure import CPU, noise
from training.evaluation.compare import (
    PairedCounts,
    compare,
    difference,
    mcnemar,
    newcombe,
    require_same_classes,
    show,
    wilson,
)
from training.evaluation.measure import Measured, measure


@pytest.mark.parametrize(
    ("only_a", "only_b", "exact", "mid"),
    [
        (0, 0, 1.0, 1.0),
        (1, 0, 1.0, 0.5),
        (0, 5, 2 / 32, 1 / 32),
        (2, 8, 2 * (1 + 10 + 45) / 1024, (2 * (1 + 10 + 45) - 45) / 1024),
        (3, 3, 1.0, 1 - 20 / 64 / 2),
    ],
)
def test_mcnemar_as_worked_out_by_hand(only_a: int, only_b: int, exact: float, mid: float) -> None:
    assert mcnemar(only_a, only_b) == pytest.approx((exact, mid), rel=1e-12)
    assert mcnemar(only_b, only_a) == mcnemar(only_a, only_b)


def test_mcnemar_adds_up_every_outcome_that_is_no_likelier() -> None:
    for n in range(1, 25):
        chances = [comb(n, k) / 2**n for k in range(n + 1)]
        for k in range(n + 1):
            expected = sum(chance for chance in chances if chance <= chances[k] * (1 + 1e-9))
            assert mcnemar(k, n - k)[0] == pytest.approx(expected)


def test_mcnemar_holds_where_powers_of_two_no_longer_fit_a_float() -> None:
    exact, mid = mcnemar(2_400, 2_600)
    # The normal approximation with and without the correction for continuity.
    assert exact == pytest.approx(0.00489, rel=0.02)
    assert 0.0046 < mid < exact


def test_wilson_of_81_in_263() -> None:
    """A textbook's example: Newcombe, "Two-sided confidence intervals for the single proportion", 1998."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_newcombe_of_uncorrelated_answers_adds_the_two_half_widths_in_squares() -> None:
    counts = PairedCounts(both=25, only_a=25, only_b=25, neither=25)
    low, high = wilson(50, 100)
    half = sqrt((0.5 - low) ** 2 + (high - 0.5) ** 2)
    assert newcombe(counts) == pytest.approx((-half, half))


def test_newcombe_of_a_published_case() -> None:
    """36 pairs agree, 12 and 2 differ: the example of the method's paper, with its limits."""
    low, high = newcombe(PairedCounts(both=36, only_a=2, only_b=12, neither=0))
    assert (low, high) == pytest.approx((0.0569, 0.3404), abs=5e-5)


def test_newcombe_of_correlated_answers_worked_out_by_hand() -> None:
    # 100 images: both 80, only A 4, only B 6, neither 10: A 84 right, B 86.
    low_a, high_a = wilson(84, 100)
    low_b, high_b = wilson(86, 100)
    phi = (80 * 10 - 4 * 6 - 50) / sqrt(84 * 16 * 86 * 14)
    below = sqrt((0.86 - low_b) ** 2 - 2 * phi * (0.86 - low_b) * (high_a - 0.84) + (high_a - 0.84) ** 2)
    above = sqrt((high_b - 0.86) ** 2 - 2 * phi * (high_b - 0.86) * (0.84 - low_a) + (0.84 - low_a) ** 2)
    counts = PairedCounts(both=80, only_a=4, only_b=6, neither=10)
    assert newcombe(counts) == pytest.approx((0.02 - below, 0.02 + above))
    swapped = newcombe(PairedCounts(both=80, only_a=6, only_b=4, neither=10))
    assert swapped == pytest.approx((-0.02 - above, -0.02 + below))


def test_no_images_are_refused() -> None:
    with pytest.raises(ValueError, match="images: there must be at least 1"):
        difference(PairedCounts(0, 0, 0, 0))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    folder = tmp_path_factory.mktemp("small") / "1"
    save_artifact(folder, lenet(), DESCRIPTION, {})
    return measure(load_artifact(folder), "torch", noise(), CPU)


def answering(measured: Measured, answers: list[int]) -> Measured:
    logits = torch.nn.functional.one_hot(torch.tensor(answers), 3).float()
    return replace(measured, logits=logits)


def test_two_networks_whose_answers_are_known(small: Measured) -> None:
    # Of the labels 0 1 2 0 1 2 ..., A misses the first 0 and B the last two, 1 and 2.
    a = answering(small, [1, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2])
    b = answering(small, [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 0, 0])
    result = compare(a, b)
    assert result.counts == PairedCounts(both=9, only_a=2, only_b=1, neither=0)
    assert result.difference.difference == pytest.approx(-1 / 12)
    assert result.difference.low < -1 / 12 < result.difference.high
    assert result.difference.p_exact == 1.0
    classes = {name: (each.accuracy_a, each.accuracy_b) for name, each in result.per_class.items()}
    assert classes == {"cat": (0.75, 1.0), "dog": (1.0, 0.75), "frog": (1.0, 0.75)}
    assert [each.images for each in result.per_class.values()] == [4, 4, 4]


def test_a_side_tells_what_the_model_costs(small: Measured) -> None:
    side = compare(small, small).a
    model = small.artifact.model
    assert side.parameters == sum(p.numel() for p in model.parameters())
    assert side.bytes_on_disk == (small.artifact.folder / MODEL_FILE).stat().st_size
    assert side.multiply_adds > 10_000
    assert (side.training_seconds, side.hardware) == (1.5, "2 CPU cores")


def test_one_artifact_is_compared_with_itself_by_another_engine(small: Measured) -> None:
    result = compare(small, measure(small.artifact, "openvino", noise(), CPU))
    assert (result.a.engine, result.b.engine) == ("torch", "openvino")
    assert result.counts.only_a == result.counts.only_b == 0
    assert (result.difference.difference, result.difference.p_exact) == (0, 1)


def test_the_comparison_is_printed_and_given_as_json(small: Measured) -> None:
    result = compare(small, answering(small, [0] * 12))
    shown = StringIO()
    show(result, Console(file=shown, width=200))
    text = shown.getvalue()
    for expected in ("A small 1, torch", "accuracy", "33.33%", "multiply-adds an image", "frog", "McNemar"):
        assert expected in text
    assert "the data set is not the one that A was trained on" in text
    values = json.loads(result.to_json())
    assert values["counts"]["both"] == result.counts.both
    assert values["per_class"]["cat"]["difference"]["p_mid"] == result.per_class["cat"].difference.p_mid


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        (("cat", "dog", "horse"), "only A knows frog; only B knows horse"),
        (("dog", "cat", "frog"), "the same ones in another order"),
    ],
)
def test_other_classes_are_refused_by_name(
    small: Measured, tmp_path: Path, classes: tuple[str, ...], said: str
) -> None:
    metrics = DESCRIPTION.metrics.model_copy(update={"per_class_accuracy": dict.fromkeys(classes, 0.5)})
    other = DESCRIPTION.model_copy(update={"classes": classes, "metrics": metrics})
    save_artifact(tmp_path / "other", lenet(), other, {})
    with pytest.raises(ArtifactError, match=said):
        require_same_classes(small.artifact, load_artifact(tmp_path / "other"))


def test_other_images_are_refused(small: Measured) -> None:
    with pytest.raises(ValueError, match="must be measured on the same test images"):
        compare(small, replace(small, labels=small.labels.flip(0)))
