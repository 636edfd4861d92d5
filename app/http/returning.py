"""By what a request that was rejected for load is recognised when it comes back, and how much it asks for."""

import asyncio
import hashlib
import re

from fastapi import Request

from app.http.multipart import MAX_BOUNDARY_BYTES, SLICE_BYTES

END_BYTES = 4096
"""Of each end of a body: enough to tell two images apart, and little work where there is too much of it."""

_BOUNDARY = re.compile(r'boundary="?([^";]+)', re.IGNORECASE)
_SHAPE = re.compile(rb'"shape"\s*:\s*\[\s*(\d{1,6})')


def request_key(request: Request, body: bytes) -> bytes:
    """16 bytes, the same for the same request sent again, whatever boundary its form has this time."""
    ends = body if len(body) <= 2 * END_BYTES else body[:END_BYTES] + body[-END_BYTES:]
    if boundary := _boundary(request):
        ends = ends.replace(boundary, b"")
    digest = hashlib.blake2b(ends, digest_size=16)
    digest.update(b"%d %s?%s" % (len(body), request.url.path.encode(), request.scope["query_string"]))
    return digest.digest()


async def estimated_images(request: Request, body: bytes, max_files: int) -> int:
    """How many images a request asks for, at least 1, as far as its body tells without being parsed.

    Others run in between where the body is long.
    """
    if boundary := _boundary(request):
        count = await _count(body, b"--" + boundary) - 1  # the last one ends the form
    else:
        shape = _SHAPE.search(body, 0, END_BYTES) or _SHAPE.search(body, max(0, len(body) - END_BYTES))
        count = int(shape[1]) if shape else 1
    return min(max(count, 1), max_files)


async def _count(body: bytes, wanted: bytes) -> int:
    count = 0
    for start in range(0, len(body), SLICE_BYTES):
        if start:
            await asyncio.sleep(0)
        count += body.count(wanted, start, start + SLICE_BYTES + len(wanted) - 1)
    return count


def _boundary(request: Request) -> bytes:
    found = _BOUNDARY.search(request.headers.get("content-type", ""))
    return found[1].encode("latin-1") if found and len(found[1]) <= MAX_BOUNDARY_BYTES else b""
