import pytest
import torch

from training.data.cifar10 import Split
from training.report.mistakes import worst_mistakes
from training.report.thumbnail import decode_thumbnail

CLASSES = ("a", "b", "c")


def test_the_surest_wrong_answers_come_first() -> None:
    probabilities = torch.tensor([[0.6, 0.3, 0.1], [0.9, 0.1, 0.0], [0.1, 0.2, 0.7], [0.2, 0.8, 0.0]]) + 1e-9
    images = torch.arange(4, dtype=torch.uint8).view(4, 1, 1, 1).expand(4, 3, 2, 2) * 20
    test = Split(images, torch.tensor([1, 0, 1, 2]))
    found = worst_mistakes(probabilities.log(), test, CLASSES, temperature=1.0)
    assert [(m.number, m.true_class, m.answer) for m in found] == [
        (3, "c", "b"),
        (2, "b", "c"),
        (0, "b", "a"),
    ]
    assert [m.probability for m in found] == pytest.approx([0.8, 0.7, 0.6], abs=1e-6)
    assert [m.true_probability for m in found] == pytest.approx([0.0, 0.2, 0.3], abs=1e-6)
    assert decode_thumbnail(found[0].picture).getpixel((0, 0)) == (60, 60, 60)
    assert worst_mistakes(probabilities.log(), test, CLASSES, 1.0, shown=1) == found[:1]


def test_the_temperature_calibrates_the_probabilities() -> None:
    test = Split(torch.zeros(1, 1, 2, 2, dtype=torch.uint8), torch.tensor([1]))
    (mistake,) = worst_mistakes(torch.tensor([[4.0, 0.0, 0.0]]), test, CLASSES, temperature=2.0)
    assert mistake.probability == pytest.approx(torch.tensor([2.0, 0.0, 0.0]).softmax(0)[0].item())


def test_a_faultless_network_has_none() -> None:
    test = Split(torch.zeros(3, 1, 2, 2, dtype=torch.uint8), torch.arange(3))
    assert worst_mistakes(torch.eye(3), test, CLASSES, 1.0) == []
