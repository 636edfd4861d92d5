"""What a request costs in our own code: processor time by function, without network and HTTP parsing.

    python -m tests.bench.request_profile [--requests N] [--raw]

One request after the other goes through the app as uvicorn would hand it over; the engine computes nothing.
The last line is JSON: microseconds of processor time for each request, and the functions that take most of
them, each without what it calls.
"""

import argparse
import asyncio
import cProfile
import json
import pstats
from io import BytesIO
from pathlib import Path
from time import process_time
from typing import Any

from fastapi import FastAPI
from PIL import Image
from starlette.types import Message

from app.main import create_app
from app.settings import Settings
from tests.bench import noop_server

IMAGE = Path(__file__).parents[2] / "app/static/samples/cat.png"
SHOWN = 25


def body(*, raw: bool) -> tuple[bytes, bytes]:
    """The content type and the body of a request for one 32×32 JPEG, as curl sends it."""
    with BytesIO() as file:
        Image.open(IMAGE).convert("RGB").save(file, "JPEG")
        content = file.getvalue()
    if raw:
        return b"image/jpeg", content
    boundary = b"------------------------5f0c3a9be1f24d77"
    head = b'Content-Disposition: form-data; name="file"; filename="cat.jpg"\r\nContent-Type: image/jpeg'
    return (
        b"multipart/form-data; boundary=" + boundary,
        b"--" + boundary + b"\r\n" + head + b"\r\n\r\n" + content + b"\r\n--" + boundary + b"--\r\n",
    )


async def send_all(app: FastAPI, count: int, kind: bytes, content: bytes) -> None:
    headers = [
        (b"host", b"127.0.0.1:8000"),
        (b"user-agent", b"curl/8"),
        (b"accept", b"*/*"),
        (b"content-length", str(len(content)).encode()),
        (b"content-type", kind),
    ]
    message: Message = {"type": "http.request", "body": content, "more_body": False}

    async def send(sent: Message) -> None:
        if sent["type"] == "http.response.start":
            assert sent["status"] == 200, sent

    for _ in range(count):
        received = False

        async def receive() -> Message:
            nonlocal received
            if received:
                await asyncio.Event().wait()  # the client stays
            received = True
            return message

        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "server": ("127.0.0.1", 8000),
            "client": ("127.0.0.1", 50000),
            "scheme": "http",
            "method": "POST",
            "root_path": "",
            "path": "/predict",
            "raw_path": b"/predict",
            "query_string": b"",
            "headers": list(headers),
            "state": {},
        }
        # A task each, as uvicorn makes it.
        await asyncio.create_task(app(scope, receive, send))


async def measure(requests: int, *, raw: bool) -> dict[str, Any]:
    noop_server.install()
    app = create_app(Settings(engine="openvino"))
    kind, content = body(raw=raw)
    async with app.router.lifespan_context(app):
        await send_all(app, 200, kind, content)
        started = process_time()
        await send_all(app, requests, kind, content)
        seconds = process_time() - started
        profile = cProfile.Profile()
        profile.enable()
        await send_all(app, requests, kind, content)
        profile.disable()
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    rows = sorted(stats.items(), key=lambda row: -row[1][2])[:SHOWN]
    return {
        "benchmark": "request_profile",
        "body": "raw" if raw else "multipart",
        "requests": requests,
        "microseconds": round(1e6 * seconds / requests, 1),
        "functions": [
            {
                "function": f"{Path(file).name}:{line}:{name}",
                "calls": round(calls / requests, 2),
                "microseconds": round(1e6 * own / requests, 1),
            }
            for (file, line, name), (_, calls, own, _, _) in rows
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--raw", action="store_true", help="send the image as the raw body instead of a form")
    arguments = parser.parse_args()
    result = asyncio.run(measure(arguments.requests, raw=arguments.raw))
    for row in result["functions"]:
        print(f"{row['microseconds']:8.1f} µs {row['calls']:6.2f}  {row['function']}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
