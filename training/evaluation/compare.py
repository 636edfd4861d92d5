"""Two artifacts, or two engines of one, on the same test images: which is better, and could it be chance?"""

import json
import math
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from torch import Tensor

from models.artifact.store import Artifact, ArtifactError
from training.evaluation.engines import files_read
from training.evaluation.measure import Measured

Z95 = 1.959963984540054
"""Quantile of the normal distribution for a two-sided interval of 95 %."""


@dataclass(frozen=True)
class PairedCounts:
    """Of the same images: how many both get right, only A, only B, neither."""

    both: int
    only_a: int
    only_b: int
    neither: int

    @classmethod
    def of(cls, right_a: Tensor, right_b: Tensor) -> "PairedCounts":
        """From two boolean tensors (N,): is the answer to this image right?"""
        both, only_a, only_b = (
            int(each.sum()) for each in (right_a & right_b, right_a & ~right_b, right_b & ~right_a)
        )
        return cls(both, only_a, only_b, len(right_a) - both - only_a - only_b)

    @property
    def images(self) -> int:
        return self.both + self.only_a + self.only_b + self.neither


@dataclass(frozen=True)
class Difference:
    """Accuracy of B minus that of A, as a share, with its 95 % interval and two-sided p-values."""

    difference: float
    low: float
    high: float
    p_exact: float
    p_mid: float


def mcnemar(only_a: int, only_b: int) -> tuple[float, float]:
    """Two-sided p-values, exact and mid-p, of McNemar's test that A and B are as often right.

    Only images on which they differ tell: each of those would fall to A or B like a fair coin.
    Mid-p counts the observed outcome half: it nearly always holds its level; the exact test is too strict.
    Sources: McNemar, Psychometrika 12, 1947; Fagerland, Lydersen, Laake, "The McNemar test for binary
    matched-pairs data: mid-p and asymptotic are better than exact conditional", BMC Medical Research
    Methodology 13:91, 2013, https://doi.org/10.1186/1471-2288-13-91.
    """
    differing = only_a + only_b
    if only_a == only_b:
        # The two tails overlap in the observed outcome, which then counts once in exact and half in mid-p.
        return 1.0, 1.0 - math.comb(differing, only_a) / 2 ** (differing + 1) if differing else 1.0
    tail = observed = 1
    for k in range(min(only_a, only_b)):
        observed = observed * (differing - k) // (k + 1)
        tail += observed
    # Whole numbers of any size are exact, and so is their quotient but for its last digit.
    return min(1.0, 2 * tail / 2**differing), (2 * tail - observed) / 2**differing


def wilson(right: int, images: int) -> tuple[float, float]:
    """The 95 % score interval of a share. Source: Wilson, JASA 22, 1927."""
    share, z2 = right / images, Z95**2
    centre = share + z2 / (2 * images)
    half = Z95 * math.sqrt(share * (1 - share) / images + z2 / (4 * images**2))
    return (centre - half) / (1 + z2 / images), (centre + half) / (1 + z2 / images)


def newcombe(counts: PairedCounts) -> tuple[float, float]:
    """The 95 % interval of the accuracy of B minus that of A, for the same images.

    Method 10 of Newcombe, "Improved confidence intervals for the difference between binomial proportions
    based on paired data", Statistics in Medicine 17, 1998: Wilson's intervals of both, less what they share.
    """
    n, both, neither = counts.images, counts.both, counts.neither
    right_a, right_b = both + counts.only_a, both + counts.only_b
    margins = right_a * right_b * (n - right_a) * (n - right_b)
    shared = both * neither - counts.only_a * counts.only_b
    corrected = max(shared - n / 2, 0.0) if shared > 0 else shared
    phi = corrected / math.sqrt(margins) if margins else 0.0
    (low_a, high_a), (low_b, high_b) = wilson(right_a, n), wilson(right_b, n)
    down_a, up_a = right_a / n - low_a, high_a - right_a / n
    down_b, up_b = right_b / n - low_b, high_b - right_b / n
    difference = (right_b - right_a) / n
    below = math.sqrt(max(0.0, down_b**2 - 2 * phi * down_b * up_a + up_a**2))
    above = math.sqrt(max(0.0, up_b**2 - 2 * phi * up_b * down_a + down_a**2))
    return difference - below, difference + above


def difference(counts: PairedCounts) -> Difference:
    """All that the counts tell of B against A. Raises `ValueError` where there are no images."""
    if counts.images == 0:
        raise ValueError("images: there must be at least 1 to compare on, got 0")
    low, high = newcombe(counts)
    p_exact, p_mid = mcnemar(counts.only_a, counts.only_b)
    return Difference((counts.only_b - counts.only_a) / counts.images, low, high, p_exact, p_mid)


@dataclass(frozen=True)
class Side:
    """One of the two. `bytes_on_disk` counts the files that its engine reads, `multiply_adds` one image."""

    name: str
    version: str
    engine: str
    accuracy: float
    negative_log_likelihood: float
    expected_calibration_error: float
    parameters: int
    bytes_on_disk: int
    multiply_adds: int
    training_seconds: float
    hardware: str
    same_data: bool


@dataclass(frozen=True)
class ClassComparison:
    """Accuracies of both on the `images` of one class, and their difference."""

    images: int
    accuracy_a: float
    accuracy_b: float
    difference: Difference


@dataclass(frozen=True)
class Comparison:
    """A and B side by side; every difference is B minus A."""

    a: Side
    b: Side
    counts: PairedCounts
    difference: Difference
    per_class: dict[str, ClassComparison]

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)


def require_same_classes(a: Artifact, b: Artifact) -> None:
    """Raise `ArtifactError` naming the classes that differ, for only like answers can be compared."""
    classes_a, classes_b = a.metadata.classes, b.metadata.classes
    if classes_a == classes_b:
        return
    known = [
        f"only {side} knows {', '.join(sorted(set(own) - set(other)))}"
        for side, own, other in (("A", classes_a, classes_b), ("B", classes_b, classes_a))
        if set(own) - set(other)
    ]
    told = "; ".join(known) or "the same ones in another order"
    raise ArtifactError(f"classes: A and B must know the same classes in the same order: {told}")


def compare(a: Measured, b: Measured) -> Comparison:
    """Compare two measurements on the same test images. Raises `ArtifactError` for differing classes."""
    require_same_classes(a.artifact, b.artifact)
    if not a.labels.equal(b.labels):
        raise ValueError("labels: A and B must be measured on the same test images")
    right_a, right_b = (each.logits.argmax(1) == each.labels for each in (a, b))
    per_class = {}
    for number, name in enumerate(a.artifact.metadata.classes):
        own = a.labels == number
        counts = PairedCounts.of(right_a[own], right_b[own])
        if counts.images:
            per_class[name] = ClassComparison(
                counts.images,
                (counts.both + counts.only_a) / counts.images,
                (counts.both + counts.only_b) / counts.images,
                difference(counts),
            )
    counts = PairedCounts.of(right_a, right_b)
    return Comparison(_side(a), _side(b), counts, difference(counts), per_class)


def _side(measured: Measured) -> Side:
    artifact, metadata, evaluation = measured.artifact, measured.artifact.metadata, measured.evaluation
    files, layers = files_read(artifact, measured.engine), artifact.facts.layers
    return Side(
        name=metadata.name,
        version=metadata.version,
        engine=measured.engine,
        accuracy=evaluation.accuracy,
        negative_log_likelihood=evaluation.negative_log_likelihood,
        expected_calibration_error=evaluation.expected_calibration_error,
        parameters=sum(layer.parameters for layer in layers),
        bytes_on_disk=sum((artifact.folder / name).stat().st_size for name in files),
        multiply_adds=sum(layer.multiply_adds for layer in layers),
        training_seconds=metadata.training_seconds,
        hardware=metadata.hardware,
        same_data=measured.same_data,
    )


def show(comparison: Comparison, console: Console) -> None:
    """Print the comparison as two tables, with what the numbers mean below."""
    a, b, overall = comparison.a, comparison.b, comparison.difference
    table = Table("", *(f"{s} {x.name} {x.version}, {x.engine}" for s, x in (("A", a), ("B", b))), "B - A")
    table.add_row("accuracy", f"{a.accuracy:.2%}", f"{b.accuracy:.2%}", points(overall))
    for label, field, form in (
        ("negative log-likelihood, nats", "negative_log_likelihood", ".4f"),
        ("expected calibration error", "expected_calibration_error", ".4f"),
        ("parameters", "parameters", ",.0f"),
        ("size on disk, MB", "bytes_on_disk", ",.2f"),
        ("multiply-adds an image, millions", "multiply_adds", ",.1f"),
        ("training, minutes", "training_seconds", ",.1f"),
    ):
        scale = {"bytes_on_disk": 1e6, "multiply_adds": 1e6, "training_seconds": 60.0}.get(field, 1.0)
        left, right = (getattr(side, field) / scale for side in (a, b))
        table.add_row(label, format(left, form), format(right, form), format(right - left, f"+{form}"))
    table.add_row("trained on", escape(a.hardware), escape(b.hardware), "")
    classes = Table("class", "images", "A", "B", "B - A, points (95 %)", "p, exact")
    for name, each in comparison.per_class.items():
        shares = (f"{share:.2%}" for share in (each.accuracy_a, each.accuracy_b))
        p = f"{each.difference.p_exact:.3g}"
        classes.add_row(escape(name), f"{each.images:,}", *shares, points(each.difference), p)
    console.print(table, classes, sep="\n")
    counts = comparison.counts
    console.print(
        f"of {counts.images:,} test images both get {counts.both:,} right, only A {counts.only_a:,}, "
        f"only B {counts.only_b:,}, neither {counts.neither:,}"
    )
    console.print(
        f"McNemar's test: p = {overall.p_exact:.3g} (exact), {overall.p_mid:.3g} (mid-p); "
        "those of the classes are not corrected for their number"
    )
    console.print("This tells of these test images, not of other seeds: another run of a recipe differs too.")
    for side, one in (("A", a), ("B", b)):
        if not one.same_data:
            console.print(f"the data set is not the one that {side} was trained on")


def points(value: Difference) -> str:
    """The difference in percentage points, with its interval."""
    return f"{value.difference * 100:+.2f} ({value.low * 100:+.2f} to {value.high * 100:+.2f})"
