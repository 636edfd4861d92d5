"""A compressed request body, decompressed under the limit that holds for any other."""

import zlib

from fastapi import Request

from app.errors import ApiError

WINDOW_BITS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
"""How zlib is to read each encoding that is understood."""


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The body, decompressed if Content-Encoding says that it is not as it is.

    Raises `ApiError`: 415 for another encoding, 400 for a damaged stream, and 413 if more than `max_bytes`
    come out of it, of which no more is ever held.
    """
    body = await request.body()
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "identity":
        return body
    if encoding not in WINDOW_BITS:
        message = f"Content-Encoding must be one of {', '.join(WINDOW_BITS)} or identity, got {encoding!r}"
        raise ApiError(415, "unsupported_encoding", message, "Content-Encoding")
    stream = zlib.decompressobj(WINDOW_BITS[encoding])
    try:
        content = stream.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise _damaged(encoding) from error
    if len(content) > max_bytes:
        message = f"the request body is larger than {max_bytes} bytes once it is decompressed"
        raise ApiError(413, "body_too_large", message)
    if not stream.eof or stream.unused_data:
        raise _damaged(encoding)
    return content


def _damaged(encoding: str) -> ApiError:
    return ApiError(400, "damaged_body", f"the request body is not sound {encoding}", "Content-Encoding")
