"""The client for programs that wait for each answer."""

import time
from types import TracebackType
from typing import Any, Self

import httpx

from app.client.responses import (
    CorrectResponse,
    ModelEntry,
    PredictResponse,
    correct_response,
    model_entries,
    predict_response,
    require_deleted,
)
from app.client.sending import (
    LONGEST_WAIT,
    Image,
    Patience,
    correction_path,
    correction_request,
    prediction_request,
    proxies_explained,
    settings_of,
)


class Client:
    """Asks one service, over connections that are kept.

    A request that is refused for load, or not answered at all, is sent again up to `retries` times: after the
    time that the service names in Retry-After, unless that is more than `longest_wait` seconds, else after a
    growing one. A correction, or its deletion, is sent again only where the service has certainly not done it
    yet. `timeout` is in seconds, for each time that a connection, or the next part of a request or an answer,
    is waited for: an answer that comes in many small parts may take longer, which `AsyncClient` does not let
    it. Every method raises `ServiceError`, and so does the construction, which raises `ValueError` for a
    number that is out of range.
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
        request_id: str | None = None,
    ) -> PredictResponse:
        """Classify images in one request, by the default model or another.

        Each is given as the path of its file, or as the content of the file. `views` is how many views of
        each image to average over, None for the service's own setting; `request_id` an id for the request,
        None for one that the service makes.

        Raises `OSError` for a file that cannot be read, `TypeError` for what is no image, and `ValueError`
        for no image at all and for an id that the service would not take over.
        """
        request = prediction_request(images, top_k, model, version, views, request_id)
        return predict_response(self._send("POST", "/predict", **request))

    def correct(
        self, request_id: str, label: str, *, item: int = 0, image: Image | None = None
    ) -> CorrectResponse:
        """Say which class is right for image number `item`, from 0, of a request whose predictions came.

        The service keeps the correction, with the image if it is given again and the service accepts images.
        Sent again only where the service has certainly not kept it yet: after an answer that is lost, or an
        error within the service, it may be kept all the same.

        Raises `OSError` for a file that cannot be read, and `TypeError` for what is no image.
        """
        request = correction_request(request_id, label, item, image)
        return correct_response(self._send("POST", "/feedback", once=True, **request))

    def delete_correction(self, correction_id: str) -> None:
        """Delete a correction by its id, and its image. Sent again as a correction is.

        Raises `ValueError` for what is no id.
        """
        path = correction_path(correction_id)
        require_deleted(self._send("DELETE", path, once=True))

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

    def _send(
        self,
        method: str,
        path: str,
        *,
        once: bool = False,
        **options: Any,  # noqa: ANN401
    ) -> httpx.Response | httpx.RequestError:
        attempt = 0
        while True:
            outcome: httpx.Response | httpx.RequestError
            try:
                outcome = self._http.request(method, path, **options)
            except httpx.RequestError as error:
                outcome = error
            delay = self._patience.delay(attempt, outcome, once=once)
            if delay is None:
                return outcome
            time.sleep(delay)
            attempt += 1
