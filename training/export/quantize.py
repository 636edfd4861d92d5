"""The int8 network of a run, and the proof that it is as good as the float32 one, or none.

Source: Kozlov et al., "Neural Network Compression Framework for fast model inference", 2020,
https://arxiv.org/abs/2002.08679, by its implementation, NNCF.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from torch import Tensor, nn

from models.engines.base import Engine
from models.engines.conversion import convert
from models.engines.openvino_engine import OpenVinoEngine
from models.engines.openvino_ir import OpenVinoIR
from models.engines.quiet_openvino import openvino as ov
from models.preprocessing.transform import Preprocessing
from training.data.cifar10 import ImageData, Split
from training.evaluation.engines import engine_logits

if TYPE_CHECKING:
    import nncf

CALIBRATION_IMAGES = 300
CALIBRATION_SEED = 0
IMAGES_PER_LOST_ONE = 1000
"""int8 may get one image in so many fewer right than float32: 0.1 points of accuracy."""

Method = Literal["post-training", "accuracy-controlled"]
Image = NDArray[np.float32]
"""One normalised image, (1, C, S, S)."""
Sample = tuple[Image, int]
"""An image and its label."""


@dataclass(frozen=True)
class Quantized:
    """An int8 network that keeps the bound, as stored and as the service computes it.

    The accuracies are shares in 0..1 of the validation images.
    """

    ir: OpenVinoIR
    engine: Engine
    method: Method
    calibration_images: int
    held_out_accuracy: float
    held_out_accuracy_float32: float


def require_nncf() -> None:
    """Raise `ValueError` where NNCF, by which `quantize` works, is not installed."""
    if find_spec("nncf") is None:
        raise ValueError(
            "NNCF, which makes the int8 network, is not installed: pip install nncf, or export with --no-int8"
        )


def quantize(
    model: nn.Module,
    preprocessing: Preprocessing,
    data: ImageData,
    validation_logits: Tensor,
    *,
    name: str,
    console: Console,
) -> Quantized | None:
    """Round weights and activations of `model`, in eval mode on the CPU, to 8 bits, by the first fit method.

    The activations' ranges are those of training images. A method is fit if its network gets no more than one
    validation image in `IMAGES_PER_LOST_ONE` fewer right than `validation_logits`, (N, classes), the model's
    own in float32. Where no method is fit, or there is no validation set, the console says so, and the result
    is None.
    """
    validation = data.held_out
    if not len(validation):
        console.print("no int8: there is no validation set to judge it on")
        return None
    network = convert(model, preprocessing)
    calibration = calibration_images(data.train.images, preprocessing)
    inputs = Samples(validation, preprocessing)
    float32 = count_correct(validation_logits, validation)
    allowed = len(validation) // IMAGES_PER_LOST_ONE
    for method, quantize_by in METHODS.items():
        # NNCF makes and drops cores of its own. In a thread, that leaves this one's stack for signal handlers
        # alone: see `models.engines.quiet_openvino.CORE`.
        with ThreadPoolExecutor(max_workers=1) as thread:
            quantized = thread.submit(quantize_by, network, calibration, inputs, allowed).result()
        if not is_quantized(quantized):
            console.print(f"int8, {method}: no layer of the network is left in int8")
            continue
        ir = OpenVinoIR.of(quantized, name)
        engine = OpenVinoEngine(ir.network(), preprocessing, "int8", torch.get_num_threads())
        right = count_correct(engine_logits(engine, validation.images), validation)
        console.print(
            f"int8, {method}: {right:,} of {len(validation):,} validation images right, float32 {float32:,}"
        )
        if right >= float32 - allowed:
            accuracies = right / len(validation), float32 / len(validation)
            return Quantized(ir, engine, method, len(calibration), *accuracies)
    console.print(f"no int8: it may lose at most {allowed:,} of {len(validation):,} validation images")
    return None


def calibration_images(images: Tensor, preprocessing: Preprocessing) -> list[Image]:
    """`CALIBRATION_IMAGES` of the uint8 `images` (N, C, S, S), or all where there are fewer.

    The choice is always the same. Each is normalised as for serving, (1, C, S, S).
    """
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(CALIBRATION_SEED))
    chosen = images[order[:CALIBRATION_IMAGES].to(images.device)].cpu()
    return list(preprocessing.normalize(chosen).unsqueeze(1).numpy())


@dataclass(frozen=True)
class Samples:
    """All images of `split`, whose pixels are of the network's size, normalised as for serving.

    Each is normalised when it is asked for: in float32, all at once would need four times the split's memory.
    """

    split: Split
    preprocessing: Preprocessing

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> Sample:
        image = self.preprocessing.normalize(self.split.images[index : index + 1].cpu()).numpy()
        return image, int(self.split.labels[index])

    def __iter__(self) -> Iterator[Sample]:
        return map(self.__getitem__, range(len(self)))


def count_correct(logits: Tensor, split: Split) -> int:
    """How many images of `split` their logits (N, classes) get right."""
    return int((logits.cpu().argmax(1) == split.labels.cpu()).sum())


def is_quantized(network: ov.Model) -> bool:
    """Whether anything computes in int8: accuracy control may have turned every layer back to float32."""
    return any(operation.get_type_name() == "FakeQuantize" for operation in network.get_ops())


def first_convolution(network: ov.Model) -> list[str]:
    """The name of the convolution that sees the image, if there is one.

    It stays in float32: in int8 it alone cost a ResNet-18 at 32 px 0.5 points of accuracy, in float32 a batch
    of 32 takes 2 % longer and a single image no longer.
    """
    convolutions = (op for op in network.get_ordered_ops() if op.get_type_name() == "Convolution")
    return [op.get_friendly_name() for op in convolutions][:1]


def post_training(
    network: ov.Model, calibration: list[Image], _validation: Samples, _allowed: int
) -> ov.Model:
    """Every layer but the first in int8."""
    import nncf

    return nncf.quantize(
        network,
        nncf.Dataset(calibration),
        advanced_parameters=advanced_options(),
        **common_options(network, calibration),
    )


def accuracy_controlled(
    network: ov.Model, calibration: list[Image], validation: Samples, allowed: int
) -> ov.Model:
    """As `post_training`, then layer by layer back to float32 until `allowed` validation images are lost."""
    import nncf

    def count_right(compiled: ov.CompiledModel, items: Iterable[Sample]) -> tuple[float, None]:
        return float(sum(compiled(image)[0].argmax() == label for image, label in items)), None

    return nncf.quantize_with_accuracy_control(
        network,
        nncf.Dataset(calibration),
        nncf.Dataset(validation, lambda item: item[0]),
        validation_fn=count_right,
        max_drop=allowed,
        drop_type=nncf.DropType.ABSOLUTE,
        advanced_quantization_parameters=advanced_options(),
        advanced_accuracy_restorer_parameters=nncf.AdvancedAccuracyRestorerParameters(num_ranking_workers=1),
        **common_options(network, calibration),
    )


def common_options(network: ov.Model, calibration: list[Image]) -> dict[str, Any]:
    import nncf

    return {
        "preset": nncf.QuantizationPreset.PERFORMANCE,
        "subset_size": len(calibration),
        "ignored_scope": nncf.IgnoredScope(names=first_convolution(network)),
    }


def advanced_options() -> "nncf.AdvancedQuantizationParameters":
    """Without NNCF's fast correction of biases, which cost a ResNet-18 0.3 points of accuracy."""
    import nncf

    return nncf.AdvancedQuantizationParameters(disable_bias_correction=True)


METHODS: dict[Method, Callable[[ov.Model, list[Image], Samples, int], ov.Model]] = {
    "post-training": post_training,
    "accuracy-controlled": accuracy_controlled,
}
