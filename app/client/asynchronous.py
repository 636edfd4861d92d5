"""The client for programs with an event loop."""

import asyncio
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


class AsyncClient:
    """As `Client`, for an event loop. Here `timeout` is for each attempt as a whole."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        timeout: float = 30.0,
        retries: int = 3,
        longest_wait: float = LONGEST_WAIT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._patience = Patience(retries, longest_wait)
        self._timeout = timeout
        settings = settings_of(url, api_key, timeout)
        with proxies_explained():
            self._http = httpx.AsyncClient(**settings, transport=transport)

    async def predict(
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
        request = await asyncio.to_thread(
            prediction_request, images, top_k, model, version, views, request_id
        )
        return predict_response(await self._send("POST", "/predict", **request))

    async def correct(
        self, request_id: str, label: str, *, item: int = 0, image: Image | None = None
    ) -> CorrectResponse:
        """Say which class is right for image number `item`, from 0, of a request whose predictions came.

        The service keeps the correction, with the image if it is given again and the service accepts images.
        Sent again only where the service has certainly not kept it yet: after an answer that is lost, or an
        error within the service, it may be kept all the same.

        Raises `OSError` for a file that cannot be read, and `TypeError` for what is no image.
        """
        request = await asyncio.to_thread(correction_request, request_id, label, item, image)
        return correct_response(await self._send("POST", "/feedback", once=True, **request))

    async def delete_correction(self, correction_id: str) -> None:
        """Delete a correction by its id, and its image. Sent again as a correction is.

        Raises `ValueError` for what is no id.
        """
        path = correction_path(correction_id)
        require_deleted(await self._send("DELETE", path, once=True))

    async def models(self) -> tuple[ModelEntry, ...]:
        """The models that are served."""
        return model_entries(await self._send("GET", "/models"))

    async def is_ready(self) -> bool:
        """Whether the service takes requests now; asked once."""
        try:
            async with asyncio.timeout(self._timeout):
                return (await self._http.get("/health/ready")).is_success
        except (httpx.RequestError, TimeoutError):
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
        *,
        once: bool = False,
        **options: Any,  # noqa: ANN401
    ) -> httpx.Response | httpx.RequestError:
        attempt = 0
        while True:
            outcome: httpx.Response | httpx.RequestError
            try:
                async with asyncio.timeout(self._timeout):
                    outcome = await self._http.request(method, path, **options)
            except httpx.RequestError as error:
                outcome = error
            except TimeoutError:
                outcome = httpx.ReadTimeout(f"there was no whole answer within {self._timeout:g} s")
            delay = self._patience.delay(attempt, outcome, once=once)
            if delay is None:
                return outcome
            await asyncio.sleep(delay)
            attempt += 1
