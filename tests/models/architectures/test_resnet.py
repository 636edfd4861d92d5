"""ResNet-18 against torchvision's, and with our batch norm against PyTorch's."""

from collections.abc import Callable

import pytest
import torch
import torchvision
from torch import Tensor, nn

from models import create_model
from models.architectures.resnet import resnet18, resnet18_3x3


def images(channels: int = 3, size: int = 64, count: int = 2) -> Tensor:
    return torch.randn(count, channels, size, size, generator=torch.Generator().manual_seed(0))


def stir(model: nn.Module) -> None:
    """Give batch norms scales, shifts and statistics that differ, so that a mix-up of names would be seen."""
    generator = torch.Generator().manual_seed(1)
    for name, value in model.state_dict().items():
        if value.dim() == 1:
            noise = torch.rand(value.shape, generator=generator)
            value.copy_(noise + 0.5 if name.endswith(("weight", "var")) else (noise - 0.5) / 5)


def torchvisions_name(name: str) -> str:
    """`stages.1.0.shortcut.1.bias` is called `layer2.0.downsample.1.bias` in torchvision."""
    first, *rest = name.split(".")
    match first:
        case "stem":
            index, *rest = rest
            return ".".join([{"0": "conv1", "1": "bn1"}[index], *rest])
        case "stages":
            stage, *rest = rest
            return ".".join([f"layer{int(stage) + 1}", *rest]).replace("shortcut", "downsample")
        case "classifier":
            return ".".join(["fc", *rest])
    raise AssertionError(f"unexpected name {name}")


@pytest.fixture(scope="module")
def theirs() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: nn.Module = torchvision.models.resnet18(weights=None)
    stir(model)
    return model.eval()


@pytest.fixture
def ours(theirs: nn.Module) -> nn.Module:
    """Our network with torchvision's weights: every name of one is a name of the other."""
    with torch.device("meta"):
        model = create_model("resnet18", num_classes=1000)
    state = theirs.state_dict()
    assert {torchvisions_name(name) for name in model.state_dict()} == state.keys()
    renamed = {name: state[torchvisions_name(name)].clone() for name in model.state_dict()}
    model.load_state_dict(renamed, strict=True, assign=True)
    return model.eval()


def test_the_parameter_count_is_torchvisions(ours: nn.Module, theirs: nn.Module) -> None:
    assert (
        sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters()) == 11_689_512
    )


@pytest.mark.parametrize("size", [64, 97])
def test_the_logits_are_torchvisions(ours: nn.Module, theirs: nn.Module, size: int) -> None:
    with torch.inference_mode():
        torch.testing.assert_close(ours(images(size=size)), theirs(images(size=size)), rtol=1e-4, atol=1e-4)


def test_a_training_step_is_torchvisions(ours: nn.Module, theirs: nn.Module) -> None:
    """Logits in training mode, the gradient of the first convolution, and the running statistics."""
    state = {name: value.clone() for name, value in theirs.state_dict().items()}
    try:
        results = []
        for model in (ours.train(), theirs.train()):
            logits = model(images(size=48, count=4))
            torch.autograd.backward(nn.functional.cross_entropy(logits, torch.arange(4)))
            results.append(logits.detach())
        torch.testing.assert_close(*results, rtol=1e-3, atol=1e-3)
        after = theirs.state_dict()
        for name, value in ours.state_dict().items():
            if "running" in name:
                torch.testing.assert_close(value, after[torchvisions_name(name)], rtol=1e-3, atol=1e-4)
        gradient = ours.get_parameter("stem.0.weight").grad
        expected = theirs.get_parameter("conv1.weight").grad
        assert gradient is not None
        assert expected is not None
        # Rounding grows on its way back through 17 batch norms: compare the direction and the length.
        assert nn.functional.cosine_similarity(gradient.flatten(), expected.flatten(), dim=0) > 0.999
        torch.testing.assert_close(gradient.norm(), expected.norm(), rtol=1e-2, atol=0)
    finally:
        theirs.zero_grad(set_to_none=True)
        theirs.load_state_dict(state)
        theirs.eval()


@pytest.mark.parametrize("build", [resnet18, resnet18_3x3])
def test_our_batch_norm_gives_the_logits_of_pytorchs(build: Callable[..., nn.Module]) -> None:
    """In float64, as rounding grows on its way through 20 batch norms."""
    with_ours, with_theirs = build(10).double(), build(10, norm_layer=nn.BatchNorm2d).double()
    stir(with_theirs)
    with_ours.load_state_dict(with_theirs.state_dict(), strict=True)
    for training in (True, False):
        with torch.no_grad():
            logits = with_ours.train(training)(images(size=32).double())
            expected = with_theirs.train(training)(images(size=32).double())
        torch.testing.assert_close(logits, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("in_channels", [1, 3])
def test_the_small_stem_keeps_the_resolution_and_the_large_one_quarters_it(in_channels: int) -> None:
    x = torch.empty(2, in_channels, 32, 32, device="meta")
    with torch.device("meta"):
        assert resnet18_3x3(10, in_channels).stem(x).shape == (2, 64, 32, 32)
        assert resnet18(10, in_channels).stem(x).shape == (2, 64, 8, 8)


def test_the_names_in_the_state_dict_are_those_of_stored_models() -> None:
    """A renamed tensor would make every stored model unreadable."""
    with torch.device("meta"):
        names = set(resnet18_3x3(10).state_dict())
    norm = {"weight", "bias", "running_mean", "running_var", "num_batches_tracked"}
    expected = {"stem.0.weight", "classifier.weight", "classifier.bias"} | {f"stem.1.{part}" for part in norm}
    for stage in range(4):
        for block in range(2):
            path = f"stages.{stage}.{block}"
            expected |= {f"{path}.conv{n}.weight" for n in (1, 2)}
            expected |= {f"{path}.bn{n}.{part}" for n in (1, 2) for part in norm}
            if stage > 0 and block == 0:
                expected |= {f"{path}.shortcut.0.weight"} | {f"{path}.shortcut.1.{part}" for part in norm}
    assert names == expected
