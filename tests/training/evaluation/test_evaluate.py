import pytest
import torch
from torch import nn
from torch.nn import functional as F

from models import create_model
from models.preprocessing.transform import Preprocessing
from training.evaluation.evaluate import evaluate, fit_temperature, predict

CLASSES = ("a", "b", "c")
PREPROCESSING = Preprocessing(
    input_size=20, in_channels=3, interpolation="bilinear", mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4)
)


def test_figures_of_a_case_worked_out_by_hand() -> None:
    probabilities = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.6, 0.3, 0.1], [0.2, 0.2, 0.6]])
    labels = torch.tensor([0, 1, 1, 2])
    result = evaluate(probabilities.log(), labels, CLASSES, temperature=1.0)
    assert result.images == 4
    assert result.accuracy == 0.75
    assert result.per_class_accuracy == {"a": 1.0, "b": 0.5, "c": 1.0}
    assert result.confusion == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]
    expected_loss = -torch.tensor([0.7, 0.8, 0.3, 0.6]).log().mean().item()
    assert result.negative_log_likelihood == pytest.approx(expected_loss, rel=1e-5)
    # Bins of 1/15: 0.6 falls twice into one bin (half right), 0.7 and 0.8 alone into theirs.
    expected_error = (abs(1 - 0.7) + abs(1 - 0.8) + 2 * abs(0.5 - 0.6)) / 4
    assert result.expected_calibration_error == pytest.approx(expected_error, abs=1e-6)
    assert sum(result.bin_share) == pytest.approx(1)


def test_a_class_without_images_counts_as_nothing_right() -> None:
    result = evaluate(torch.eye(3)[:2], torch.tensor([0, 1]), CLASSES, 1.0)
    assert result.per_class_accuracy == {"a": 1.0, "b": 1.0, "c": 0.0}


@pytest.mark.parametrize("truth", [0.4, 1.0, 3.0])
def test_the_fitted_temperature_is_the_true_one(truth: float) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(20_000, 5, generator=generator) * 2
    labels = torch.multinomial(logits.softmax(1), 1, generator=generator).squeeze(1)
    assert fit_temperature(logits * truth, labels) == pytest.approx(truth, rel=0.04)


def test_the_fitted_temperature_is_the_best_one() -> None:
    generator = torch.Generator().manual_seed(1)
    logits, labels = torch.randn(500, 4, generator=generator) * 3, torch.arange(500) % 4
    logits += 4 * F.one_hot(labels, 4)
    best = fit_temperature(logits, labels)
    losses = [F.cross_entropy(logits / (best * factor), labels).item() for factor in (0.9, 1.0, 1.1)]
    assert 0.05 < best < 20
    assert losses[1] == min(losses)


@pytest.mark.parametrize("images", [4, 60, 1000])
def test_without_a_wrong_answer_a_set_makes_no_network_surer_than_its_size_allows(images: int) -> None:
    logits = torch.randn(images, 2, generator=torch.Generator().manual_seed(0)) * 0.3
    labels = torch.arange(images) % 2
    logits += 2.5 * F.one_hot(labels, 2)
    assert (logits.argmax(1) == labels).all()
    confidence = (logits / fit_temperature(logits, labels)).softmax(1).amax(1).mean()
    assert 0.75 < confidence < (images + 1.5) / (images + 2)


def test_predict_uses_running_statistics_and_leaves_the_mode_alone() -> None:
    model = create_model("lenet", 3).train()
    images = torch.randint(0, 256, (7, 3, 20, 20)).to(torch.uint8)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    whole = predict(model, images, PREPROCESSING)
    singly = torch.cat([predict(model, image, PREPROCESSING) for image in torch.split(images, 1)])
    torch.testing.assert_close(whole, singly)
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    model.eval()
    predict(model, images, PREPROCESSING)
    assert not model.training


def test_predict_computes_few_large_images_at_once() -> None:
    sizes: list[int] = []

    class Recorder(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            sizes.append(len(images))
            return images.mean((2, 3))

    images = torch.randint(0, 256, (12, 3, 320, 320)).to(torch.uint8)
    logits = predict(Recorder(), images, PREPROCESSING)
    assert sizes == [5, 5, 2]
    torch.testing.assert_close(logits, PREPROCESSING.normalize(images).mean((2, 3)))


def test_predict_can_scale_the_images() -> None:
    class Size(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.tensor([[float(images.shape[2]), float(images.shape[3])]])

    images = torch.zeros(1, 3, 20, 20, dtype=torch.uint8)
    assert predict(Size(), images, PREPROCESSING, image_size=12).tolist() == [[12, 12]]
