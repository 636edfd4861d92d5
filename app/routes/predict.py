"""POST /predict: images in, classes and probabilities out."""

from collections.abc import Sequence
from functools import partial
from time import perf_counter
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import to_json

from app.batching.scores import Scores
from app.errors import ApiError, invalid_parameter
from app.http.error_handlers import documented
from app.http.request_scope import ReadyContext, get_context, request_scope
from app.http.uploads import read_uploads, upload_body
from app.inference.classification import Classified, classify_files, remember_answers
from app.inference.preparation import Upload
from app.inference.request_scope import RequestScope
from app.observability.metrics import STAGES
from app.registry.served_model import ServedModel
from app.routes.schemas import ClassProbability, ModelId, ModelQuery
from models.unfamiliarity.detector import is_familiar
from models.views import VIEWS

router = APIRouter(tags=["predict"])

DEFAULT_TOP_K = 5

ENTRY_BYTES = 128
"""Of the response for each file beside its name, and for each of its classes beside the label: never more."""

INLINE_ENTRIES = 2_000
"""So many classes are written on the event loop, in less than a millisecond."""


class PredictQuery(ModelQuery):
    top_k: int = Field(
        DEFAULT_TOP_K,
        ge=1,
        description="Number of classes to return for each image, the most probable first.",
    )
    views: int | None = Field(
        None,
        ge=1,
        le=len(VIEWS),
        description=f"Number of views of each image to average over, the first of: {', '.join(VIEWS)}. Each"
        " takes the time of an image. By default the service's setting.",
    )


DEFAULT_QUERY = PredictQuery()


class Prediction(BaseModel):
    filename: str | None = Field(description="As sent with the file; null for a raw body.")
    width: int = Field(description="Of the image as sent, rotated upright, in pixels.")
    height: int
    top: list[ClassProbability]
    familiar: bool | None = Field(
        description="Whether the image is like those that the model knows, as 95 % of images of the known"
        " classes are; if it is not, the predicted classes are probably wrong. Null if the model has no"
        " detector."
    )
    unfamiliarity: float | None = Field(
        description="How unlike the known images it is, 0..1: up to 0.95, the share of known images that are"
        " less unfamiliar; above 0.95, the image is not familiar. Null if the model has no detector."
    )


class Timings(BaseModel):
    """Milliseconds of each stage, and in total from the first byte of the request.

    The images of one request may be computed in several batches. While any of them is, the time counts as
    `inference`, and between batches as `queue`.
    """

    receive: float = Field(description="Until the body had arrived and was parsed.")
    decode: float
    preprocess: float
    queue: float = Field(description="Waiting for a decoding thread and for a free engine.")
    inference: float
    total: float


class PredictResponse(BaseModel):
    model: ModelId
    predictions: list[Prediction] = Field(description="One for each file, in the order of the request.")
    timings_ms: Timings

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "model": {"name": "resnet18-cifar10", "version": "1"},
                "predictions": [
                    {
                        "filename": "cat.png",
                        "width": 32,
                        "height": 32,
                        "top": [
                            {"label": "cat", "probability": 0.9948},
                            {"label": "ship", "probability": 0.0008},
                        ],
                        "familiar": True,
                        "unfamiliarity": 0.21,
                    }
                ],
                "timings_ms": {
                    "receive": 0.2,
                    "decode": 0.1,
                    "preprocess": 0.1,
                    "queue": 0.2,
                    "inference": 2.4,
                    "total": 3.0,
                },
            }
        }
    )


@router.post(
    "/predict",
    summary="Classify images",
    response_model=PredictResponse,
    responses=documented(400, 404, 408, 413, 415, 422, 429, 501, 503, 504),
    openapi_extra=upload_body(
        "One or several images as the multipart field `file`, or one image as the raw body.", several=True
    ),
)
async def predict(
    request: Request, context: ReadyContext, query: Annotated[PredictQuery, Query()]
) -> Response:
    """Classify each image.

    The format is told by the content: JPEG, PNG, WebP, GIF (first frame), BMP, AVIF, and HEIC if the service
    has the extra for it. If one of several files cannot be used, the whole request is rejected, and the
    message says which file it is.
    """
    async with request_scope(request, context, query.model, query.version) as scope:
        model = scope.model
        _check_top_k(query.top_k, len(model.metadata.classes))
        uploads = await read_uploads(request, scope, context.settings.max_files)
        _check_response_size(uploads, query.top_k, model, context.settings.max_body_bytes)
        scope.record("receive", scope.started, perf_counter())
        classified = await classify_files(uploads, scope, query.views or context.settings.views)
        remember_answers(classified.scores, scope)
        finished = perf_counter()
        encode = partial(_encode, uploads, classified, query.top_k, scope, finished)
        if len(uploads) * query.top_k <= INLINE_ENTRIES:
            content = encode()
        else:
            content = await scope.run(encode, "the response to be written")
    scope.record("respond", finished, perf_counter())
    headers = {"Server-Timing": scope.finish(len(uploads), classified.unfamiliar), **classified.headers}
    return Response(content, media_type="application/json", headers=headers)


async def predict_fast(request: Request) -> Response:
    """`predict`, for `app.http.middleware.dispatch`: what FastAPI would pass to it is found here."""
    query = DEFAULT_QUERY
    try:
        if request.scope["query_string"]:
            query = PredictQuery.model_validate(dict(request.query_params))
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from error
    return await predict(request, await get_context(request), query)


def _encode(
    uploads: Sequence[Upload], classified: Classified, top_k: int, scope: RequestScope, finished: float
) -> bytes:
    about = scope.model.metadata
    # As a `PredictResponse`, but not by way of one: it would check and copy what is known to be right.
    return to_json(
        {
            "model": {"name": about.name, "version": about.version},
            "predictions": [
                {
                    "filename": upload.filename,
                    "width": width,
                    "height": height,
                    "top": _top(score, top_k, scope.model),
                    "familiar": is_familiar(score.unfamiliarity),
                    "unfamiliarity": score.unfamiliarity,
                }
                for upload, (width, height), score in zip(
                    uploads, classified.sizes, classified.scores, strict=True
                )
            ],
            "timings_ms": {
                **{stage: _milliseconds(scope.stages[stage]) for stage in STAGES if stage != "respond"},
                "total": _milliseconds(finished - scope.started),
            },
        },
        inf_nan_mode="null",
    )


def _top(score: Scores, top_k: int, model: ServedModel) -> list[dict[str, object]]:
    labels = model.metadata.classes
    return [
        {"label": labels[index], "probability": probability}
        for index, probability in zip(score.classes[:top_k], score.probabilities[:top_k], strict=True)
    ]


def _check_top_k(top_k: int, classes: int) -> None:
    # A model of few classes must still answer to the default.
    if top_k > max(classes, DEFAULT_TOP_K):
        raise invalid_parameter("top_k", f"must be in 1..{classes}, the number of classes, got {top_k}")


def _check_response_size(uploads: Sequence[Upload], top_k: int, model: ServedModel, max_bytes: int) -> None:
    entry = ENTRY_BYTES + max(len(to_json(label)) for label in model.metadata.classes)
    size = len(uploads) * (ENTRY_BYTES + min(top_k, len(model.metadata.classes)) * entry)
    # Of names that cannot be shown, JSON takes six times the bytes that the request had.
    size += sum(len(to_json(upload.filename)) for upload in uploads)
    if size > max_bytes:
        message = (
            f"the response may have {size} bytes, more than {max_bytes}: send fewer files at a time, or ask"
            " for fewer classes by top_k"
        )
        raise ApiError(413, "response_too_large", message, "top_k")


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
