"""Arrays of numbers are read as a JSON parser would read them, and what is none is left to one."""

import json
import random
from typing import Any

import numpy as np
import pytest

from app.errors import ProtocolError
from app.v2 import json_numbers
from app.v2.json_numbers import MAX_ARRAYS, extract_numbers


def restored(text: bytes) -> Any:  # noqa: ANN401 - any JSON
    """What the text says, put together again from what was extracted."""
    rest, found = extract_numbers(text)

    def put_back(value: Any) -> Any:  # noqa: ANN401
        if isinstance(value, str) and value in found:
            return found[value].tolist()
        if isinstance(value, dict):
            return {key: put_back(each) for key, each in value.items()}
        return [put_back(each) for each in value] if isinstance(value, list) else value

    return put_back(json.loads(rest))


@pytest.mark.parametrize(
    "text",
    [
        b'{"data":[1,2,3]}',
        b'{"data" : [ 1 ,\n 2.5e-3 , -0 ] , "name":"x"}',
        b'{"inputs":[{"data":[0.1],"name":"a"},{"name":"b","data":[2]}]}',
        b'{"data":[1]}',
        b'{"a":{"data":[1,2]},"data":[3]}',
    ],
)
def test_arrays_of_numbers_are_taken_out(text: bytes) -> None:
    rest, found = extract_numbers(text)
    assert len(found) == text.count(b'"data"')
    assert b"[0" not in rest
    assert restored(text) == json.loads(text)


@pytest.mark.parametrize("data", [[[1, 2], [3, 4]], [[[1], [2]], [[3], [4]]], [[1, 2, 3, 4]], [[[[5]]]]])
def test_rows_become_flat(data: list[Any]) -> None:
    _, found = extract_numbers(json.dumps({"data": data}).encode())
    assert [numbers.tolist() for numbers in found.values()] == [np.array(data).ravel().tolist()]


def test_an_array_is_read_alike_wherever_it_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(0)
    data = [rng.choice([rng.randrange(256), round(rng.uniform(-1, 1), 4), 1e-7]) for _ in range(300)]
    text = json.dumps({"data": data}).encode()
    for size in (1, 2, 7, 100, 1000, 10**6):
        monkeypatch.setattr(json_numbers, "PIECE_BYTES", size)
        _, found = extract_numbers(text)
        (numbers,) = found.values()
        assert numbers.tolist() == data


@pytest.mark.parametrize(
    "text",
    [
        b'{"data":["a","b"]}',
        b'{"data":[1,"a"]}',
        b'{"data":[true]}',
        b'{"data":[null]}',
        b'{"data":[{}]}',
        b'{"data":[NaN]}',
        b'{"data":[1,]}',
        b'{"data":[,1]}',
        b'{"data":[1,,2]}',
        b'{"data":[1, ]}',
        b'{"data":[ ,1]}',
        b'{"data":[1, ,2]}',
        b'{"data":[[1, ]]}',
        b'{"data":[[],[]]}',
        b'{"data":[[]1]}',
        b'{"data":[[1]2]}',
        b'{"data":[1[2]]}',
        b'{"data":[1[]]}',
        b'{"data":[1 2]}',
        b'{"data":[1]]}',
        b'{"data":[[1]}',
        b'{"data":[1],[2]}',
        b'{"data":[--1]}',
        b'{"data":[1.2.3]}',
        b'{"data":[1',
        b'{"data":',
        b'{"data"',
        b'{"data":5}',
        b'{"id":"\\"data\\":[1,2]"}',
        b'{"shape":[1,2]}',
        b"",
        b"[",
    ],
)
def test_what_is_no_array_of_numbers_stays_as_it_is(text: bytes) -> None:
    assert extract_numbers(text) == (text, {})


def test_whatever_is_read_is_what_a_json_parser_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of short texts of the characters that arrays of numbers have, cut anywhere."""
    rng = random.Random(0)
    read = 0
    for _ in range(20_000):
        monkeypatch.setattr(json_numbers, "PIECE_BYTES", rng.randrange(1, 8))
        text = (
            '{"data":['
            + "".join(rng.choices("[],12 -e", (3, 3, 4, 3, 2, 2, 1, 1), k=rng.randrange(8)))
            + "]}"
        )
        try:
            _, found = extract_numbers(text.encode())
        except ProtocolError:
            continue
        for numbers in found.values():
            read += 1
            assert numbers.tolist() == np.array(json.loads(text)["data"]).ravel().tolist(), text
    assert read > 1_000


@pytest.mark.parametrize("data", [[[1, 2], [3]], [[1], 2], [1, [2]], [[[1], [2]], [[3, 4]]]])
def test_rows_of_unequal_lengths_are_an_error(data: list[Any]) -> None:
    with pytest.raises(ProtocolError, match="rows must have equal lengths"):
        extract_numbers(json.dumps({"data": data}).encode())


def test_only_so_many_arrays_are_looked_for() -> None:
    text = json.dumps([{"data": [1]}] * (MAX_ARRAYS + 10)).encode()
    _, found = extract_numbers(text)
    assert len(found) == MAX_ARRAYS
    assert restored(text) == json.loads(text)
