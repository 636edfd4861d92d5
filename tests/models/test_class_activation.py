"""Class activation maps: exact where the network has them, refused where it has none."""

import copy
import gc
import weakref

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from app.routes.samples import SAMPLES
from app.settings import BUNDLED_MODEL
from models import ARCHITECTURES, create_model
from models.artifact.store import Artifact, load_artifact
from models.class_activation import ClassActivation
from models.preprocessing.transform import Preprocessing

AVERAGING = ("resnet18", "resnet18-3x3")


@pytest.fixture(scope="module")
def bundled() -> Artifact:
    return load_artifact(BUNDLED_MODEL)


def _images(size: int, count: int = 2) -> Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def _sample(name: str) -> Tensor:
    return torch.from_numpy(np.array(Image.open(SAMPLES[name]))).permute(2, 0, 1)


@pytest.mark.parametrize("architecture", AVERAGING)
def test_the_mean_of_a_map_plus_the_bias_is_the_logit(architecture: str) -> None:
    model = create_model(architecture, num_classes=7).double().eval()
    images = _images(64).double()
    explaining = ClassActivation(model)
    maps = explaining.maps(images)
    with torch.inference_mode():
        logits = model(images)
    assert maps.shape[:2] == (2, 7)
    bias = model.state_dict()["classifier.bias"]
    assert torch.equal(explaining.bias, bias)
    assert torch.allclose(maps.mean((2, 3)) + bias, logits, rtol=0, atol=1e-12)
    assert torch.equal(explaining.logits(maps), maps.mean((2, 3)) + bias)


def test_the_bundled_network_is_explained_in_float32(bundled: Artifact) -> None:
    images = _images(32, count=8)
    explaining = ClassActivation(bundled.model)
    maps = explaining.maps(images)
    assert maps.shape == (8, 10, 4, 4)
    with torch.inference_mode():
        assert torch.allclose(explaining.logits(maps), bundled.model(images), rtol=0, atol=1e-5)


def test_a_map_is_the_gradient_of_its_logit_times_the_last_feature_map(bundled: Artifact) -> None:
    """Grad-CAM without its ReLU: the gradient of a logit is the class's weight / (h * w) at every place."""
    images, label = _images(32), 3
    kept: list[Tensor] = []
    model = copy.deepcopy(bundled.model)

    def keep(_module: nn.Module, inputs: tuple[Tensor]) -> None:
        inputs[0].retain_grad()
        kept.append(inputs[0])

    model.pool.register_forward_pre_hook(keep)  # type: ignore[union-attr]
    model(images)[:, label].sum().backward()
    (features,) = kept
    assert features.grad is not None
    _, _, height, width = features.shape
    assert (height, width) == (4, 4)
    expected = (features.grad * features).sum(dim=1) * (height * width)
    assert torch.allclose(ClassActivation(bundled.model).maps(images)[:, label], expected, atol=1e-4)


def test_evidence_lies_exactly_where_a_known_network_finds_it() -> None:
    """A network that counts red and green: the patch, and nothing else, speaks for its colour."""
    conv, classifier = nn.Conv2d(3, 3, 1, bias=False), nn.Linear(3, 2)
    with torch.no_grad():
        conv.weight.copy_(torch.eye(3).view(3, 3, 1, 1))
        classifier.weight.copy_(torch.tensor([[2.0, -1.0, 0.0], [-1.0, 2.0, 0.0]]))
    model = nn.Sequential(conv, nn.AdaptiveAvgPool2d(1), nn.Flatten(), classifier)
    image = torch.zeros(1, 3, 6, 6)
    image[:, 0, 4:, 4:] = 1.0
    red, green = ClassActivation(model).maps(image)[0]
    expected = torch.zeros(6, 6)
    expected[4:, 4:] = 1.0
    assert torch.equal(red, 2 * expected)
    assert torch.equal(green, -expected)


@pytest.mark.parametrize(
    "labels", [("cat", "ship", "horse", "truck"), ("airplane", "frog", "dog", "automobile")]
)
def test_each_class_lights_up_where_its_image_was_planted(bundled: Artifact, labels: tuple[str, ...]) -> None:
    """Four images as quarters of one: most of the evidence for a class is in its own quarter."""
    top, bottom = (torch.cat([_sample(label) for label in pair], 2) for pair in (labels[:2], labels[2:]))
    image = Preprocessing.from_metadata(bundled.metadata).normalize(torch.cat([top, bottom], 1).unsqueeze(0))
    maps = ClassActivation(bundled.model).maps(image)[0]
    for quarter, label in enumerate(labels):
        speaking_for = maps[bundled.metadata.classes.index(label)].clamp(min=0)
        shares = speaking_for.view(2, 4, 2, 4).sum((1, 3)).flatten() / speaking_for.sum()
        assert shares[quarter] > 0.75, (label, shares)


def test_a_linear_layer_without_bias_has_a_bias_of_zero() -> None:
    model = nn.Sequential(nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(3, 2, bias=False))
    assert torch.equal(ClassActivation(model).bias, torch.zeros(2))


def test_the_network_stays_as_it_is(bundled: Artifact) -> None:
    before = {name: tensor.clone() for name, tensor in bundled.model.state_dict().items()}
    images = _images(32)
    with torch.inference_mode():
        logits = bundled.model(images)
        ClassActivation(bundled.model).maps(images)
        assert torch.equal(bundled.model(images), logits)
    assert all(torch.equal(before[name], tensor) for name, tensor in bundled.model.state_dict().items())


def test_weights_go_with_their_last_user_and_without_the_garbage_collector() -> None:
    network = create_model("resnet18-3x3", 10).eval()
    activation = ClassActivation(network)
    activation.maps(torch.zeros(1, 3, 32, 32))
    weights = [weakref.ref(parameter) for parameter in network.parameters()]
    gc.collect()  # what tracing has left
    gc.disable()
    try:
        del network, activation
        assert not any(weight() is not None for weight in weights)
    finally:
        gc.enable()


@pytest.mark.parametrize("architecture", sorted(set(ARCHITECTURES) - set(AVERAGING)))
def test_a_network_with_another_end_is_refused(architecture: str) -> None:
    with pytest.raises(ValueError, match=r"global average pooling and one linear layer; .+ does not"):
        ClassActivation(create_model(architecture, num_classes=7).eval())


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 2)),
        nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(3, 2)),
        nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2), nn.ReLU()),
        nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3), nn.Linear(3, 2)),
        nn.Flatten(),
    ],
)
def test_what_is_almost_such_an_end_is_refused(model: nn.Module) -> None:
    with pytest.raises(ValueError, match="does not"):
        ClassActivation(model)
