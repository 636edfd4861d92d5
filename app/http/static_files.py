"""The files of the page and of the documentation, each compressed once."""

import gzip
import re
from pathlib import Path
from threading import Lock

from anyio.to_thread import run_sync
from fastapi import Response
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import Headers
from starlette.staticfiles import NotModifiedResponse
from starlette.types import Scope

NO_WEIGHT = re.compile(r"\s*q\s*=\s*0(\.0*)?\s*")

CONDITIONS = (b"if-none-match", b"if-modified-since")

COMPRESSED_FROM = 1000
"""Bytes: below, a file fits into the packet that its headers need anyway."""


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether a header's value names gzip, and not with a weight of 0 (RFC 9110, 12.5.3)."""
    for each in accept_encoding.lower().split(","):
        coding, _, weight = each.partition(";")
        if coding.strip() == "gzip":
            return not NO_WEIGHT.fullmatch(weight)
    return False


class CompressedFiles(StaticFiles):
    """`StaticFiles` that sends what becomes smaller by it compressed, to clients that accept gzip.

    Each file is compressed on a thread when it is first asked for, and kept. To compress the largest one for
    each request, on the event loop, took 0.14 s: forty requests for it held up all others for 4 s.

    Browsers ask each time whether a file has changed. Told nothing, they would take files of an earlier
    release from their cache for days, and others, which they do not have, from this one.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory=directory)
        self._lock = Lock()
        self._compressed: dict[Path, tuple[str, bytes | None]] = {}

    async def get_response(self, path: str, scope: Scope) -> Response:
        asked = Headers(scope=scope)
        # Whether it has changed is told below, once it is known in which form it is sent.
        others = [header for header in scope["headers"] if header[0] not in CONDITIONS]
        response = await super().get_response(path, {**scope, "headers": others})
        response.headers["cache-control"] = "no-cache"
        response.headers.add_vary_header("Accept-Encoding")
        if not isinstance(response, FileResponse):
            return response
        if accepts_gzip(asked.get("accept-encoding", "")):
            response = await self._compressed_response(response)
        return (
            NotModifiedResponse(response.headers)
            if self.is_not_modified(response.headers, asked)
            else response
        )

    async def _compressed_response(self, plain: FileResponse) -> Response:
        """The same file, compressed where it becomes smaller, and with a tag of its own (RFC 9110, 8.8.3)."""
        tag = plain.headers["etag"]
        content = await run_sync(self._compress, Path(plain.path), tag)
        if content is None:
            return plain
        headers = {name: value for name, value in plain.headers.items() if name != "content-length"}
        headers |= {"content-encoding": "gzip", "etag": f'{tag[:-1]}-gzip"'}
        return Response(content, headers=headers)

    def _compress(self, path: Path, tag: str) -> bytes | None:
        """The file that has this tag; None where it would not become smaller."""
        with self._lock:
            known, content = self._compressed.get(path, ("", None))
            if known != tag:
                plain = path.read_bytes()
                packed = gzip.compress(plain) if len(plain) >= COMPRESSED_FROM else plain
                content = packed if len(packed) < len(plain) else None
                self._compressed[path] = tag, content
            return content
