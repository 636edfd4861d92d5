"""A client of the service, synchronous and asynchronous: typed answers, errors in words, and patience.

    with Client("http://127.0.0.1:8000") as client:
        print(client.predict(Path("photo.jpg")).predictions[0].top[0].label)

Needs no package but httpx: `pip install resnet-serve`, without an extra.
"""

import asyncio
import os
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

RETRIED = frozenset({429, 503})
"""Statuses of a request that was in order and may be served later."""

FIRST_DELAY, LONGEST_DELAY = 0.2, 10.0
"""Seconds before the first retry, doubled for each further one, where the service names no time."""

LONGEST_WAIT = 60.0
"""Seconds that the service may ask to wait. It asks for more where a rate limit is of hours."""

Image = Path | bytes


@dataclass(frozen=True)
class ClassProbability:
    label: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """Of one image: its name as sent, its size in pixels, and its classes, the most probable first.

    `unfamiliarity` is how unlike the images that the model knows it is, 0..1, and `familiar` whether it is
    like them; both are None where the model cannot tell.
    """

    filename: str | None
    width: int
    height: int
    top: tuple[ClassProbability, ...]
    familiar: bool | None = None
    unfamiliarity: float | None = None


@dataclass(frozen=True)
class Answer:
    """Of one request. `timings_ms` are milliseconds by stage."""

    model: str
    version: str
    predictions: tuple[Prediction, ...]
    timings_ms: dict[str, float]
    request_id: str


@dataclass(frozen=True)
class ModelEntry:
    """A version of a model that is served; `accuracy` is a share of 1, on its test set.

    `current` tells whether it answers requests that name the model and no version.
    """

    name: str
    version: str
    current: bool
    architecture: str
    classes: tuple[str, ...]
    accuracy: float


class ServiceError(Exception):
    """The service refused a request, or could not be reached: then `status` is None, `code` "unreachable".

    `status` is None as well where the address, the key or a proxy is such that there can be no request; then
    `code` is "invalid_client". `field` names the parameter at fault, if one is.
    """

    def __init__(self, status: int | None, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.field = field


class _Common:
    """What both clients do alike, which is all but waiting."""

    def __init__(self, retries: int) -> None:
        if retries < 0:
            raise ValueError(f"retries must be at least 0, got {retries}")
        self._retries = retries

    def delay(self, attempt: int, outcome: httpx.Response | httpx.RequestError) -> float | None:
        """Seconds to wait before the next attempt; None if this outcome is the last."""
        if attempt >= self._retries:
            return None
        if isinstance(outcome, httpx.Response):
            if outcome.status_code not in RETRIED:
                return None
            named = outcome.headers.get("Retry-After", "")
            if named.isascii() and named.isdigit():
                return float(named) if float(named) <= LONGEST_WAIT else None
        # Spread, so that clients that were refused together do not come back together.
        return float(min(FIRST_DELAY * 2**attempt, LONGEST_DELAY) * random.uniform(0.5, 1.0))


def _settings(url: str, api_key: str | None, timeout: float) -> dict[str, Any]:
    """The arguments of an HTTP client. Raises `ServiceError`."""
    if api_key is not None and not (api_key.isascii() and api_key.isprintable()):
        message = "the API key must consist of visible ASCII characters"
        raise ServiceError(None, "invalid_client", message, "api_key")
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ServiceError(None, "invalid_client", f"{url!r} is no URL: {error}", "url") from error
    headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
    return {"base_url": address, "headers": headers, "timeout": timeout}


@contextmanager
def _proxies_explained() -> Iterator[None]:
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


def _name_to_send(file: Path) -> str:
    """The file's name, which may be of any bytes: those that are not UTF-8 replaced."""
    return os.fsencode(file.name).decode("utf-8", "replace")


def _prediction_request(
    images: Sequence[Image],
    top_k: int | None,
    model: str | None,
    version: str | None,
    views: int | None,
) -> dict[str, Any]:
    if not images:
        raise ValueError("images: there must be at least one")
    files = [
        ("file", (_name_to_send(image), image.read_bytes()) if isinstance(image, Path) else ("image", image))
        for image in images
    ]
    parameters = {"top_k": top_k, "model": model, "version": version, "views": views}
    return {
        "files": files,
        "params": {name: value for name, value in parameters.items() if value is not None},
    }


def _content(outcome: httpx.Response | httpx.RequestError) -> Any:  # noqa: ANN401 - JSON
    """What the service answered. Raises `ServiceError`."""
    if isinstance(outcome, httpx.RequestError):
        message = f"the service cannot be reached: {outcome or type(outcome).__name__}"
        raise ServiceError(None, "unreachable", message) from outcome
    try:
        content = outcome.json()
        if outcome.is_success:
            return content
        error = content["error"]
        raise ServiceError(outcome.status_code, error["code"], error["message"], error["field"])
    except (ValueError, KeyError, TypeError) as problem:
        raise _unknown_answer(outcome) from problem


def _unknown_answer(response: httpx.Response) -> ServiceError:
    message = f"status {response.status_code}, and an answer that is not this service's"
    return ServiceError(response.status_code, "unknown_answer", message)


def _answer(response: httpx.Response | httpx.RequestError) -> Answer:
    content = _content(response)
    assert isinstance(response, httpx.Response)
    try:
        predictions = tuple(
            Prediction(
                each["filename"],
                each["width"],
                each["height"],
                tuple(ClassProbability(**entry) for entry in each["top"]),
                each.get("familiar"),
                each.get("unfamiliarity"),
            )
            for each in content["predictions"]
        )
        return Answer(
            content["model"]["name"],
            content["model"]["version"],
            predictions,
            content["timings_ms"],
            response.headers.get("X-Request-ID", ""),
        )
    except (KeyError, TypeError) as problem:
        raise _unknown_answer(response) from problem


def _models(response: httpx.Response | httpx.RequestError) -> tuple[ModelEntry, ...]:
    content = _content(response)
    assert isinstance(response, httpx.Response)
    try:
        return tuple(
            ModelEntry(
                entry["name"],
                entry["version"],
                entry["current"],
                entry["architecture"],
                tuple(entry["classes"]),
                entry["accuracy"],
            )
            for entry in content["models"]
        )
    except (KeyError, TypeError) as problem:
        raise _unknown_answer(response) from problem


class Client:
    """Asks one service, over connections that are kept.

    A request that is refused for load, or not answered at all, is sent again up to `retries` times: after the
    time that the service names in Retry-After, unless that is more than a minute, else after a growing one.
    `timeout` is in seconds, for each attempt. Every method raises `ServiceError`, and so does the
    construction.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        timeout: float = 30.0,
        retries: int = 3,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._common = _Common(retries)
        settings = _settings(url, api_key, timeout)
        with _proxies_explained():
            self._http = httpx.Client(**settings, transport=transport)

    def predict(
        self,
        *images: Image,
        top_k: int | None = None,
        model: str | None = None,
        version: str | None = None,
        views: int | None = None,
    ) -> Answer:
        """Classify images, files or their contents, in one request, by the default model or another.

        `views` is how many views of each image to average over, None for the service's own setting.
        """
        request = _prediction_request(images, top_k, model, version, views)
        return _answer(self._send("POST", "/predict", **request))

    def models(self) -> tuple[ModelEntry, ...]:
        """The models that are served."""
        return _models(self._send("GET", "/models"))

    def is_ready(self) -> bool:
        """Whether the service takes requests now; asked once."""
        try:
            return self._http.get("/health/ready").is_success
        except httpx.RequestError:
            return False

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response | httpx.RequestError:  # noqa: ANN401
        attempt = 0
        while True:
            outcome: httpx.Response | httpx.RequestError
            try:
                outcome = self._http.request(method, path, **options)
            except httpx.RequestError as error:
                outcome = error
            delay = self._common.delay(attempt, outcome)
            if delay is None:
                return outcome
            time.sleep(delay)
            attempt += 1


class AsyncClient:
    """As `Client`, for an event loop."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        timeout: float = 30.0,
        retries: int = 3,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._common = _Common(retries)
        settings = _settings(url, api_key, timeout)
        with _proxies_explained():
            self._http = httpx.AsyncClient(**settings, transport=transport)

    async def predict(
        self,
        *images: Image,
        top_k: int | None = None,
        model: str | None = None,
        version: str | None = None,
        views: int | None = None,
    ) -> Answer:
        """Classify images, files or their contents, in one request, by the default model or another.

        `views` is how many views of each image to average over, None for the service's own setting.
        """
        request = await asyncio.to_thread(_prediction_request, images, top_k, model, version, views)
        return _answer(await self._send("POST", "/predict", **request))

    async def models(self) -> tuple[ModelEntry, ...]:
        """The models that are served."""
        return _models(await self._send("GET", "/models"))

    async def is_ready(self) -> bool:
        """Whether the service takes requests now; asked once."""
        try:
            return (await self._http.get("/health/ready")).is_success
        except httpx.RequestError:
            return False

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def _send(
        self,
        method: str,
        path: str,
        **options: Any,  # noqa: ANN401
    ) -> httpx.Response | httpx.RequestError:
        attempt = 0
        while True:
            outcome: httpx.Response | httpx.RequestError
            try:
                outcome = await self._http.request(method, path, **options)
            except httpx.RequestError as error:
                outcome = error
            delay = self._common.delay(attempt, outcome)
            if delay is None:
                return outcome
            await asyncio.sleep(delay)
            attempt += 1
