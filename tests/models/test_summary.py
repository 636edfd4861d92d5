"""The summary: shapes of the lesson, parameters of PyTorch, multiply-adds counted by hand and by PyTorch."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from models import ARCHITECTURES, create_model
from models.layers import LayerSummary
from models.summary import summarize


def on_meta(name: str, num_classes: int = 10, in_channels: int = 3) -> nn.Module:
    with torch.device("meta"):
        return create_model(name, num_classes, in_channels)


def test_resnet18_has_the_lessons_shapes() -> None:
    layers = summarize(on_meta("resnet18", in_channels=1), (1, 224, 224))
    assert [(layer.name, layer.kind, layer.output_shape) for layer in layers] == [
        ("stem", "Stem", (64, 56, 56)),
        ("stages.0.0", "Residual", (64, 56, 56)),
        ("stages.0.1", "Residual", (64, 56, 56)),
        ("stages.1.0", "Residual", (128, 28, 28)),
        ("stages.1.1", "Residual", (128, 28, 28)),
        ("stages.2.0", "Residual", (256, 14, 14)),
        ("stages.2.1", "Residual", (256, 14, 14)),
        ("stages.3.0", "Residual", (512, 7, 7)),
        ("stages.3.1", "Residual", (512, 7, 7)),
        ("pool", "AdaptiveAvgPool2d", (512, 1, 1)),
        ("flatten", "Flatten", (512,)),
        ("classifier", "Linear", (10,)),
    ]


def test_parameters_and_multiply_adds_are_those_counted_by_hand() -> None:
    layers = {layer.name: layer for layer in summarize(on_meta("resnet18", in_channels=1), (1, 224, 224))}

    # 64 kernels of 1×7×7 at 112×112 places; two vectors of the batch norm.
    assert layers["stem"].multiply_adds == 64 * 49 * 112 * 112
    assert layers["stem"].parameters == 64 * 49 + 2 * 64

    # Two 3×3 convolutions and the 1×1 of the shortcut, each with 128 kernels, at 28×28 places.
    kernels = 128 * (64 * 9 + 128 * 9 + 64)
    assert layers["stages.1.0"].multiply_adds == kernels * 28 * 28
    assert layers["stages.1.0"].parameters == kernels + 3 * 2 * 128

    assert layers["classifier"].multiply_adds == 512 * 10
    assert layers["classifier"].parameters == 512 * 10 + 10
    for name in ("pool", "flatten"):
        assert (layers[name].parameters, layers[name].multiply_adds) == (0, 0)


def test_resnet18_3x3_costs_what_is_known_of_it() -> None:
    """0.56 G multiply-adds and 11.2 M parameters at 32 px, as in most ResNet-18 for CIFAR-10."""
    layers = summarize(on_meta("resnet18-3x3"), (3, 32, 32))
    assert sum(layer.multiply_adds for layer in layers) == 555_422_720
    assert sum(layer.parameters for layer in layers) == 11_173_962


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_totals_agree_with_pytorch(name: str) -> None:
    model = on_meta(name, num_classes=7).eval()
    layers = summarize(model, (3, 32, 32))
    assert sum(layer.parameters for layer in layers) == sum(p.numel() for p in model.parameters())
    with FlopCounterMode(display=False) as counter:
        model(torch.empty(1, 3, 32, 32, device="meta"))
    # PyTorch counts a multiply-add as two operations.
    assert 2 * sum(layer.multiply_adds for layer in layers) == counter.get_total_flops()


def test_grouped_convolutions_count_the_weights_that_meet_a_value() -> None:
    [layer] = summarize(nn.Sequential(nn.Conv2d(4, 8, 3, groups=2)), (4, 5, 5))
    assert layer == LayerSummary("0", "Conv2d", (8, 3, 3), 8 * 2 * 9 + 8, (8 * 3 * 3) * 2 * 9)


def test_blocks_are_listed_in_the_order_of_the_pass() -> None:
    class Backwards(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(4, 2)
            self.first = nn.Flatten()

        def forward(self, images: Tensor) -> Tensor:
            logits: Tensor = self.last(self.first(images))
            return logits

    layers = summarize(Backwards(), (1, 2, 2))
    assert [(layer.name, layer.output_shape) for layer in layers] == [("first", (4,)), ("last", (2,))]


def test_the_model_itself_is_neither_run_nor_changed() -> None:
    """It may be serving requests meanwhile: no hook, no mode and no statistic of it may be touched."""
    model = create_model("lenet", 10).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    devices: list[str] = []
    # A hook of the model's own is copied with it, and tells where every pass went.
    model.register_forward_pre_hook(lambda _module, inputs: devices.append(inputs[0].device.type))

    summarize(model, (3, 16, 16))

    assert devices == ["meta"]
    assert all(module.training and not module._forward_hooks for module in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_models_of_other_types_are_summarised_alike(dtype: torch.dtype) -> None:
    model = create_model("lenet", 10)
    assert summarize(model.to(dtype), (3, 16, 16)) == summarize(model.float(), (3, 16, 16))


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 32, 32)])
def test_an_input_that_the_network_cannot_take_is_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="the network cannot take an input of"):
        summarize(on_meta("lenet"), shape)


@pytest.mark.parametrize("shape", [(3, 0, 8), (3, 8), (1, 3, 8, 8)])
def test_an_input_that_is_no_image_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"input_shape must be \(C, H, W\), each at least 1"):
        summarize(on_meta("lenet"), shape)  # type: ignore[arg-type]
