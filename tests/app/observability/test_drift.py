"""Drift is seen in a window of the latest images, per feature, and nothing of the images stays."""

import gc
import math
import weakref

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import softmax

from app.observability import drift
from app.observability.drift import DriftMonitor
from app.observability.metrics import ServiceMetrics
from models.artifact.reference import Reference, Spread, measure_reference
from tests.support.exposition import samples

CLASSES = ("cat", "dog")
EVEN = Spread(edges=(0.5,), shares=(0.5, 0.5))


def _reference() -> Reference:
    return Reference(
        images=10, classes={"cat": 0.5, "dog": 0.5}, confidence=EVEN, brightness=EVEN, sharpness=EVEN
    )


def _grey(*values: int) -> npt.NDArray[np.uint8]:
    return np.stack([np.full((3, 8, 8), value, np.uint8) for value in values])


def _monitor(metrics: ServiceMetrics, size: int = 4, reference: Reference | None = None) -> DriftMonitor:
    return DriftMonitor("lenet", "1", reference or _reference(), metrics.drift, size)


def _read(metrics: ServiceMetrics) -> dict[str, float]:
    return samples(metrics.exposition().decode())


def _distances(metrics: ServiceMetrics) -> dict[str, float]:
    read = _read(metrics)
    features = ("class", "confidence", "brightness", "sharpness", "unfamiliar")
    return {
        feature: read[f'resnet_serve_drift_distance{{feature="{feature}",name="lenet",version="1"}}']
        for feature in features
    }


def test_images_like_the_reference_are_at_no_distance() -> None:
    metrics = ServiceMetrics()
    _monitor(metrics).observe(_grey(10, 10, 250, 250), [0, 1, 0, 1], [0.4, 0.9, 0.4, 0.9])
    distances = _distances(metrics)
    assert distances.pop("sharpness") == 0.5  # all are even, and so in one of two equal bins
    assert set(distances.values()) == {0}


def test_each_feature_has_its_own_distance() -> None:
    metrics = ServiceMetrics()
    _monitor(metrics).observe(_grey(10, 10, 10, 250), [0, 0, 0, 0], [0.4, 0.9, 0.4, 0.9])
    distances = _distances(metrics)
    assert (distances["class"], distances["confidence"], distances["brightness"]) == (0.5, 0, 0.25)


def test_nothing_is_said_before_the_window_is_full() -> None:
    metrics = ServiceMetrics()
    monitor = _monitor(metrics)
    monitor.observe(_grey(10, 10, 10), [0, 0, 0], [0.4, 0.4, 0.4])
    assert set(_distances(metrics).values()) == {0}
    monitor.observe(_grey(10), [0], [0.4])
    assert _distances(metrics)["class"] == 0.5


def test_only_the_latest_images_count() -> None:
    metrics = ServiceMetrics()
    monitor = _monitor(metrics)
    monitor.observe(_grey(*[10] * 9), [0] * 9, [0.4] * 9)
    assert _distances(metrics)["brightness"] == 0.5
    monitor.observe(_grey(250, 250), [1, 1], [0.9, 0.9])
    assert _distances(metrics)["brightness"] == 0
    monitor.observe(_grey(250, 250), [1, 1], [0.9, 0.9])
    assert _distances(metrics)["brightness"] == 0.5


def test_unfamiliar_images_are_compared_with_the_share_that_the_threshold_leaves() -> None:
    metrics = ServiceMetrics()
    monitor = _monitor(metrics)
    monitor.observe(_grey(10, 10, 10, 10), [0] * 4, [0.4] * 4, [True, False, True, False])
    assert _distances(metrics)["unfamiliar"] == pytest.approx(0.45)


def test_histograms_and_classes_are_counted_from_the_first_image_on() -> None:
    metrics = ServiceMetrics()
    _monitor(metrics).observe(_grey(51, 204), [0, 1], [0.55, 1.0])
    read = _read(metrics)
    of_model = 'name="lenet",version="1"'
    assert read[f'resnet_serve_predictions_total{{label="dog",{of_model}}}'] == 1
    assert read[f'resnet_serve_confidence_bucket{{le="0.6",{of_model}}}'] == 1
    assert read[f"resnet_serve_confidence_count{{{of_model}}}"] == 2
    assert read[f"resnet_serve_image_brightness_sum{{{of_model}}}"] == pytest.approx(1.0)
    assert read[f'resnet_serve_image_sharpness_bucket{{le="0.0001",{of_model}}}'] == 2


def test_an_image_whose_answer_is_no_number_is_passed_over() -> None:
    metrics = ServiceMetrics()
    monitor = _monitor(metrics, size=1)
    monitor.observe(_grey(10), [0], [float("nan")])
    monitor.observe(np.full((1, 3, 8, 8), np.inf, np.float32), [0], [0.5])
    read = _read(metrics)
    assert read['resnet_serve_confidence_count{name="lenet",version="1"}'] == 0
    assert set(_distances(metrics).values()) == {0}


def test_images_of_both_types_are_as_bright() -> None:
    metrics = ServiceMetrics()
    monitor = _monitor(metrics)
    monitor.observe(_grey(255), [0], [0.5])
    monitor.observe(np.ones((1, 3, 8, 8), np.float32), [1], [0.5])
    assert _read(metrics)['resnet_serve_image_brightness_sum{name="lenet",version="1"}'] == pytest.approx(2)


def test_of_many_classes_the_rare_ones_share_a_label(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift, "MAX_LABELS", 3)
    shares = {"a": 0.1, "b": 0.4, "c": 0.15, "d": 0.35}
    reference = _reference().model_copy(update={"classes": shares})
    metrics = ServiceMetrics()
    monitor = _monitor(metrics, size=20, reference=reference)
    classes = [0] * 2 + [1] * 8 + [2] * 3 + [3] * 7
    monitor.observe(_grey(*[10] * 20), classes, [0.4] * 20)
    read = _read(metrics)
    counted = {
        label: read.get(f'resnet_serve_predictions_total{{label="{label}",name="lenet",version="1"}}')
        for label in (*shares, drift.OTHERS)
    }
    assert counted == {"a": None, "b": 8, "c": None, "d": 7, "(others)": 5}
    assert _distances(metrics)["class"] == pytest.approx(0)


def test_a_model_that_is_not_served_any_more_says_nothing() -> None:
    metrics = ServiceMetrics()
    monitor = _monitor(metrics)
    monitor.observe(_grey(10, 10, 10, 10), [0] * 4, [0.4] * 4)
    assert _distances(metrics)["class"] == 0.5
    metrics.drift.remove(monitor)
    assert set(_distances(metrics).values()) == {0}
    # A request that still runs is answered, and its batch watched.
    monitor._published = -math.inf
    monitor.observe(_grey(10, 10, 10, 10), [0] * 4, [0.4] * 4)
    assert set(_distances(metrics).values()) == {0}


def test_the_held_out_images_themselves_have_not_drifted() -> None:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (50, 3, 16, 16), np.uint8)
    logits = generator.standard_normal((50, 2), np.float32)
    metrics = ServiceMetrics()
    monitor = _monitor(metrics, size=50, reference=measure_reference(images, logits, CLASSES, 1.0))
    probabilities = softmax(logits.astype(np.float64), axis=1)
    monitor.observe(images, probabilities.argmax(1).tolist(), probabilities.max(1).tolist())
    assert set(_distances(metrics).values()) == {0}


def test_nothing_of_an_image_is_kept() -> None:
    metrics = ServiceMetrics()
    monitor = _monitor(metrics)
    images = _grey(10)
    watched = weakref.ref(images)
    monitor.observe(images, [0], [0.5])
    del images
    gc.collect()
    assert watched() is None
