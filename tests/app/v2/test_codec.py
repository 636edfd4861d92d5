import json
import struct
import tracemalloc
from typing import Any

import numpy as np
import pytest

from app.errors import ProtocolError
from app.v2.codec import OutputTensor, encode_response, parse_request


def body(*inputs: dict[str, Any], **more: object) -> bytes:
    return json.dumps({"inputs": list(inputs), **more}).encode()


def tensor(**changed: object) -> dict[str, Any]:
    given = {"name": "x", "datatype": "UINT8", "shape": [2, 2], "data": [1, 2, 3, 255]} | changed
    return {name: value for name, value in given.items() if value is not None}


def binary(header: dict[str, Any], *data: bytes) -> tuple[bytes, str]:
    """A request with binary data, and what the header of HTTP says of it."""
    text = json.dumps(header).encode()
    return text + b"".join(data), str(len(text))


@pytest.mark.parametrize(("datatype", "dtype"), [("UINT8", np.uint8), ("FP32", np.float32)])
@pytest.mark.parametrize("data", [[1, 2, 3, 255], [[1, 2], [3, 255]]])
def test_numbers_in_json_may_be_flat_or_in_rows(datatype: str, dtype: type, data: list[Any]) -> None:
    (found,) = parse_request(body(tensor(datatype=datatype, data=data)), None).inputs
    assert isinstance(found.values, np.ndarray)
    assert found.values.dtype == dtype
    assert found.values.tolist() == [[1, 2], [3, 255]]
    assert not found.binary


def test_several_tensors_follow_each_other_as_binary_data() -> None:
    numbers = np.array([[0.5, -1.0]], "<f4")
    texts = [b"", b"\xff\x00", b"abc"]
    packed = b"".join(struct.pack("<I", len(text)) + text for text in texts)
    header = {
        "id": "7",
        "parameters": {"binary_data_output": True},
        "inputs": [
            tensor(datatype="FP32", shape=[1, 2], data=None, parameters={"binary_data_size": 8}),
            tensor(),
            tensor(datatype="BYTES", shape=[3], data=None, parameters={"binary_data_size": len(packed)}),
        ],
        "outputs": [{"name": "a"}, {"name": "b", "parameters": {"binary_data": False}}],
    }
    asked = parse_request(*binary(header, numbers.tobytes(), packed))
    first, second, third = asked.inputs
    assert np.array_equal(first.values, numbers)
    assert np.array_equal(second.values, [[1, 2], [3, 255]])
    assert third.values == texts
    assert [each.binary for each in asked.inputs] == [True, False, True]
    assert asked.id == "7"
    assert asked.outputs is not None
    assert [asked.wants_binary(output) for output in asked.outputs] == [True, False]


def test_bytes_in_json_are_text() -> None:
    (found,) = parse_request(body(tensor(datatype="BYTES", data=["a", "é", "", "d"])), None).inputs
    assert found.values == [b"a", "é".encode(), b"", b"d"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "Invalid JSON"),
        (b"{", "Invalid JSON"),
        (b"[]", r"^the JSON: must be an object$"),
        (b'{"inputs":[1]}', r"^inputs\[0\]: must be an object$"),
        (body(tensor(), outputs=[[]]), r"^outputs\[0\]: must be an object$"),
        (b"\xff\xfe", "Invalid JSON"),
        (b'{"inputs": ' + b"[" * 5000 + b"]" * 5000 + b"}", "Invalid JSON"),
        (body(tensor(), id="x" * 1001), r"^id: String should have at most 1000 characters$"),
        (body(), r"^inputs: List should have at least 1 item"),
        (body(tensor(name=None)), r"^inputs\[0\].name: Field required"),
        (body(tensor(), tensor(shape=None)), r"^inputs\[1\].shape: Field required"),
        (body(tensor(shape=[])), r"^inputs\[0\].shape: List should have at least 1"),
        (body(tensor(shape=[1] * 9)), r"^inputs\[0\].shape: List should have at most 8"),
        (
            body(tensor(shape=[-2, -2])),
            r"^inputs\[0\].shape\[0\]: Input should be greater than",
        ),
        (body(tensor(shape=[2.0, 2])), r"^inputs\[0\].shape\[0\]: Input should be a valid integer"),
        (
            body(tensor(datatype="INT64")),
            r"^inputs\[0\].datatype: Input should be 'UINT8'",
        ),
        (body(tensor(data=5)), r"^inputs\[0\].data: must be an array"),
        (body(tensor(data={"a": 1})), r"^inputs\[0\].data: must be an array"),
        (body(tensor(data=None)), r"^inputs\[0\].data: is missing"),
        (body(tensor(data=[1, 2, 3])), r"^inputs\[0\]: shape \[2, 2\] has 4 elements, but the data have 3"),
        (body(tensor(data=[])), r"^inputs\[0\]: shape \[2, 2\] has 4 elements, but the data have 0"),
        (body(tensor(shape=[10**9] * 8)), r"but the data have 4"),
        (body(tensor(data=[[1, 2, 3], [4]])), r"^data: rows must have equal lengths"),
        (body(tensor(data=[1, 2, 3, 256])), r"^inputs\[0\].data: UINT8 must be whole numbers in 0..255"),
        (body(tensor(data=[1, 2, 3, -1])), r"UINT8 must be whole numbers in 0..255"),
        (body(tensor(data=[1, 2, 3, 0.5])), r"UINT8 must be whole numbers in 0..255"),
        (body(tensor(data=[1, 2, 3, 10**400])), r"^inputs\[0\].data: UINT8 must be whole numbers in 0..255"),
        (body(tensor(data="[1,2,3,4]")), r"^inputs\[0\].data: must be an array"),
        (body(tensor(data=[1, 2, [3], 4])), r"^data: rows must have equal lengths"),
        (body(*[{}] * 17), r"^inputs: List should have at most 16 items"),
        (body(tensor(), outputs=[{}] * 17), r"^outputs: List should have at most 16 items"),
        (body(*[{}] * 30_000), r"more than 25000 elements beside tensors of numbers"),
        (body(tensor(data=[True] * 30_000)), r"more than 25000 elements beside tensors of numbers"),
        (
            body(tensor(shape=[0, 10**18, 10**18], data=[])),
            r"^inputs\[0\].shape: \[0, 10+, 10+\] is more than",
        ),
        (body(tensor(shape=[0, 2**63])), r"^inputs\[0\].shape\[1\]: Input should be less than or equal to"),
        (
            body(tensor(shape=[10**4000] * 2)),
            r"^inputs\[0\].shape\[0\]: Input should be less than or equal to",
        ),
        (body(tensor(data=[1, 2, 3, "4"])), r"^inputs\[0\].data: must be numbers"),
        (body(tensor(data=[1, 2, 3, None])), r"^inputs\[0\].data: must be numbers"),
        (body(tensor(data=[True] * 4)), r"^inputs\[0\].data: must be numbers"),
        (body(tensor(data=[{}] * 4)), r"^inputs\[0\].data: must be numbers"),
        (body(tensor(datatype="BYTES", data=[1, 2, 3, 4])), r"elements of a BYTES tensor must be strings"),
        (body(tensor(parameters={"shared_memory_region": "x"})), r"shared memory is not offered"),
        (body(tensor(parameters={"binary_data_size": 0})), r"either data or binary_data_size, not both"),
        (
            body(tensor(data=None, parameters={"binary_data_size": 4})),
            r"in 0..0, the bytes left, got 4",
        ),
        (body(tensor(data=None, parameters={"binary_data_size": True})), r"the bytes left, got True"),
        (body(tensor(data=None, parameters={"binary_data_size": "4"})), r"the bytes left, got '4'"),
    ],
)
def test_a_malformed_request_is_refused_by_its_part(content: bytes, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        parse_request(content, None)


def test_texts_in_place_of_numbers_take_no_more_memory_than_they_are_long() -> None:
    content = body(tensor(data=["a" * 100_000, *[""] * 3000]))
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError, match="must be numbers"):
            parse_request(content, None)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 * len(content)


@pytest.mark.parametrize(
    "content",
    [
        b'{"inputs":[' + b",".join([b"{}"] * 300_000) + b"]}",
        b'{"inputs":[{"data":[' + b",".join([b"[]"] * 300_000) + b"]}]}",
        b'{"inputs":[{"data":[' + b",".join([b"null"] * 200_000) + b"]}]}",
        b'{"inputs":[],"outputs":[' + b",".join([b'{"name":"a"}'] * 80_000) + b"]}",
        b"{" + b",".join(b'"%d":0' % number for number in range(100_000)) + b"}",
    ],
    ids=["inputs", "arrays", "null", "outputs", "keys"],
)
def test_what_is_malformed_many_times_takes_little_memory(content: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError):
            parse_request(content, None)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * len(content)  # a parser and its errors took thousands of bytes for each


@pytest.mark.parametrize(
    ("datatype", "data", "message"),
    [
        ("UINT8", b"123", r"shape \[2, 2\] of UINT8 takes 4 bytes, got 3"),
        ("FP32", b"1234", r"shape \[2, 2\] of FP32 takes 16 bytes, got 4"),
        ("BYTES", b"\x01", r"the binary data end within element 0"),
        ("BYTES", b"\x01\0\0\0a\xff\xff\xff\xffb", r"the binary data end within element 1"),
        ("BYTES", b"\0\0\0\0" * 3, r"shape \[2, 2\] has 4 elements, but the data have 3"),
        ("BYTES", b"\0\0\0\0" * 25_001, r"a BYTES tensor may have at most 25000 elements"),
    ],
)
def test_binary_data_must_fit_the_shape(datatype: str, data: bytes, message: str) -> None:
    header = {
        "inputs": [tensor(datatype=datatype, data=None, parameters={"binary_data_size": len(data)})],
    }
    with pytest.raises(ProtocolError, match=message):
        parse_request(*binary(header, data))


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "²", "99999", "9" * 50, ""])
def test_the_length_of_the_header_must_be_one(length: str) -> None:
    with pytest.raises(ProtocolError, match=r"Inference-Header-Content-Length: must be in 0\.\."):
        parse_request(body(tensor()), length)


def test_bytes_that_belong_to_no_input_are_refused() -> None:
    with pytest.raises(ProtocolError, match="the body holds 3 bytes that belong to no input"):
        parse_request(*binary({"inputs": [tensor()]}, b"abc"))


@pytest.mark.parametrize("where", ["request", "output"])
def test_flags_must_be_true_or_false(where: str) -> None:
    name = "binary_data_output" if where == "request" else "binary_data"
    parameters = {name: "yes"}
    asked = parse_request(
        body(tensor(), parameters=parameters, outputs=[{"name": "a", "parameters": parameters}]), None
    )
    assert asked.outputs is not None
    with pytest.raises(ProtocolError, match=f"parameters.{name}: must be true or false, got 'yes'"):
        asked.wants_binary(asked.outputs[0])


def test_an_infinite_number_is_read_as_such() -> None:
    (found,) = parse_request(body(tensor(datatype="FP32", data=[1e300, 0, 0, 0])), None).inputs
    assert np.isinf(np.asarray(found.values)).sum() == 1


def test_answers_in_json_and_as_binary_data() -> None:
    numbers = np.array([[0.25, 0.75]], np.float32)
    texts = ["é".encode(), b"cat"]
    outputs = [
        OutputTensor("p", "FP32", (1, 2), numbers, binary=False),
        OutputTensor("t", "BYTES", (2,), texts, binary=False),
    ]
    content, length = encode_response("m", "1", None, outputs)
    assert length is None
    assert json.loads(content) == {
        "model_name": "m",
        "model_version": "1",
        "outputs": [
            {"name": "p", "datatype": "FP32", "shape": [1, 2], "data": [0.25, 0.75]},
            {"name": "t", "datatype": "BYTES", "shape": [2], "data": ["é", "cat"]},
        ],
    }
    mixed = [OutputTensor(o.name, o.datatype, o.shape, o.values, binary=True) for o in outputs]
    content, length = encode_response("m", "1", "an id", mixed)
    assert length is not None
    header = json.loads(content[:length])
    assert header["id"] == "an id"
    assert [each["parameters"]["binary_data_size"] for each in header["outputs"]] == [8, 13]
    assert content[length:] == numbers.tobytes() + b"\x02\0\0\0\xc3\xa9\x03\0\0\0cat"
