"""A compressed request body, decompressed piece by piece, each counted before the next is made."""

import zlib
from collections.abc import Callable

from app.errors import ApiError

WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
"""How zlib is to read each encoding that is understood."""

PIECE_BYTES = 65_536
"""Read and made at a time; zlib lets other threads run meanwhile."""

MAX_MEMBERS = 1000
"""Of a gzip body; tools that write many make each of 64 KiB or more. Ten million bytes of empty ones would
otherwise take half a million decompressors."""


def is_compressed(encoding: str | None) -> bool:
    """Whether a body with this Content-Encoding has to be decompressed.

    Raises `ApiError` 415 for an encoding that is not understood.
    """
    if encoding is None or encoding.strip().lower() in ("", "identity"):
        return False
    if encoding.strip().lower() not in WINDOW_BITS:
        message = f"Content-Encoding must be one of {', '.join(WINDOW_BITS)} or identity, got {encoding!r}"
        raise ApiError(415, "unsupported_encoding", message, "Content-Encoding")
    return True


def decompress(body: bytes, encoding: str, hold: Callable[[int], None]) -> bytes:
    """To be called off the event loop. `hold` is told the size of each piece, and raises if it is too much.

    A gzip body may have several members, one after the other (RFC 1952, 2.2), but at most `MAX_MEMBERS`.
    Raises `ApiError` 400 for a damaged stream, one that is cut off, or with anything behind it.
    """
    name = encoding.strip().lower()
    stream = zlib.decompressobj(WINDOW_BITS[name])
    members = 1
    pieces: list[bytes] = []
    try:
        for start in range(0, len(body), PIECE_BYTES):
            rest = body[start : start + PIECE_BYTES]
            while rest or (pieces and len(pieces[-1]) == PIECE_BYTES and not stream.eof):
                if stream.eof:
                    members += 1
                    if name == "deflate" or members > MAX_MEMBERS:
                        raise _damaged(name)
                    stream = zlib.decompressobj(WINDOW_BITS[name])
                pieces.append(stream.decompress(rest, PIECE_BYTES))
                hold(len(pieces[-1]))
                rest = stream.unused_data if stream.eof else stream.unconsumed_tail
    except zlib.error as error:
        raise _damaged(name) from error
    if not stream.eof:
        raise _damaged(name)
    return b"".join(pieces)


def _damaged(name: str) -> ApiError:
    return ApiError(400, "damaged_body", f"the request body is not valid {name}", "Content-Encoding")
