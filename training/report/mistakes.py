"""The worst mistakes of a network: the wrong answers on the test set that it was surest of."""

from torch import Tensor

from models.artifact.report import Mistake
from training.data.cifar10 import Split
from training.report.thumbnail import thumbnail

SHOWN = 24


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
