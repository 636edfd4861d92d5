"""What a network or an engine makes of images: features and logits, as scores of unfamiliarity take them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from models.engines import Engine
from models.features import last_linear
from models.preprocessing.transform import Preprocessing
from models.unfamiliarity import Reference
from models.unfamiliarity.base import Floats
from models.unfamiliarity.stratified import stratified
from training.data.cifar10 import Split
from training.evaluation.batch_size import batch_size
from training.evaluation.outliers import PER_IMAGE, made_outliers


class Outputs(NamedTuple):
    """What the last linear layer takes, (N, D), and the logits, (N, K)."""

    features: Floats
    logits: Floats


Answer = Callable[[Tensor], Outputs]
"""Uint8 images (N, C, S, S) to their outputs."""
OUTLIER_SOURCES = 500
"""Training images that outliers are made of, two of each: twice as many detect others hardly better."""


def answer_of_engine(engine: Engine) -> Answer:
    """By what the service computes with."""

    def answer(images: Tensor) -> Outputs:
        batches = torch.split(images, engine.max_batch or batch_size(images))
        computed = [engine.predict_with_features(batch.cpu().numpy()) for batch in batches]
        logits, features = (np.concatenate(parts) for parts in zip(*computed, strict=True))
        return Outputs(features, logits)

    return answer


def answer_of_network(model: nn.Module, preprocessing: Preprocessing) -> Answer:
    """By `model`, in eval mode, in float32 on its device, where the images have to be too."""
    classifier = last_linear(model)

    @torch.inference_mode()
    def answer(images: Tensor) -> Outputs:
        features: list[Tensor] = []
        hook = classifier.register_forward_pre_hook(
            lambda _, inputs: features.append(inputs[0].float().cpu())
        )
        try:
            logits = [
                model(preprocessing.normalize(batch)).float().cpu()
                for batch in torch.split(images, batch_size(images))
            ]
        finally:
            hook.remove()
        return Outputs(torch.cat(features).numpy(), torch.cat(logits).numpy())

    return answer


def reference(answer: Answer, classifier: nn.Linear, train: Split, images: int) -> Reference:
    """What `answer` makes of so many training images, as many of each class, or of all where there are fewer.

    `classifier` is the network's last layer. The outliers are made of some of these images.
    """
    labels = train.labels.cpu().numpy()
    places = stratified(labels, images)
    outputs = answer(_images(train, places))
    sources = _images(train, stratified(labels, OUTLIER_SOURCES))
    bias = classifier.bias if classifier.bias is not None else torch.zeros(classifier.out_features)
    return Reference(
        outputs.features,
        outputs.logits,
        labels[places],
        classifier.weight.detach().float().cpu().numpy(),
        bias.detach().float().cpu().numpy(),
        answer(made_outliers(sources)).features,
    )


def outlier_count(train: Split) -> int:
    """Of how many outliers `reference` has the features."""
    return PER_IMAGE * min(OUTLIER_SOURCES, len(train))


def _images(train: Split, places: npt.NDArray[np.intp]) -> Tensor:
    return train.images[torch.from_numpy(places).to(train.images.device)]
