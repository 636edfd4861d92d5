import asyncio
from types import SimpleNamespace
from typing import Any

from fastapi import Request

from app.routes import feedback
from app.routes.feedback import INLINE_BYTES


def test_a_large_correction_is_left_to_a_thread_before_anything_in_it_is_counted() -> None:
    """To count in ten million bytes on the event loop held up all requests for up to a tenth of a second."""
    work: list[object] = []

    async def run(given: object, _waiting_for: str) -> str:
        work.append(given)
        return "what the thread made of it"

    scope: Any = SimpleNamespace(body=b"[" + b"1," * INLINE_BYTES, run=run)
    request = Request({"type": "http", "headers": [(b"content-type", b"application/json")]})
    read: Any = asyncio.run(feedback._read(request, scope))
    assert read == "what the thread made of it"
    assert len(work) == 1
