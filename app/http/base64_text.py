"""Files in Base64, as they come in JSON."""

import base64

PIECE_CHARACTERS = 65_536
"""Decoded at a time, so that other threads run in between; a multiple of four."""


def decode_base64(text: str | bytes) -> bytes:
    """The bytes that a text in Base64 stands for. Raises `ValueError` if it is none."""
    encoded = text.encode("ascii") if isinstance(text, str) else text
    if b"=" in encoded[:-2]:
        raise ValueError("there is padding before the end")
    pieces = range(0, len(encoded), PIECE_CHARACTERS)
    return b"".join(
        base64.b64decode(encoded[start : start + PIECE_CHARACTERS], validate=True) for start in pieces
    )
