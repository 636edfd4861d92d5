"""A network from PyTorch to OpenVINO."""

import torch
from torch import nn

from models.artifact.metadata import FLOAT32_NETWORK_FILE, FLOAT32_WEIGHTS_FILE
from models.engines.openvino_ir import OpenVinoIR, name_by_position
from models.engines.quiet_openvino import openvino as ov
from models.module_calls import MODULE_CALLS
from models.preprocessing.transform import Preprocessing


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
    name_by_position(network)
    return network


def float32_network(model: nn.Module, preprocessing: Preprocessing, name: str) -> dict[str, bytes]:
    """`model`, converted, as the two files of an artifact with this name, by their names."""
    ir = OpenVinoIR.of(convert(model, preprocessing), name)
    return {FLOAT32_NETWORK_FILE: ir.xml, FLOAT32_WEIGHTS_FILE: ir.weights}
