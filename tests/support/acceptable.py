"""What the OpenAPI document cannot say of a request, made true, so that one that fits it is accepted.

A document knows neither the model, with its classes and layers, nor what one value has to do with another.
"""

import json
import struct
from collections.abc import Callable
from typing import Any

from schemathesis import Case
from schemathesis.core.parameters import ParameterLocation
from schemathesis.transport.serialization import Binary

from models.augmentations import AUGMENTATIONS
from models.augmentations.parameters import parameter_schemas
from tests.support.artifacts import CLASSES

KNOWN = {"name": "lenet-test", "model": "lenet-test", "version": "1"}

EXPLAINED = "resnet18-cifar10"
"""The bundled model: unlike the small one, it ends in what /explain needs."""

MOST = {"scale": 4, "cutout.size": 32, "random_crop.padding": 31}
LAYERS = ("features.1", "features.5", "classifier.1", "classifier.4")
LEAST_CHANNELS = 6
PIXELS = {"shape": [1, 3, 32, 32], "data": [0] * (3 * 32 * 32)}

Query = dict[str, Any]


def _one_of(choices: tuple[str, ...], value: object) -> str:
    """Always the same one for a value."""
    return choices[len(str(value)) % len(choices)]


def _predict(query: Query) -> None:
    """There are at most as many classes to answer as the model has."""
    if "top_k" in query:
        query["top_k"] = int(query["top_k"]) % len(CLASSES) + 1


def _explain(query: Query) -> None:
    """There are classes of the model, and there is a map for some models only."""
    query["model"] = EXPLAINED
    query.pop("version", None)
    if query.get("class") is not None:
        query["class"] = _one_of(CLASSES, query["class"])


def _augment(query: Query) -> None:
    """Parameters are for operations that are done and fit the image, pairs in order, grids small enough."""
    for name, value in query.items():
        if "." in name and isinstance(value, str) and "," in value:
            operation, _, parameter = name.partition(".")
            ends = parameter_schemas(AUGMENTATIONS[operation])[parameter]["prefixItems"]
            query[name] = "1,1" if ends[0]["type"] == "integer" else "0.5,1"
    named = [name for name in AUGMENTATIONS if any(key.startswith(f"{name}.") for key in query)]
    query["ops"] = ",".join(named or [_one_of(tuple(AUGMENTATIONS), query.get("ops"))])
    if query.get("preset") is not None:
        for name in [name for name in query if "." in name or name == "ops"]:
            del query[name]
    for name, most in MOST.items():
        if name in query:
            query[name] = min(int(query[name]), most)
    if "predict" in query:
        query["format"] = "json"


def _batch_norm(query: Query) -> None:
    """There are layers of the model, and channels of a layer."""
    if query.get("layer") is not None:
        query["layer"] = _one_of(LAYERS, query["layer"])
    if query.get("channel") is not None:
        query["channel"] = int(query["channel"]) % LEAST_CHANNELS


def _as_binary_data(image: bytes) -> tuple[bytes, bytes]:
    """The JSON about a tensor of one file, and the body that it begins."""
    data = struct.pack("<I", len(image)) + image
    tensor = {"name": "image_bytes", "datatype": "BYTES", "shape": [1]}
    header = json.dumps({"inputs": [{**tensor, "parameters": {"binary_data_size": len(data)}}]}).encode()
    return header, header + data


def _infer(body: dict[str, Any]) -> None:
    """A tensor has as many elements as its shape says, `images` fit the model, and outputs come once.

    The small model has no detector, and so no output `unfamiliarity`.
    """
    (tensor,) = body["inputs"]
    tensor.pop("parameters", None)
    if tensor["name"] == "images":
        tensor.update(PIXELS)
    else:
        tensor["shape"] = [len(tensor["data"])]
    outputs = [output for output in body.get("outputs") or [] if output["name"] != "unfamiliarity"]
    for output in outputs:
        (output.get("parameters") or {}).pop("classification", None)
    if body.get("outputs"):
        body["outputs"] = list({output["name"]: output for output in outputs}.values())


_QUERIES: dict[str, Callable[[Query], None]] = {
    "/predict": _predict,
    "/models/{name}": lambda _: None,
    "/explain": _explain,
    "/augment-preview": _augment,
    "/models/{name}/batch-norm": _batch_norm,
}


def _known(values: Query) -> Query:
    """Mostly what there is, in place of names that hardly ever are those of a model."""
    return {
        key: KNOWN[key] if key in KNOWN and len(str(value)) % 7 != 3 else value
        for key, value in values.items()
    }


def _is_positive(seconds: object) -> bool:
    try:
        return float(str(seconds)) > 0
    except ValueError:
        return False


def acceptable(case: Case[Any]) -> None:
    """Leave in `case` no other reason to refuse it than what does not fit the document, if anything does not.

    Its parts that fit are changed, so that all others are seen by what comes after finding the model.
    """
    assert case.meta is not None
    fits = {location: not part.mode.is_negative for location, part in case.meta.components.items()}
    if fits.get(ParameterLocation.PATH):
        case.path_parameters = _known(case.path_parameters)
    if fits.get(ParameterLocation.QUERY, True) and case.path in _QUERIES:
        query = _known(case.query)
        _QUERIES[case.path](query)
        if case.method == "POST":
            query.pop("batch", None)  # is not for who sends more than one file
        case.query = query
    if _is_positive(case.headers.get("X-Request-Timeout")):
        case.headers["X-Request-Timeout"] = "60"  # as nothing else makes sure of an answer in time
    if fits.get(ParameterLocation.BODY) and case.path.endswith("/infer"):
        headers_fit = fits.get(ParameterLocation.HEADER, True)
        if isinstance(case.body, dict):
            _infer(case.body)
            if headers_fit:
                case.headers.pop("Inference-Header-Content-Length", None)
        elif isinstance(case.body, Binary) and headers_fit:
            header, case.body = _as_binary_data(case.body.data)
            case.headers["Inference-Header-Content-Length"] = str(len(header))
