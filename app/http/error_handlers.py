"""Every error of the API: exception -> status -> the one JSON shape.

    {"error": {"code": "damaged_image", "message": "the PNG image is damaged or cut off", "field": "file"}}

Below /v2, where the Open Inference Protocol says what an error looks like, it is the message alone:

    {"error": "the PNG image is damaged or cut off"}

| status | what it means here                                          |
|--------|-------------------------------------------------------------|
| 400    | the request or an image in it is malformed                  |
| 401    | a key is asked for, and there is none or another one        |
| 403    | the service was not started to allow this                   |
| 404    | there is no such page, model or file                        |
| 405    | the path exists, the method does not                        |
| 408    | the request did not arrive in the time it may take          |
| 409    | what is served now stands in the way of this change         |
| 413    | a limit on bytes, pixels or images is exceeded              |
| 415    | not an image type that is accepted                          |
| 422    | well formed, but a parameter or field is missing or illegal |
| 429    | too much to do at the moment, or asked for by one client;   |
|        | Retry-After says for how long                               |
| 431    | too many headers, or too large                              |
| 499    | the client left; nobody receives this                       |
| 500    | our fault; the answer says nothing about the inside         |
| 501    | PyTorch is needed, which is not installed here              |
| 503    | not ready, being stopped, or what it needs cannot be read   |
| 504    | the request took longer than it may                         |
| 507    | there is no room to keep this                               |
"""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.batching.batch_errors import ClosedError, DeadlineError, QueueFullError
from app.batching.thread_pools import OverloadedError
from app.errors import ApiError, ProtocolError, client_left, invalid_parameter
from app.http.allowed_methods import allowed_methods
from app.inference.preparation import of_image
from app.observability.tracing import note_error
from app.registry.control import RefusedChangeError
from app.registry.other_workers import FollowError
from app.registry.plan_folder import BusyError
from app.registry.repository import UnknownModelError
from models.artifact.store import ArtifactError
from models.preprocessing.image_error import ImageError


class ErrorDetail(BaseModel):
    code: str
    message: str
    field: str | None


class ErrorResponse(BaseModel):
    error: ErrorDetail


MAX_MESSAGE = 10_000
"""Characters of an error's message, and of its field. They repeat what a request has sent: a name of a field
with nine million bytes made an answer of 54 million."""


def render(error: ApiError, path: str = "") -> JSONResponse:
    """The answer to a request for `path`, in the shape that errors have there; cut off if it is long."""
    message = _cut_off(error.message)
    field = None if error.field is None else _cut_off(error.field)
    detail = ErrorDetail(code=error.code, message=message, field=field)
    content = ErrorResponse(error=detail).model_dump()
    if path == "/v2" or path.startswith("/v2/"):
        content = {"error": message}
    return JSONResponse(content, error.status, headers=dict(error.headers or {}))


def _cut_off(text: str) -> str:
    return text if len(text) <= MAX_MESSAGE else f"{text[:MAX_MESSAGE]}..."


_HTTP_CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed"}


def _of_overload(error: OverloadedError | QueueFullError) -> ApiError:
    return ApiError(429, "overloaded", str(error))


def _of_unknown_model(error: UnknownModelError, request: Request) -> ApiError:
    if error.version is not None:
        return ApiError(404, "unknown_version", str(error), "version")
    # The name is a part of the path or a query parameter.
    field = "name" if "name" in request.path_params else "model"
    return ApiError(404, "unknown_model", str(error), field)


def _of_validation(error: RequestValidationError) -> ApiError:
    first = error.errors()[0]
    field = str(first["loc"][-1])
    if first["type"] == "extra_forbidden":
        return ApiError(422, "unknown_parameter", f"{field}: there is no such parameter", field)
    return invalid_parameter(field, first["msg"])


def _of_http(error: HTTPException, request: Request) -> ApiError:
    code = _HTTP_CODES.get(error.status_code, "http_error")
    message = f"{request.method} {request.url.path}: {error.detail}"
    return ApiError(error.status_code, code, message, headers=error.headers)


def to_api_error(error: Exception, request: Request) -> ApiError:
    """The answer to any exception."""
    match error:
        case ApiError():
            return error
        case ImageError():
            return of_image(error)
        case UnknownModelError():
            return _of_unknown_model(error, request)
        case BusyError() | RefusedChangeError():
            return ApiError(409, "conflict", str(error))
        case ArtifactError():
            return ApiError(422, "model_refused", str(error))
        case FollowError():
            return ApiError(500, "not_followed", str(error))
        case ProtocolError():
            return ApiError(400, "malformed_request", str(error))
        case QueueFullError() if error.count > error.limit:
            return ApiError(413, "too_many_images", str(error), "file")  # and waiting will not help
        case OverloadedError() | QueueFullError():
            return _of_overload(error)
        case DeadlineError():
            return ApiError(504, "deadline_exceeded", str(error))
        case ClientDisconnect():
            return client_left()
        case ClosedError():
            return ApiError(503, "stopping", "the service is being stopped")
        case RequestValidationError():
            return _of_validation(error)
        case HTTPException():
            return _of_http(error, request)
        case _:
            # Starlette raises it again after the answer, and the server logs it with its traceback.
            return ApiError(500, "internal_error", "an unexpected error occurred; it has been logged")


REJECTIONS = frozenset({"overloaded", "rate_limited", "not_ready", "stopping", "deadline_exceeded"})
"""The codes of requests that were in order and could still not be served; the metrics count them by code."""


def error_response(error: Exception, request: Request) -> JSONResponse:
    """The response to any exception, which is counted if it is a rejection."""
    answered = to_api_error(error, request)
    note_error(answered.code, answered.message if answered.status >= 500 else None)
    if answered.code == "overloaded" and "Retry-After" not in (answered.headers or {}):
        context = request.app.state.context
        answered.headers = {
            **(answered.headers or {}),
            "Retry-After": str(context.retry_after(None, 1, keeps_place=False) if context else 1),
        }
    if answered.status == 405 and (methods := allowed_methods(request.app.routes, request.scope["path"])):
        # Of several routes for a path, the error knows the methods of the first one only.
        answered.headers = {"Allow": ", ".join(methods)}
    if answered.code in REJECTIONS:
        request.app.state.metrics.rejected(answered.code)
    return render(answered, request.url.path)


def install(app: FastAPI) -> None:
    """Have every error of `app` answered in the one shape; `app.state.metrics` counts the rejections."""

    async def handle(request: Request, error: Exception) -> JSONResponse:
        return error_response(error, request)

    for kind in (
        ApiError,
        ImageError,
        UnknownModelError,
        BusyError,
        RefusedChangeError,
        ArtifactError,
        FollowError,
        ProtocolError,
        OverloadedError,
        QueueFullError,
        DeadlineError,
        ClosedError,
        ClientDisconnect,
        RequestValidationError,
        HTTPException,
        Exception,
    ):
        app.add_exception_handler(kind, handle)


_EXAMPLES = {
    400: ApiError(400, "damaged_image", "the PNG image is damaged or cut off", "file"),
    403: ApiError(403, "feedback_off", "RESNET_SERVE_FEEDBACK is not set: corrections are not taken"),
    404: ApiError(404, "unknown_model", "there is no model 'resnet50'; choose from resnet18-cifar10", "name"),
    408: ApiError(408, "body_too_slow", "the request body did not arrive within 30 s"),
    413: ApiError(413, "body_too_large", "the request body is larger than 10000000 bytes"),
    415: ApiError(
        415,
        "unsupported_image",
        "not an image in one of the formats JPEG, PNG, WebP, GIF, BMP, AVIF, HEIC",
        "file",
    ),
    422: invalid_parameter("top_k", "Input should be greater than or equal to 1"),
    429: ApiError(429, "overloaded", "64 requests are already being worked on; try again later"),
    501: ApiError(
        501, "pytorch_not_installed", "this needs PyTorch, which is not installed where this service runs"
    ),
    503: ApiError(503, "not_ready", "the model is not loaded"),
    504: ApiError(504, "deadline_exceeded", "the deadline passed after 30.0 s of waiting"),
    507: ApiError(507, "feedback_full", "100000 corrections are kept, as many as may be"),
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entries of the errors a route answers with, an example for each."""
    return {
        status: {
            "model": ErrorResponse,
            "description": f"For example `{_EXAMPLES[status].code}`",
            "content": {
                "application/json": {
                    "example": {
                        "error": {
                            "code": _EXAMPLES[status].code,
                            "message": _EXAMPLES[status].message,
                            "field": _EXAMPLES[status].field,
                        }
                    }
                }
            },
        }
        for status in statuses
    }
