"""A network as an OpenVINO IR: converted from PyTorch, and stored as the bytes of two files."""

import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import torch
from torch import nn

from models.engines.quiet_openvino import CORE
from models.engines.quiet_openvino import openvino as ov
from models.module_calls import MODULE_CALLS
from models.preprocessing.transform import Preprocessing

NUMBERED = re.compile(r"\b([A-Z][A-Za-z]*)_\d+\b")
"""A name that OpenVINO gives to an operation without one: its kind and a count over the whole process."""

ROUNDING = ("FakeQuantize", "Convert")
"""Operations between features and the layer that takes them in a quantised network."""


def convert(model: nn.Module, preprocessing: Preprocessing) -> ov.Model:
    """`model`, in eval mode on the CPU, as an OpenVINO network of the same function, in float32.

    Shapes: `images`, float32 (N, C, S, S) as `preprocessing` normalises them, N left open, to `logits`,
    float32 (N, classes).
    """
    channels, size = preprocessing.in_channels, preprocessing.input_size
    # A batch of 1 would be taken for a constant of the network.
    example = torch.zeros(2, channels, size, size)
    with MODULE_CALLS.tracing():
        program = torch.export.export(model, (example,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
        network = ov.convert_model(program)
    network.reshape([-1, channels, size, size])
    network.input().get_tensor().set_names({"images"})
    network.output().get_tensor().set_names({"logits"})
    _name_by_position(network)
    return network


def add_features(network: ov.Model) -> None:
    """Give `network` a second output, `features`: what its last linear layer takes, float32 (N, D).

    In an int8 network that is before the layer's input is rounded to 8 bits. Raises `ValueError` where there
    is no linear layer.
    """
    if len(network.outputs) > 1:
        return
    layers = [each for each in network.get_ordered_ops() if each.get_type_name() == "MatMul"]
    if not layers:
        raise ValueError("the network has no linear layer, whose inputs are the features")
    features = layers[-1].input_value(0)
    while features.get_node().get_type_name() in ROUNDING:
        features = features.get_node().input_value(0)
    network.add_outputs([features])
    network.output(1).get_tensor().add_names({"features"})


@dataclass(frozen=True)
class OpenVinoIR:
    """A network as the bytes of its two files."""

    xml: bytes
    weights: bytes

    @classmethod
    def of(cls, network: ov.Model, name: str) -> Self:
        """`network` under the name `name`. The same network gives the same bytes, in any process."""
        network.set_friendly_name(name)
        _name_by_position(network)
        with TemporaryDirectory() as folder:
            xml = Path(folder) / "network.xml"
            ov.save_model(network, xml, compress_to_fp16=False)
            return cls(xml.read_bytes(), xml.with_suffix(".bin").read_bytes())

    def network(self) -> ov.Model:
        """The network that the bytes are."""
        return CORE.read_model(self.xml, self.weights)


def _name_by_position(network: ov.Model) -> None:
    for position, operation in enumerate(network.get_ordered_ops()):
        name = operation.get_friendly_name()
        operation.set_friendly_name(NUMBERED.sub(rf"\1_{position}", name))
