"""The worst mistakes of a network: the wrong answers on the test set that it was surest of."""

from dataclasses import dataclass

from torch import Tensor

from training.data.cifar10 import Split
from training.report.thumbnail import thumbnail

SHOWN = 24


@dataclass(frozen=True)
class Mistake:
    """One wrong answer to the test image `number`, counted from 0; its `picture` is a thumbnail.

    `probability` is that of the answer, `true_probability` that of the true class, both calibrated, in 0..1.
    """

    number: int
    true_class: str
    answer: str
    probability: float
    true_probability: float
    picture: str


def worst_mistakes(
    logits: Tensor, test: Split, classes: tuple[str, ...], temperature: float, shown: int = SHOWN
) -> list[Mistake]:
    """The at most `shown` wrong answers of highest probability, from logits (N, classes)."""
    labels = test.labels.cpu()
    probabilities = (logits.double().cpu() / temperature).softmax(1)
    confidence, answers = probabilities.max(1)
    wrong = (answers != labels).nonzero().flatten()
    order = confidence[wrong].argsort(descending=True, stable=True)[:shown]
    return [
        Mistake(
            number=number,
            true_class=classes[int(labels[number])],
            answer=classes[int(answers[number])],
            probability=confidence[number].item(),
            true_probability=probabilities[number, labels[number]].item(),
            picture=thumbnail(test.images[number]),
        )
        for number in wrong[order].tolist()
    ]
