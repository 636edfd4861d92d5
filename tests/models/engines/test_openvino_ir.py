"""Networks as OpenVINO IRs: the same function, bytes that depend on nothing else."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models import create_model
from models.batch_norm.layer import BatchNorm
from models.engines.base import Floats, Images
from models.engines.conversion import convert
from models.engines.openvino_engine import OpenVinoEngine
from models.engines.openvino_ir import OpenVinoIR, add_features, with_preprocessing
from models.engines.quiet_openvino import CORE, openvino
from models.preprocessing.transform import Preprocessing
from tests.support.small_model import DESCRIPTION, lenet, random_images
from training.evaluation.engines import engine_logits
from training.evaluation.evaluate import predict

PREPROCESSING = Preprocessing.from_metadata(DESCRIPTION)


def trained(architecture: str) -> nn.Module:
    """A network whose batch norms have seen images, so that they scale and shift."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = create_model(architecture, 3, norm_layer=BatchNorm)
        with torch.no_grad():
            model(torch.randn(8, 3, 16, 16))
    return model.eval()


def computed(ir: OpenVinoIR, images: Tensor) -> Tensor:
    return engine_logits(OpenVinoEngine(ir.network(), PREPROCESSING, "float32", threads=1), images)


def outputs(network: openvino.Model, images: Images) -> list[Floats]:
    """What `network`, compiled in float32 for the processor, makes of `images`."""
    config = {openvino.properties.hint.inference_precision: openvino.Type.f32}
    result = CORE.compile_model(network, "CPU", config)([images])
    return [result[index].copy() for index in range(len(network.outputs))]


@pytest.fixture(scope="module")
def converted() -> openvino.Model:
    return convert(lenet(), PREPROCESSING)


@pytest.fixture
def network(converted: openvino.Model) -> openvino.Model:
    """LeNet as it was converted, which the test may change."""
    return converted.clone()


@pytest.fixture(scope="module")
def ir(converted: openvino.Model) -> OpenVinoIR:
    return OpenVinoIR.of(converted.clone(), "small")


@pytest.mark.parametrize(
    "model",
    [lenet(), trained("resnet18-3x3"), trained("airbench96")],
    ids=["lenet", "resnet18-3x3", "airbench96"],
)
def test_the_network_computes_what_the_module_computes(model: nn.Module) -> None:
    images = random_images(7)
    ir = OpenVinoIR.of(convert(model, PREPROCESSING), "small")
    logits = computed(ir, images)
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, predict(model, images, PREPROCESSING), rtol=1e-4, atol=1e-4)


def test_its_input_and_output_have_names_and_only_the_batch_is_open(network: openvino.Model) -> None:
    assert network.input("images").get_partial_shape().to_string() == "[?,3,16,16]"
    assert network.output("logits").get_partial_shape().to_string() == "[?,3]"


def test_the_same_network_gives_the_same_bytes_without_paths_or_times(ir: OpenVinoIR) -> None:
    again = OpenVinoIR.of(convert(lenet(), PREPROCESSING), "small")
    assert (again.xml, again.weights) == (ir.xml, ir.weights)
    assert b'<net name="small"' in ir.xml
    assert not re.search(rb"/tmp/|/home/|\d\d:\d\d:\d\d", ir.xml)


def test_the_bytes_are_the_network(ir: OpenVinoIR) -> None:
    images = random_images(3)
    again = OpenVinoIR(ir.xml, ir.weights)
    assert torch.equal(computed(again, images), computed(ir, images))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_with_preprocessing_it_takes_pixels_and_gives_what_normalised_ones_gave(
    network: openvino.Model, dtype: type[np.uint8 | np.float32]
) -> None:
    preprocessing = replace(PREPROCESSING, mean=(0.49, 0.3, 0.1), std=(0.25, 0.1, 0.7))
    images = random_images(5)
    pixels = images if dtype == np.uint8 else torch.rand(5, 3, 16, 16)
    (expected,) = outputs(network, preprocessing.normalize(pixels).numpy())
    whole = with_preprocessing(network, preprocessing, dtype)
    (logits,) = outputs(whole, pixels.numpy())
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-5)
    assert whole.input("images").get_partial_shape().to_string() == "[?,3,16,16]"
    assert whole.input().get_element_type().to_dtype() == dtype
    # The network itself stays as it was.
    assert network.input().get_element_type().to_dtype() == np.float32
    np.testing.assert_array_equal(outputs(network, preprocessing.normalize(pixels).numpy())[0], expected)


def test_every_byte_value_and_the_same_as_a_float_are_preprocessed_alike() -> None:
    grey = Preprocessing(16, 1, "bilinear", (0.4,), (0.2,))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = create_model("lenet", 3, in_channels=1).eval()
    network = convert(model, grey)
    images = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    (of_bytes,) = outputs(with_preprocessing(network, grey, np.uint8), images)
    floats = images.astype(np.float32)
    floats /= 255
    (of_floats,) = outputs(with_preprocessing(network, grey, np.float32), floats)
    np.testing.assert_allclose(of_bytes, of_floats, rtol=0, atol=1e-5)


def test_features_are_an_output_of_the_network_with_preprocessing_too(network: openvino.Model) -> None:
    add_features(network)
    images = random_images(4)
    expected = outputs(network, PREPROCESSING.normalize(images).numpy())
    found = outputs(with_preprocessing(network, PREPROCESSING, np.uint8), images.numpy())
    assert len(found) == len(expected) == 2
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)
