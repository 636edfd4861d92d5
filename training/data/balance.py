"""How much an image of each class counts, where classes are unequal."""

import torch
from torch import Tensor

from training.data.cifar10 import ImageData


def class_weights(data: ImageData) -> Tensor:
    """Weights (classes,) float32 on the data's device, N / (classes × images of the class) of the training
    images: their mean over the images is 1.

    Source: King and Zeng, "Logistic Regression in Rare Events Data", 2001,
    https://doi.org/10.1093/oxfordjournals.pan.a004868; scikit-learn calls it "balanced".
    """
    labels, classes = data.train.labels, len(data.classes)
    counts = torch.zeros(classes, device=labels.device).scatter_add_(
        0, labels, torch.ones_like(labels).float()
    )
    return len(labels) / (classes * counts)
