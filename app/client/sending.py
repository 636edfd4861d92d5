"""What both clients do alike, which is all but waiting."""

import base64
import os
import random
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx

from app.client.responses import code_of
from app.errors import ServiceError

RETRIED = frozenset({429, 503})
"""Statuses of a request that was in order and may be served later."""

REFUSED_AT_ONCE = frozenset({"not_ready", "too_many_connections"})
"""Codes of a 503 that the service gives before it does anything with a request. Of its others, `stopping` may
come while the database is at work, and `feedback_unavailable` once it is lost while it keeps a correction."""

REQUEST_ID = re.compile(r"[A-Za-z0-9._~:/+=@-]{1,128}")
"""The ids that the service takes over from a client; in place of any other it makes one of its own."""

CORRECTION_ID = re.compile(r"[A-Za-z0-9_-]+")
"""What is no part of a path but itself."""

API_KEY = re.compile(r"[!-~](?:[ -~]*[!-~])?")
"""What a header can carry: spaces at the end of its value would be no part of it."""

FIRST_DELAY, LONGEST_DELAY = 0.2, 10.0
"""Seconds before the first retry, doubled for each further one, where the service names no time."""

LONGEST_WAIT = 300.0
"""Seconds that the service may ask to wait, by default. For load it sends nobody away for longer, but a rate
limit may be of hours."""

Image = str | Path | bytes | bytearray | memoryview
"""An image to send: the path of its file, as text or as a path, or the content of the file."""


class Patience:
    """When to send a request again, and when not. Raises `ValueError` for numbers below 0."""

    def __init__(self, retries: int, longest_wait: float) -> None:
        if retries < 0:
            raise ValueError(f"retries must be at least 0, got {retries}")
        if not longest_wait >= 0:
            raise ValueError(f"longest_wait must be at least 0 seconds, got {longest_wait}")
        self._retries = retries
        self._longest_wait = longest_wait

    def delay(
        self, attempt: int, outcome: httpx.Response | httpx.RequestError, *, once: bool = False
    ) -> float | None:
        """Seconds to wait before the next attempt; None if this outcome is the last.

        With `once`, it is the last unless the service has certainly done nothing with the request.
        """
        if attempt >= self._retries or (once and not _was_refused_at_once(outcome)):
            return None
        if isinstance(outcome, httpx.Response):
            if outcome.status_code not in RETRIED:
                return None
            named = _named_seconds(outcome.headers)
            if named is not None:
                return named if named <= self._longest_wait else None
        # Spread, so that clients that were refused together do not come back together.
        return float(min(FIRST_DELAY * 2**attempt, LONGEST_DELAY) * random.uniform(0.5, 1.0))


def _was_refused_at_once(outcome: httpx.Response | httpx.RequestError) -> bool:
    """Whether a request was not sent at all, or the service refused it before it did anything.

    After any other error it may still be carried out, or have been.
    """
    if isinstance(outcome, httpx.RequestError):
        return isinstance(outcome, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    return outcome.status_code == 429 or code_of(outcome) in REFUSED_AT_ONCE


def _named_seconds(headers: httpx.Headers) -> float | None:
    """How long Retry-After says to wait; None where it says nothing (RFC 9110, 10.2.3).

    The service says it in seconds, and a proxy before it may name a time, by the clock that Date is of.
    """
    named = headers.get("Retry-After", "")
    if named.isascii() and named.isdigit():
        return float(named)
    try:
        now = parsedate_to_datetime(headers["Date"]) if "Date" in headers else datetime.now(UTC)
        return max(0.0, (parsedate_to_datetime(named) - now).total_seconds())
    except (ValueError, TypeError, OverflowError):  # a date without a zone, or in the year 10000
        return None


def settings_of(url: str, api_key: str | None, timeout: float) -> dict[str, Any]:
    """The arguments of an HTTP client. Raises `ServiceError`, and `ValueError` for a wrong `timeout`."""
    if not 0 < timeout < float("inf"):
        raise ValueError(f"timeout must be more than 0 seconds and finite, got {timeout}")
    if api_key is not None and not API_KEY.fullmatch(api_key):
        message = "the API key must consist of visible ASCII characters, at least one"
        raise ServiceError(None, "invalid_client", message, "api_key")
    try:
        address = httpx.URL(url)
        # As the system's resolver does, where it would be too late: "a..b" is no name of a host.
        address.raw_host.decode("ascii").encode("idna")
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ServiceError(None, "invalid_client", f"{url!r} is no URL: {error}", "url") from error
    if address.scheme not in ("http", "https") or not address.host:
        message = f"{url!r} is not the URL of a service, such as http://127.0.0.1:8000"
        raise ServiceError(None, "invalid_client", message, "url")
    headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
    return {"base_url": address, "headers": headers, "timeout": timeout}


@contextmanager
def proxies_explained() -> Iterator[None]:
    """Raises `ServiceError` for a proxy in the environment that httpx cannot use."""
    try:
        yield
    except ImportError as error:
        message = (
            "the environment names a SOCKS proxy: pip install 'httpx[socks]', or unset ALL_PROXY, HTTP_PROXY"
            " and HTTPS_PROXY"
        )
        raise ServiceError(None, "invalid_client", message) from error
    except (ValueError, httpx.InvalidURL) as error:
        message = f"the environment names a proxy that cannot be used: {error}"
        raise ServiceError(None, "invalid_client", message) from error


def _require_image(field: str, image: object) -> None:
    """Raises `TypeError` for what is neither a path nor the content of a file."""
    if not isinstance(image, Image):
        raise TypeError(
            f"{field}: must be the path of an image file, as str or Path, or the content of one, as bytes,"
            f" got {type(image).__name__}"
        )


def _name_and_content(image: Image) -> tuple[str, bytes]:
    """What is sent of an image. Raises `OSError` where its file cannot be read."""
    if not isinstance(image, str | Path):
        return "image", bytes(image)
    file = Path(image)
    # The name may be of any bytes: those that are not UTF-8 are replaced.
    return os.fsencode(file.name).decode("utf-8", "replace"), file.read_bytes()


def prediction_request(
    images: Sequence[Image],
    top_k: int | None,
    model: str | None,
    version: str | None,
    views: int | None,
    request_id: str | None,
) -> dict[str, Any]:
    """The arguments of the HTTP client's request.

    Raises `ValueError` and `TypeError`, before any file is read, and `OSError`.
    """
    if not images:
        raise ValueError("images: there must be at least one")
    for image in images:
        _require_image("images", image)
    if request_id is not None and not REQUEST_ID.fullmatch(request_id):
        message = "must be 1 to 128 ASCII letters, digits and characters of ._~:/+=@-"
        raise ValueError(f"request_id: {message}, got {request_id!r}")
    files = [("file", _name_and_content(image)) for image in images]
    parameters = {"top_k": top_k, "model": model, "version": version, "views": views}
    return {
        "files": files,
        "params": {name: value for name, value in parameters.items() if value is not None},
        "headers": {} if request_id is None else {"X-Request-ID": request_id},
    }


def correction_request(request_id: str, label: str, item: int, image: Image | None) -> dict[str, Any]:
    """The arguments of the HTTP client's request. Raises `TypeError`, and `OSError` as for a prediction."""
    correction: dict[str, Any] = {"request_id": request_id, "label": label, "item": item}
    if image is not None:
        _require_image("image", image)
        correction["image"] = base64.b64encode(_name_and_content(image)[1]).decode()
    return {"json": correction}


def correction_path(correction_id: str) -> str:
    """The path of a correction. Raises `ValueError` for what is no id, and might lead to another path."""
    if not CORRECTION_ID.fullmatch(correction_id):
        raise ValueError(f"correction_id: must be the id that `correct` returned, got {correction_id!r}")
    return f"/feedback/{correction_id}"
