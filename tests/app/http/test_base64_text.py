"""Base64 is decoded in pieces, to the same bytes as at once."""

import base64

import pytest

from app.http.base64_text import PIECE_CHARACTERS, decode_base64


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
