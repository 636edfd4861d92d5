"""Base64 is decoded in pieces, to the same bytes as at once, and takes little more memory than it has."""

import base64
import tracemalloc

import pytest

from app.errors import ApiError
from app.http.base64_text import PIECE_CHARACTERS, decode_base64, decode_file


@pytest.mark.parametrize(
    "size", [0, 1, 2, 3, PIECE_CHARACTERS * 3 // 4, PIECE_CHARACTERS, 3 * PIECE_CHARACTERS + 1]
)
def test_a_text_of_any_length(size: int) -> None:
    content = bytes(index * 7 % 251 for index in range(size))
    assert decode_base64(base64.b64encode(content)) == content
    assert decode_base64(base64.b64encode(content).decode()) == content


@pytest.mark.parametrize("text", ["A", "AA", "AAA", "A===", "AA==AA==", "A A=", "?AAA", "ä", "AAAA\n"])
def test_what_is_no_base64_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - in the words of the library
        decode_base64(text)


def test_padding_between_two_pieces_is_an_error() -> None:
    with pytest.raises(ValueError, match="padding before the end"):
        decode_base64("A" * (PIECE_CHARACTERS - 2) + "==" + "AAAA")


@pytest.mark.parametrize(
    "text", ["QUJD", " QU\nJ\tD\r\n", "data:image/png;base64,QUJD", "DATA:;BASE64, QU JD "]
)
def test_a_file_may_be_a_data_url_and_have_white_space(text: str) -> None:
    assert decode_file(text, "image") == b"ABC"


@pytest.mark.parametrize(
    "text", ["QUJ", "ä", "QU\u00a0JD", "data:image/png,QUJD", "data:", "data:;base64", "data:;base64,=="]
)
def test_what_is_no_file_names_its_field(text: str) -> None:
    with pytest.raises(ApiError, match=r"^image: ") as caught:
        decode_file(text, "image")
    assert (caught.value.status, caught.value.code, caught.value.field) == (400, "malformed_base64", "image")


def test_white_space_takes_no_memory() -> None:
    """Of ten million bytes in words of two, a list of the words took 250 MB."""
    text = "ab " * 350_000
    tracemalloc.start()
    try:
        decode_file(text, "image")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * len(text)
