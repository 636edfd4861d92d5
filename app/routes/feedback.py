"""/feedback: a person's word that a prediction was wrong, where the service was started to keep it."""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.errors import ApiError, invalid_parameter
from app.feedback.store import FeedbackStore
from app.http.base64_text import decode_file
from app.http.error_handlers import documented
from app.http.middleware.rate_limit import client_of
from app.http.query import NO_QUERY
from app.http.request_scope import ReadyContext, request_deadline, request_scope
from app.inference.context import InferenceContext
from app.inference.preparation import Upload, prepare_images
from app.inference.request_scope import RequestScope
from app.routes.schemas import ModelId
from models.feedback.records import Correction, Prediction

router = APIRouter(tags=["feedback"], dependencies=NO_QUERY)

INLINE_BYTES = 65_536
"""A body of so few bytes is read on the event loop, in less than a millisecond."""

MAX_COMMAS = 300
"""In a body: it needs three between its fields, and there may be some in the name of a class."""

JSON_TYPE = "application/json"


class FeedbackTerms(BaseModel):
    """Which corrections the service accepts, and for how long it keeps them."""

    enabled: bool = Field(description="Whether corrections are accepted at all.")
    images: bool = Field(description="Whether a correction may include its image.")
    days: int = Field(description="Number of days for which corrections are kept, unless deleted before.")


class Feedback(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"example": {"request_id": "4f2c8f0e0f5b4a0f8f5a4bfc2f3f3c11", "label": "dog"}},
    )

    request_id: str = Field(
        pattern=r"^[A-Za-z0-9._~:/+=@-]{1,128}$",
        description="Id of the prediction's request, from the header X-Request-ID of its response.",
    )
    label: str = Field(min_length=1, max_length=200, description="The right class.")
    item: int = Field(0, ge=0, lt=10_000, description="Number of the image within that request, from 0.")
    image: str | None = Field(
        None,
        description="The image's file in Base64, or as a data URL, to be kept with the correction, if the"
        " service accepts images.",
    )


class PredictionMade(BaseModel):
    model: ModelId
    label: str
    probability: float = Field(description="Calibrated, 0..1.")


class FeedbackKept(BaseModel):
    id: str = Field(description="The id with which the correction can be deleted, by anybody who knows it.")
    prediction: PredictionMade | None = Field(
        description="The prediction, which is kept with the correction; null if the service has forgotten it."
    )
    image_bytes: int = Field(description="Size of the image that is kept; 0 without one.")
    days: int = Field(description="Number of days after which the correction is deleted.")


def _body() -> dict[str, Any]:
    schema = Feedback.model_json_schema()
    schema["properties"]["image"] = {
        "type": "string",
        "format": "byte",
        "description": schema["properties"]["image"]["description"],
    }
    return {"requestBody": {"required": True, "content": {JSON_TYPE: {"schema": schema}}}}


@router.get("/feedback", summary="Say whether corrections are accepted", responses=documented(422, 503))
async def terms(context: ReadyContext) -> FeedbackTerms:
    """What is kept of a correction, and for how long: tell the user before you ask for one."""
    settings = context.settings
    return FeedbackTerms(
        enabled=settings.feedback,
        images=settings.feedback and settings.feedback_images,
        days=settings.feedback_days,
    )


@router.post(
    "/feedback",
    summary="Correct a prediction",
    status_code=201,
    responses=documented(400, 403, 408, 413, 415, 422, 429, 503, 504, 507),
    openapi_extra=_body(),
)
async def correct(request: Request, context: ReadyContext) -> FeedbackKept:
    """Store the right class of an image that was classified before, together with the prediction.

    The service no longer has the image itself: if it accepts images, the correction may include it again.
    Several corrections of the same image are all kept; the last one counts.
    """
    store = _store(request, context)
    async with request_scope(request, context) as scope:
        told = await _read(request, scope)
        image = await _image(told.image, scope) if told.image is not None else None
        prediction = await scope.wait(store.recall(told.request_id, told.item), "the feedback database")
        _require_class(told.label, prediction, context)
        correction = Correction(told.request_id, told.item, told.label, image)
        kept = await scope.wait(store.add(correction, prediction), "the feedback database")
    return FeedbackKept(
        id=kept,
        prediction=_shown(prediction),
        image_bytes=len(image or b""),
        days=context.settings.feedback_days,
    )


@router.delete(
    "/feedback/{id}",
    summary="Delete a correction",
    status_code=204,
    responses=documented(403, 404, 422, 429, 503, 504),
)
async def remove(
    request: Request,
    context: ReadyContext,
    known: Annotated[
        str, Path(alias="id", pattern="^[0-9a-f]{32}$", description="The `id` that POST returned.")
    ],
) -> Response:
    """Delete a correction, and the image that came with it."""
    deadline = request_deadline(request, context.settings.request_seconds)
    if not await deadline.wait(_store(request, context).delete(known), "the feedback database"):
        raise ApiError(404, "unknown_feedback", f"there is no correction {known}", "id")
    return Response(status_code=204)


def _store(request: Request, context: InferenceContext) -> FeedbackStore:
    """Raises `ApiError`: 403 where there is none, and 429 for a client that sends too much."""
    if context.feedback is None:
        message = "RESNET_SERVE_FEEDBACK is not set: corrections are not taken"
        raise ApiError(403, "feedback_off", message)
    quota = request.app.state.feedback_quota
    seconds = quota.use(client_of(request.scope)) if quota is not None else 0
    if seconds:
        limits = context.settings.feedback_rate_limit
        message = f"a client may send {limits} corrections; try again in {seconds} s"
        raise ApiError(429, "rate_limited", message, headers={"Retry-After": str(seconds)})
    return context.feedback


async def _read(request: Request, scope: RequestScope) -> Feedback:
    # No form or text: those a page of another web site may send without asking whether it may.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != JSON_TYPE:
        raise ApiError(415, "unsupported_media_type", f"send the correction as {JSON_TYPE}", "Content-Type")
    if len(scope.body) <= INLINE_BYTES:
        return _parsed(scope.body)
    return await scope.run(partial(_parsed, scope.body), "the body to be read")


def _parsed(body: bytes) -> Feedback:
    """Raises `ApiError` 400 for what is no JSON or has too much in it, and `RequestValidationError`."""
    if sum(map(body.count, (b",", b"[", b"{"))) > MAX_COMMAS:
        raise ApiError(400, "malformed_json", "the JSON body has more fields than a correction")
    try:
        return Feedback.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            raise ApiError(400, "malformed_json", f"the JSON body: {first['msg']}") from error
        raise RequestValidationError([{**first, "loc": ("body", *first["loc"])}]) from error


async def _image(text: str, scope: RequestScope) -> bytes:
    """The file, once it is known to be an image that the service would classify."""
    if not scope.context.settings.feedback_images:
        message = "RESNET_SERVE_FEEDBACK_IMAGES is not set: send the correction without its image"
        raise ApiError(403, "feedback_images_off", message, "image")
    content = await scope.run(partial(decode_file, text, "image"), "the image to be decoded")
    await prepare_images([Upload(None, content, "image")], scope)
    return content


def _require_class(label: str, prediction: Prediction | None, context: InferenceContext) -> None:
    """Of the model that answered, where it is known and still there; else of any model."""
    served = [loaded.model.metadata for loaded in context.control.models()]
    if prediction is not None:
        answered = (prediction.model, prediction.version)
        served = [each for each in served if (each.name, each.version) == answered] or served
    classes = list(dict.fromkeys(name for each in served for name in each.classes))
    if label not in classes:
        listed = ", ".join(classes[:100]) + (", ..." if len(classes) > 100 else "")
        raise invalid_parameter("label", f"there is no class {label!r}; choose from {listed}")


def _shown(prediction: Prediction | None) -> PredictionMade | None:
    if prediction is None:
        return None
    return PredictionMade(
        model=ModelId(name=prediction.model, version=prediction.version),
        label=prediction.label,
        probability=prediction.probability,
    )
