"""Networks as OpenVINO IRs: the same function, bytes that depend on nothing else, any number of images."""

import re

import pytest
import torch
from torch import nn

from models import create_model
from models.batch_norm.layer import BatchNorm
from models.engines.openvino_ir import OpenVinoIR, convert
from models.preprocessing.transform import Preprocessing
from tests.support.small_model import DESCRIPTION, lenet, random_images
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


@pytest.fixture(scope="module")
def ir() -> OpenVinoIR:
    return OpenVinoIR.of(convert(lenet(), PREPROCESSING), "small")


@pytest.mark.parametrize(
    "model",
    [lenet(), trained("resnet18-3x3"), trained("airbench96")],
    ids=["lenet", "resnet18-3x3", "airbench96"],
)
def test_the_network_computes_what_the_module_computes(model: nn.Module) -> None:
    images = random_images(7)
    ir = OpenVinoIR.of(convert(model, PREPROCESSING), "small")
    logits = ir.predict(images, PREPROCESSING)
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, predict(model, images, PREPROCESSING), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_the_number_of_images_at_once_does_not_matter(ir: OpenVinoIR, batch_size: int) -> None:
    images = random_images(7)
    torch.testing.assert_close(
        ir.predict(images, PREPROCESSING, batch_size), ir.predict(images, PREPROCESSING)
    )


def test_its_input_and_output_have_names_and_only_the_batch_is_open() -> None:
    network = convert(lenet(), PREPROCESSING)
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
    assert torch.equal(again.predict(images, PREPROCESSING), ir.predict(images, PREPROCESSING))
