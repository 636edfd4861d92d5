"""A network as an OpenVINO IR: with what goes before and what comes out, and as the bytes of two files."""

import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import numpy as np

from models.engines.quiet_openvino import CORE, PrePostProcessor
from models.engines.quiet_openvino import openvino as ov
from models.preprocessing.transform import Preprocessing

NUMBERED = re.compile(r"\b([A-Z][A-Za-z]*)_\d+\b")
"""A name that OpenVINO gives to an operation without one: its kind and a count over the whole process."""

ROUNDING = ("FakeQuantize", "Convert")
"""Operations between features and the layer that takes them in a quantised network."""


def with_preprocessing(
    network: ov.Model, preprocessing: Preprocessing, dtype: type[np.uint8 | np.float32]
) -> ov.Model:
    """A copy of `network` that takes pixels as they are, and does first what `normalize` would do to them.

    They are uint8 in 0..255, or float32 in 0..1; all other shapes stay.
    """
    processor = PrePostProcessor(network.clone())
    pixels = processor.input()
    pixels.tensor().set_element_type(ov.Type.u8 if dtype == np.uint8 else ov.Type.f32)
    pixels.model().set_layout(ov.Layout("NCHW"))
    steps = pixels.preprocess()
    if dtype == np.uint8:
        steps.convert_element_type(ov.Type.f32).scale(255.0)
    steps.mean(list(preprocessing.mean)).scale(list(preprocessing.std))
    return processor.build()


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
        name_by_position(network)
        with TemporaryDirectory() as folder:
            xml = Path(folder) / "network.xml"
            ov.save_model(network, xml, compress_to_fp16=False)
            return cls(xml.read_bytes(), xml.with_suffix(".bin").read_bytes())

    def network(self) -> ov.Model:
        """The network that the bytes are."""
        return CORE.read_model(self.xml, self.weights)


def name_by_position(network: ov.Model) -> None:
    """Give operations that OpenVINO has numbered the numbers of their places."""
    for position, operation in enumerate(network.get_ordered_ops()):
        name = operation.get_friendly_name()
        operation.set_friendly_name(NUMBERED.sub(rf"\1_{position}", name))
