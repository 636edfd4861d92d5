"""Whether what is served still looks like what the model was measured on: shares in a window, as metrics.

Of each image it keeps the numbers of a few bins, and nothing of its pixels.
"""

import math
import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic

import numpy as np
import numpy.typing as npt
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from models.artifact.reference import CONFIDENCE_EDGES, Reference
from models.image_statistics import BRIGHTNESS_EDGES, SHARPNESS_EDGES, brightness_and_sharpness
from models.unfamiliarity.detector import KEPT

MAX_LABELS = 100
"""Of classes, in metrics: of more, the most frequent ones of the reference, and all others as one."""

OTHERS = "(others)"

PUBLISH_SECONDS = 1.0
"""How often a process that is sent images writes down where it stands, for the others to read."""

UNFAMILIAR = (KEPT, 1 - KEPT)
"""Shares of familiar and unfamiliar images among those that were held out, by the threshold's definition."""


class DriftMetrics:
    """The metrics of all models in one process. `registry` is None where they add up over processes."""

    def __init__(self, registry: CollectorRegistry | None) -> None:
        labels = ["name", "version"]
        self.predictions = Counter(
            "resnet_serve_predictions_total",
            f"Images by predicted class; with more than {MAX_LABELS} classes, rare ones are `{OTHERS}`.",
            [*labels, "label"],
            registry=registry,
        )
        self.confidence = Histogram(
            "resnet_serve_confidence",
            "Probability of the predicted class.",
            labels,
            buckets=CONFIDENCE_EDGES,
            registry=registry,
        )
        self.brightness = Histogram(
            "resnet_serve_image_brightness",
            "Mean of an image's grey values as the network sees it, from 0, black, to 1, white.",
            labels,
            buckets=BRIGHTNESS_EDGES,
            registry=registry,
        )
        self.sharpness = Histogram(
            "resnet_serve_image_sharpness",
            "Variance of the Laplacian of an image's grey values as the network sees it.",
            labels,
            buckets=SHARPNESS_EDGES,
            registry=registry,
        )
        self.distance = Gauge(
            "resnet_serve_drift_distance",
            "Total variation distance, 0 to 1, of the latest images from the model's reference; 0 until"
            " there are as many as the window holds. With several workers, the largest of theirs.",
            [*labels, "feature"],
            multiprocess_mode="livemax",
            registry=registry,
        )
        self._monitors: set[DriftMonitor] = set()

    def add(self, monitor: "DriftMonitor") -> None:
        self._monitors = {*self._monitors, monitor}

    def remove(self, monitor: "DriftMonitor") -> None:
        """Of a model that is not served any more."""
        self._monitors = self._monitors - {monitor}
        monitor.clear()

    def publish(self) -> None:
        for monitor in self._monitors:
            monitor.publish()


class Window:
    """Counts of one feature's bins among the latest `size` images, beside the reference's shares."""

    def __init__(self, shares: Sequence[float], size: int) -> None:
        self._shares = list(shares)
        self._counts = [0] * len(self._shares)
        self._latest: deque[int] = deque()
        self._size = size

    def add(self, number: int) -> None:
        """Count an image in the bin of this number, and forget the one that is too old by now."""
        if len(self._latest) == self._size:
            self._counts[self._latest.popleft()] -= 1
        self._latest.append(number)
        self._counts[number] += 1

    def distance(self) -> float:
        """Half the sum of the differences between both shares: 0 where they agree, and until it is full."""
        if len(self._latest) < self._size:
            return 0.0
        pairs = zip(self._counts, self._shares, strict=True)
        return sum(abs(count / self._size - share) for count, share in pairs) / 2


class DriftMonitor:
    """Watches one served model over its latest `size` images. Every method may be called from any thread.

    `clock` gives seconds.
    """

    def __init__(
        self,
        name: str,
        version: str,
        reference: Reference,
        metrics: DriftMetrics,
        size: int,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._published = -PUBLISH_SECONDS
        self._is_cleared = False
        labels, self._label_of, shares = _grouped(reference.classes)
        self._predictions = [metrics.predictions.labels(name, version, label) for label in labels]
        self._windows = {"class": Window(shares, size), "unfamiliar": Window(UNFAMILIAR, size)}
        self._measured: list[tuple[Histogram, tuple[float, ...], Window]] = []
        for feature, histogram, spread in (
            ("confidence", metrics.confidence, reference.confidence),
            ("brightness", metrics.brightness, reference.brightness),
            ("sharpness", metrics.sharpness, reference.sharpness),
        ):
            window = self._windows[feature] = Window(spread.shares, size)
            self._measured.append((histogram.labels(name, version), spread.edges, window))
        self._distances = {
            feature: metrics.distance.labels(name, version, feature) for feature in self._windows
        }
        metrics.add(self)

    def observe(
        self,
        images: npt.NDArray[np.uint8 | np.float32],
        classes: Sequence[int],
        confidence: Sequence[float],
        unfamiliar: Sequence[bool] | None = None,
    ) -> None:
        """Take in a batch: `images` (N, C, S, S) of the network's size, uint8 or float32 in 0..1.

        `classes` are the most probable ones by number, `confidence` their probabilities, `unfamiliar` which
        of the images are, where the model tells.
        """
        brightness, sharpness = brightness_and_sharpness(images)
        rows = zip(classes, confidence, brightness.tolist(), sharpness.tolist(), strict=True)
        with self._lock:
            for index, *values in rows:
                if not all(map(math.isfinite, values)):
                    continue  # nothing of an overflow can be compared
                label = self._label_of[index]
                self._predictions[label].inc()
                self._windows["class"].add(label)
                for value, (histogram, edges, window) in zip(values, self._measured, strict=True):
                    histogram.observe(value)
                    window.add(bisect_left(edges, value))
            for each in unfamiliar or ():
                self._windows["unfamiliar"].add(int(each))
        if self._clock() - self._published >= PUBLISH_SECONDS:
            self.publish()

    def publish(self) -> None:
        """Set the gauges to how things stand; no more after `clear`, for requests that end later."""
        self._published = self._clock()
        with self._lock:
            if self._is_cleared:
                return
            for feature, window in self._windows.items():
                self._distances[feature].set(window.distance())

    def clear(self) -> None:
        """Say nothing any more."""
        with self._lock:
            self._is_cleared = True
            for gauge in self._distances.values():
                gauge.set(0)


def _grouped(shares: dict[str, float]) -> tuple[list[str], list[int], list[float]]:
    """Labels, at most `MAX_LABELS`; the number of the label of each class; the share of each label."""
    names = list(shares)
    if len(names) <= MAX_LABELS:
        return names, list(range(len(names))), list(shares.values())
    frequent = sorted(range(len(names)), key=lambda index: -shares[names[index]])[: MAX_LABELS - 1]
    label_of = [len(frequent)] * len(names)
    for label, index in enumerate(frequent):
        label_of[index] = label
    kept = [shares[names[index]] for index in frequent]
    return [*(names[index] for index in frequent), OTHERS], label_of, [*kept, max(0.0, 1 - sum(kept))]
