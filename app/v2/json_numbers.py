"""The large arrays of numbers in a request's JSON, read by NumPy before the rest is parsed.

A JSON parser makes a Python object of every number and lets no other thread run meanwhile: a tenth of a
second for ten megabytes, and as long again to make an array of them. NumPy reads text while other threads
run, and needs eight bytes for each number. It also takes `.5`, `1.`, `01` and `+1`, which JSON does not.
"""

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from app.errors import ProtocolError

MAX_ARRAYS = 64
"""Arrays that are looked for; a request needs one for each input."""

PIECE_BYTES = 262_144
"""Checked and read at a time: what is done with the interpreter locked takes less than a millisecond."""

_START = re.compile(rb"\s*:\s*\[")
_OF_NUMBERS = b"0123456789+-.eE,[] \t\r\n"
_NO_BRACKETS = bytes.maketrans(b"[]", b"  ")
_WHITE_SPACE = b" \t\r\n"

_AS_DIGITS = bytes.maketrans(b"123456789+-.eE", b"0" * 14)
_MISPLACED = (b",,", b",]", b"[,", b"[]", b"][", b"0[", b"]0")
"""What cannot follow each other in arrays of numbers, once each character of a number is a 0. NumPy would
read a number that is not there as -1; and it reads no brackets, without which `[[]1]` is a number."""

Numbers = npt.NDArray[np.float64]


def extract_numbers(text: bytes) -> tuple[bytes, dict[str, Numbers]]:
    """Take the arrays of numbers under keys called `data` out of a JSON text.

    Returns the text with a string in place of each array, and the arrays by these strings, flat. Whatever is
    no array of numbers alone stays as it is. Raises `ProtocolError` for rows of unequal lengths.
    """
    pieces, found, position, end = [], dict[str, Numbers](), 0, 0
    for number in range(MAX_ARRAYS):
        key = text.find(b'"data"', position)
        if key < 0:
            break
        position = key + len(b'"data"')
        # A quote behind a backslash does not begin a key, but stands in a string.
        start = None if text[key - 1 : key] == b"\\" else _START.match(text, position)
        if start is None:
            continue
        array = _array_at(text, start.end() - 1)
        numbers = None if array is None else _read(array)
        if array is None or numbers is None:
            continue
        placeholder = f"\0{number}"
        found[placeholder] = numbers
        pieces += [text[end : start.end() - 1], b'"\\u0000%d"' % number]
        position = end = start.end() - 1 + len(array)
    return b"".join([*pieces, text[end:]]), found


def _array_at(text: bytes, start: int) -> bytes | None:
    """The array that begins here, if what follows up to the next string or end of an object is all of it."""
    quote = text.find(b'"', start)
    brace = text.find(b"}", start, None if quote < 0 else quote)
    end = brace if brace >= 0 else quote
    array = text[start : end if end >= 0 else len(text)].rstrip(b" \t\r\n")
    array = array.removesuffix(b",").rstrip(b" \t\r\n")
    return array if array.endswith(b"]") else None


def _read(array: bytes) -> Numbers | None:
    """The numbers of an array or of arrays in arrays; None where it is not one of numbers alone."""
    is_nested = array.count(b"[") > 1 or array.count(b"]") > 1
    if is_nested and not _has_equal_rows(array):
        return None
    if not array.translate(None, b"[]" + _WHITE_SPACE):
        return np.empty(0)
    pieces: list[Numbers] = []
    start = 1
    while start < len(array) - 1:
        end = array.find(b",", start + PIECE_BYTES)
        piece = array[start : end if end >= 0 else len(array) - 1]
        start += len(piece) + 1
        if piece.translate(None, _OF_NUMBERS) or _is_misplaced(piece):
            return None
        try:
            numbers: Numbers = np.fromstring(piece.translate(_NO_BRACKETS), sep=",")
        except ValueError:
            return None
        if len(numbers) != piece.count(b",") + 1:
            return None
        pieces.append(numbers)
    if array[-2:-1] == b",":
        return None
    return np.concatenate(pieces)


def _is_misplaced(piece: bytes) -> bool:
    """Whether there is a comma or bracket where none can be; `piece` is cut out between two commas."""
    shape = b"," + piece.translate(_AS_DIGITS, _WHITE_SPACE) + b","
    return any(pair in shape for pair in _MISPLACED)


def _has_equal_rows(array: bytes) -> bool:
    """Whether the brackets match, and nothing follows the array. Raises `ProtocolError` for unequal rows."""
    text: npt.NDArray[Any] = np.frombuffer(array, np.uint8)
    opens, closes = text == ord("["), text == ord("]")
    depth = np.cumsum(opens.astype(np.int8) - closes.astype(np.int8), dtype=np.int32)
    if depth[-1] != 0 or depth[:-1].min() < 1:
        return False
    innermost = depth.max()
    starts = np.flatnonzero(opens & (depth == innermost))
    separators = np.flatnonzero((text == ord(",")) & (depth == innermost))
    lengths = np.diff(np.searchsorted(separators, np.append(starts, len(text))))
    # Where numbers stand beside rows, there are more commas than within rows and between them.
    if (lengths != lengths[0]).any() or array.count(b",") != len(separators) + len(starts) - 1:
        raise ProtocolError("data: rows must have equal lengths")
    return True
