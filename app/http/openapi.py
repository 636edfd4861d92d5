"""The API's document, with what middleware and settings add: keys, limits, names, and time."""

from collections.abc import Iterator
from functools import lru_cache
from threading import Lock
from typing import Any

from fastapi import FastAPI, Request, Response
from pydantic_core import to_json

from app.http.middleware.api_keys import is_open
from app.http.middleware.rate_limit import is_limited
from app.http.middleware.trusted_hosts import HEALTH
from app.http.middleware.trusted_proxies import DOCUMENT
from app.settings import Settings

KEY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "x_api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
"""Either will do."""

MOST_PREFIXES = 4
"""For which the document is kept as it was written; usually it is one, which a proxy names."""

TIMEOUT = {
    "name": "X-Request-Timeout",
    "in": "header",
    "description": "Timeout of this request in seconds, if shorter than that of the service.",
    "schema": {"type": "number", "exclusiveMinimum": 0},
}
"""What every operation takes that may answer 504."""


def complete_document(app: FastAPI, settings: Settings) -> None:
    """Have `app` serve its document, with what is decided of every operation outside of its route."""
    of_routes = app.openapi
    lock = Lock()

    def openapi() -> dict[str, Any]:
        is_complete = app.openapi_schema is not None
        document = of_routes()
        if not is_complete:
            _complete(document, settings)
        return document

    app.openapi = openapi  # type: ignore[method-assign]

    @lru_cache(maxsize=MOST_PREFIXES)
    def written(prefix: str) -> bytes:
        return to_json({**openapi(), "servers": [{"url": prefix}]} if prefix else openapi())

    # A plain function, which runs on a thread: the first time, half a second would pass on the event loop.
    @app.get(DOCUMENT, include_in_schema=False)
    def document(request: Request) -> Response:
        with lock:  # so that many who ask at once have it made once
            content = written(request.scope["root_path"])
        return Response(content, media_type="application/json")


def _complete(document: dict[str, Any], settings: Settings) -> None:
    keys = bool(settings.all_keys())
    if keys:
        document["components"]["securitySchemes"] = KEY_SCHEMES
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if "504" in operation["responses"]:
                operation.setdefault("parameters", []).append(TIMEOUT)
            for status, description in _answers(path, settings):
                operation["responses"].setdefault(status, _error(path, description))
            if keys and not is_open(path):
                operation["security"] = [{scheme: []} for scheme in KEY_SCHEMES]


def _answers(path: str, settings: Settings) -> Iterator[tuple[str, str]]:
    if settings.known_hosts() and not path.startswith(HEALTH):
        yield "400", "`unknown_host`"
    if settings.all_keys() and not is_open(path):
        yield "401", "`unauthorized`"
    if settings.rate_limit and is_limited(path):
        yield "429", "`rate_limited`"


def _error(path: str, description: str) -> dict[str, Any]:
    kind = "V2Error" if path.startswith("/v2") else "ErrorResponse"
    schema = {"$ref": f"#/components/schemas/{kind}"}
    return {"description": f"For example {description}", "content": {"application/json": {"schema": schema}}}
