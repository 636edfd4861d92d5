"""How good a network is: accuracy, per class, confusion and calibration, all from one set of logits."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.artifact.report import Evaluation
from models.preprocessing.transform import Preprocessing
from training.evaluation.batch_size import batch_size
from training.loop.device import autocast

CALIBRATION_BINS = 15
"""Equal bins of the highest probability."""


@torch.inference_mode()
def predict(
    model: nn.Module,
    images: Tensor,
    preprocessing: Preprocessing,
    dtype: torch.dtype = torch.float32,
    *,
    image_size: int | None = None,
) -> Tensor:
    """Logits (N, classes) float32 of uint8 `images` (N, C, H, W), batch norm in eval mode.

    `image_size` scales the normalised images first, to watch a run at the size it trains at. The model's mode
    is left as it was found.
    """
    was_training = model.training
    model.eval()
    logits = []
    for batch in torch.split(images, batch_size(images)):
        inputs = preprocessing.normalize(batch)
        if image_size is not None and inputs.shape[2:] != (image_size, image_size):
            inputs = F.interpolate(inputs, (image_size, image_size), mode="bilinear", antialias=True)
        with autocast(images.device, dtype):
            logits.append(model(inputs.contiguous(memory_format=torch.channels_last)).float())
    model.train(was_training)
    return torch.cat(logits)


def accuracy(logits: Tensor, labels: Tensor) -> float:
    """Share of right answers in 0..1, from logits (N, classes) and labels (N,)."""
    return (logits.argmax(1) == labels).double().mean().item()


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature T in 0.05..20 that makes softmax(logits / T) most likely, to four decimals.

    Each of the N labels counts as right with a probability of (N + 1) / (N + 2), not of 1. Otherwise T would
    go to 0, and every confidence to 1, where a small set has no wrong answer. A large set hardly changes.

    Sources: Guo et al., "On Calibration of Modern Neural Networks", 2017, https://arxiv.org/abs/1706.04599;
    Platt, "Probabilistic Outputs for Support Vector Machines", 1999, section 2.2, for the probability.
    """
    # Here, as every command would wait half a second for it.
    from scipy.optimize import minimize_scalar

    logits = logits.double()
    images, classes = logits.shape
    # Label smoothing leaves a label its own share of what it takes away.
    smoothing = classes / ((classes - 1) * (images + 2))

    def loss(log_temperature: float) -> float:
        scaled = logits / math.exp(log_temperature)
        return F.cross_entropy(scaled, labels, label_smoothing=smoothing).item()

    bounds = (math.log(0.05), math.log(20))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    return round(math.exp(found.x), 4)


def evaluate(logits: Tensor, labels: Tensor, classes: tuple[str, ...], temperature: float) -> Evaluation:
    """All figures from logits (N, classes) and labels (N,).

    The temperature divides the logits: it moves calibration, not accuracy.
    """
    logits, labels = logits.double().cpu(), labels.cpu()
    probabilities = (logits / temperature).softmax(1)
    confidence, predicted = probabilities.max(1)
    correct = (predicted == labels).double()
    pairs = labels * len(classes) + predicted
    confusion = torch.bincount(pairs, minlength=len(classes) ** 2).view(len(classes), len(classes))
    per_class = confusion.diagonal().double() / confusion.sum(1).clamp(min=1)

    bins = (confidence * CALIBRATION_BINS).long().clamp(max=CALIBRATION_BINS - 1)
    count = torch.bincount(bins, minlength=CALIBRATION_BINS).double()
    bin_confidence = torch.bincount(bins, confidence, CALIBRATION_BINS) / count.clamp(min=1)
    bin_accuracy = torch.bincount(bins, correct, CALIBRATION_BINS) / count.clamp(min=1)
    share = count / len(labels)
    return Evaluation(
        images=len(labels),
        accuracy=correct.mean().item(),
        negative_log_likelihood=F.cross_entropy(logits / temperature, labels).item(),
        expected_calibration_error=(share * (bin_confidence - bin_accuracy).abs()).sum().item(),
        per_class_accuracy=dict(zip(classes, per_class.tolist(), strict=True)),
        confusion=confusion.tolist(),
        bin_confidence=bin_confidence.tolist(),
        bin_accuracy=bin_accuracy.tolist(),
        bin_share=share.tolist(),
    )
