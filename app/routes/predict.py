"""POST /predict: images in, classes and probabilities out."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import Annotated, Any

import torch
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from app.errors import documented, invalid_parameter, of_image
from app.images import ImageError, decode
from app.model_store import ServedModel
from app.service import ReadyService
from app.uploads import Upload, read_uploads

router = APIRouter(tags=["predict"])

DEFAULT_TOP_K = 5


class PredictQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    top_k: int = Field(
        DEFAULT_TOP_K,
        ge=1,
        description="How many classes to answer per image, the most probable first.",
    )


class ModelId(BaseModel):
    name: str
    version: str


class ClassProbability(BaseModel):
    label: str
    probability: float = Field(description="Calibrated, 0..1; over all classes the sum is 1.")


class Prediction(BaseModel):
    filename: str | None = Field(description="As sent with the file; null for a raw body.")
    width: int = Field(description="Of the image as sent and turned upright, in pixels.")
    height: int
    top: list[ClassProbability]


class Timings(BaseModel):
    """Milliseconds. `total` also holds the arrival of the body and the time spent waiting."""

    decode: float
    preprocess: float
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
                    }
                ],
                "timings_ms": {"decode": 0.2, "preprocess": 0.1, "inference": 13.9, "total": 15.1},
            }
        }
    )


@dataclass(frozen=True)
class Prepared:
    """Decoded and normalised images, float32 (N, C, S, S), and their original sizes (width, height)."""

    images: Tensor
    sizes: list[tuple[int, int]]
    decode_seconds: float
    preprocess_seconds: float


_BINARY = {"schema": {"type": "string", "format": "binary"}}

_REQUEST_BODY: dict[str, Any] = {
    "required": True,
    "description": "One or several images as the multipart field `file`, or one image as it is.",
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "array", "items": {"type": "string", "format": "binary"}}},
            }
        },
        **{f"image/{kind}": _BINARY for kind in ("jpeg", "png", "webp", "gif", "bmp")},
    },
}


@router.post(
    "/predict",
    summary="Classify images",
    responses=documented(400, 413, 415, 422, 503),
    openapi_extra={"requestBody": _REQUEST_BODY},
)
async def predict(
    request: Request, service: ReadyService, query: Annotated[PredictQuery, Query()]
) -> PredictResponse:
    """Classify each image.

    JPEG, PNG, WebP, GIF (first frame) and BMP are told by their content. If one of several files cannot be
    used, the whole request is refused and the message says which one it is.
    """
    started = perf_counter()
    model, workers, settings = service.model, service.workers, service.settings
    _check_top_k(query.top_k, len(model.metadata.classes))
    uploads = await read_uploads(request, settings.max_files)
    with workers.admit():
        prepared = await workers.decode(partial(prepare, uploads, model, settings.max_image_pixels))
        logits, inference_seconds = [], 0.0
        for batch in torch.split(prepared.images, settings.max_batch):
            batch_logits, seconds = await workers.infer(partial(_timed_inference, model, batch))
            logits.append(batch_logits)
            inference_seconds += seconds

    top = model.probabilities(torch.cat(logits)).topk(min(query.top_k, len(model.metadata.classes)))
    return PredictResponse(
        model=ModelId(name=model.metadata.name, version=model.metadata.version),
        predictions=[
            Prediction(
                filename=upload.filename,
                width=width,
                height=height,
                top=[
                    ClassProbability(label=model.metadata.classes[index], probability=probability)
                    for probability, index in zip(values, indices, strict=True)
                ],
            )
            for upload, (width, height), values, indices in zip(
                uploads, prepared.sizes, top.values.tolist(), top.indices.tolist(), strict=True
            )
        ],
        timings_ms=Timings(
            decode=_milliseconds(prepared.decode_seconds),
            preprocess=_milliseconds(prepared.preprocess_seconds),
            inference=_milliseconds(inference_seconds),
            total=_milliseconds(perf_counter() - started),
        ),
    )


def prepare(uploads: Sequence[Upload], model: ServedModel, max_pixels: int) -> Prepared:
    """Decode and preprocess one image after the other, so that only one is ever held in full size.

    Raises `ApiError` for an image that is refused, naming it where there are several.
    """
    tensors, sizes = [], []
    decode_seconds = preprocess_seconds = 0.0
    for number, upload in enumerate(uploads, start=1):
        start = perf_counter()
        try:
            image = decode(upload.content, max_pixels)
        except ImageError as error:
            prefix = f"file {number} ({upload.filename}): " if len(uploads) > 1 else ""
            raise of_image(error, prefix) from error
        decoded = perf_counter()
        tensors.append(model.preprocessing(image))
        sizes.append(image.size)
        decode_seconds += decoded - start
        preprocess_seconds += perf_counter() - decoded
    return Prepared(torch.stack(tensors), sizes, decode_seconds, preprocess_seconds)


def _timed_inference(model: ServedModel, batch: Tensor) -> tuple[Tensor, float]:
    start = perf_counter()
    return model.engine.predict(batch), perf_counter() - start


def _check_top_k(top_k: int, classes: int) -> None:
    # A model of few classes must still answer to the default.
    if top_k > max(classes, DEFAULT_TOP_K):
        raise invalid_parameter("top_k", f"must be in 1..{classes}, the number of classes, got {top_k}")


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
