"""Networks as OpenVINO IRs: the same function, bytes that depend on nothing else."""

import re

import pytest
import torch
from torch import Tensor, nn

from models import create_model
from models.batch_norm.layer import BatchNorm
from models.engines.openvino_engine import OpenVinoEngine
from models.engines.openvino_ir import OpenVinoIR, convert
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
    return engine_logits(OpenVinoEngine(ir.network(), "float32", threads=1), images, PREPROCESSING)


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
    logits = computed(ir, images)
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, predict(model, images, PREPROCESSING), rtol=1e-4, atol=1e-4)


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
    assert torch.equal(computed(again, images), computed(ir, images))
