"""What the tensors of the Open Inference Protocol mean here: images going in, classes coming out.

`image_bytes` are encoded files of any size, `images` pixels of the size that the network takes; a request has
one of the two. Knows neither HTTP nor the engine.
"""

from collections.abc import Sequence

import numpy as np

from app.batching.scores import Scores
from app.errors import ApiError, ProtocolError
from app.http.base64_text import decode_base64
from app.inference.preparation import Upload
from app.registry.served_model import Pixels, ServedModel
from app.v2.codec import NUMBERS, InferRequest, InputTensor, OutputRequest, OutputTensor

IMAGE_BYTES, IMAGES = "image_bytes", "images"
PROBABILITIES, LABEL, UNFAMILIARITY = "probabilities", "label", "unfamiliarity"

ELEMENT_BYTES = 32
"""Of a number in JSON at most, with the comma behind it."""

MAX_CHARACTER_BYTES = 6
"""Of a character in JSON, where it is escaped."""


def inputs_of(asked: InferRequest, model: ServedModel, max_images: int) -> tuple[list[Upload], list[Pixels]]:
    """The files to decode, or the images, each (C, S, S), uint8 or float32 in 0..1; the other list is empty.

    Raises `ProtocolError`, and `ApiError` 413 for more than `max_images`.
    """
    if len(asked.inputs) != 1:
        raise ProtocolError(f"inputs: must be one, {IMAGE_BYTES} or {IMAGES}, got {len(asked.inputs)}")
    (tensor,) = asked.inputs
    count = tensor.shape[0]
    if count > max_images:
        message = f"inputs[0].shape: must begin with at most {max_images}, the number of images, got {count}"
        raise ApiError(413, "too_many_images", message)
    if count == 0:
        raise ProtocolError("inputs[0].shape: must begin with 1 at least, the number of images, got 0")
    if tensor.name == IMAGE_BYTES:
        return _files(tensor), []
    if tensor.name == IMAGES:
        return [], _pixels(tensor, model)
    raise ProtocolError(f"inputs[0].name: must be {IMAGE_BYTES} or {IMAGES}, got {tensor.name!r}")


def _files(tensor: InputTensor) -> list[Upload]:
    if not isinstance(tensor.values, list):
        raise ProtocolError(f"inputs[0].datatype: must be BYTES for {IMAGE_BYTES}, got {tensor.datatype}")
    if len(tensor.shape) != 1:
        raise ProtocolError(f"inputs[0].shape: must be [N] for {IMAGE_BYTES}, got {list(tensor.shape)}")
    if tensor.binary:
        return [Upload(None, content) for content in tensor.values]
    try:
        return [Upload(None, decode_base64(text)) for text in tensor.values]
    except ValueError as error:
        raise ProtocolError(f"inputs[0].data: must hold files in Base64 ({error})") from error


def _pixels(tensor: InputTensor, model: ServedModel) -> list[Pixels]:
    about = model.metadata
    shape = (about.in_channels, about.input_size, about.input_size)
    if isinstance(tensor.values, list):
        raise ProtocolError(f"inputs[0].datatype: must be UINT8 or FP32 for {IMAGES}, got BYTES")
    if tensor.shape[1:] != shape:
        raise ProtocolError(
            f"inputs[0].shape: must be [N, {', '.join(map(str, shape))}] for {IMAGES}, "
            f"got {list(tensor.shape)}; send pictures of other sizes as {IMAGE_BYTES}"
        )
    # NaN is in no range.
    if tensor.datatype == "FP32" and not ((tensor.values >= 0) & (tensor.values <= 1)).all():
        raise ProtocolError(f"inputs[0]: {IMAGES} of FP32 must be in 0..1")
    return list(tensor.values)


def output_names(model: ServedModel) -> list[str]:
    """The outputs that a model has, and that come where a request names none."""
    return [PROBABILITIES, LABEL, *([UNFAMILIARITY] if model.detector is not None else [])]


def require_known_outputs(asked: InferRequest, classes: int, known: Sequence[str]) -> None:
    """Raise `ProtocolError` for an output that is not `known` or named twice, or for an illegal parameter."""
    names = [output.name for output in asked.outputs or []]
    for number, output in enumerate(asked.outputs or []):
        where = f"outputs[{number}]"
        if output.name in names[:number]:
            raise ProtocolError(f"{where}.name: {output.name!r} is named already; each output comes once")
        if output.name not in known:
            raise ProtocolError(f"{where}.name: must be {' or '.join(known)}, got {output.name!r}")
        count = output.parameters.get("classification", 0)
        if type(count) is not int or not 0 <= count <= classes:
            raise ProtocolError(f"{where}.parameters.classification: must be in 0..{classes}, got {count!r}")
        if count and output.name != PROBABILITIES:
            raise ProtocolError(f"{where}.parameters.classification: is for {PROBABILITIES} alone")
        asked.wants_binary(output, where)


def check_response_size(
    asked: InferRequest, images: int, labels: Sequence[str], known: Sequence[str], max_bytes: int
) -> None:
    """Raise `ApiError` 413 if the response, estimated from above, would be larger than `max_bytes`."""
    longest = max(map(len, labels)) * MAX_CHARACTER_BYTES
    size = 0
    for output in _wanted(asked, known):
        if output.name == UNFAMILIARITY:
            size += images * ELEMENT_BYTES
        elif output.name == LABEL:
            size += images * (longest + ELEMENT_BYTES)
        elif count := output.parameters.get("classification", 0):
            size += images * count * (longest + 2 * ELEMENT_BYTES)
        elif asked.wants_binary(output):
            size += images * len(labels) * NUMBERS["FP32"].itemsize
        else:
            size += images * len(labels) * ELEMENT_BYTES
    if size > max_bytes:
        message = (
            f"the response may have {size} bytes, more than {max_bytes}: send fewer images at a time, or ask"
            " for binary data or for the parameter classification"
        )
        raise ApiError(413, "response_too_large", message)


def _wanted(asked: InferRequest, known: Sequence[str]) -> list[OutputRequest]:
    return asked.outputs or [OutputRequest(name=name) for name in known]


def outputs_of(
    asked: InferRequest, scores: Sequence[Scores], labels: Sequence[str], known: Sequence[str]
) -> list[OutputTensor]:
    """The outputs that were asked for, or all `known`; `labels` are the classes in the network's order."""
    return [_output(each, scores, labels, binary=asked.wants_binary(each)) for each in _wanted(asked, known)]


def _output(
    output: OutputRequest, scores: Sequence[Scores], labels: Sequence[str], *, binary: bool
) -> OutputTensor:
    if output.name == UNFAMILIARITY:
        unfamiliar = np.array([score.unfamiliarity for score in scores], np.float32)
        return OutputTensor(UNFAMILIARITY, "FP32", unfamiliar.shape, unfamiliar, binary)
    if output.name == LABEL:
        best = [labels[score.classes[0]].encode() for score in scores]
        return OutputTensor(LABEL, "BYTES", (len(scores),), best, binary)
    if count := output.parameters.get("classification", 0):
        ranked = [
            f"{probability:f}:{index}:{labels[index]}".encode()
            for score in scores
            for index, probability in zip(score.classes[:count], score.probabilities[:count], strict=True)
        ]
        return OutputTensor(PROBABILITIES, "BYTES", (len(scores), count), ranked, binary)
    values = np.zeros((len(scores), len(labels)), np.float32)
    for row, score in zip(values, scores, strict=True):
        row[score.classes] = score.probabilities
    return OutputTensor(PROBABILITIES, "FP32", values.shape, values, binary)
