"""The client for programs that wait for each answer."""

import time
from types import TracebackType
from typing import Any, Self

import httpx

from app.client.responses import ModelEntry, PredictResponse, model_entries, predict_response
from app.client.sending import (
    LONGEST_WAIT,
    Image,
    Patience,
    prediction_request,
    proxies_explained,
    settings_of,
)


class Client:
    """Asks one service, over connections that are kept.

    A request that is refused for load, or not answered at all, is sent again up to `retries` times: after the
    time that the service names in Retry-After, unless that is more than `longest_wait` seconds, else after a
    growing one. `timeout` is in seconds, for each attempt. Every method raises `ServiceError`, and so does
    the construction, which raises `ValueError` for a number that is out of range.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        timeout: float = 30.0,
        retries: int = 3,
        longest_wait: float = LONGEST_WAIT,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._patience = Patience(retries, longest_wait)
        settings = settings_of(url, api_key, timeout)
        with proxies_explained():
            self._http = httpx.Client(**settings, transport=transport)

    def predict(
        self,
        *images: Image,
        top_k: int | None = None,
        model: str | None = None,
        version: str | None = None,
        views: int | None = None,
    ) -> PredictResponse:
        """Classify images in one request, by the default model or another.

        Each is given as the path of its file, or as the content of the file. Raises `OSError` for a file that
        cannot be read, `TypeError` for anything else, and `ValueError` for no image at all. `views` is
        how many views of each image to average over, None for the service's own setting.
        """
        request = prediction_request(images, top_k, model, version, views)
        return predict_response(self._send("POST", "/predict", **request))

    def models(self) -> tuple[ModelEntry, ...]:
        """The models that are served."""
        return model_entries(self._send("GET", "/models"))

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
            delay = self._patience.delay(attempt, outcome)
            if delay is None:
                return outcome
            time.sleep(delay)
            attempt += 1
