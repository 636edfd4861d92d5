"""GET and POST /augment-preview: what training does to an image, and what the model says of the result."""

import io
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

import numpy as np
import torch
from fastapi import APIRouter, Query, Request, Response
from PIL import Image
from pydantic import Field
from torch import Tensor

from app.batching.scores import Scores
from app.drawing.tiles import Tiles, network_inputs
from app.errors import invalid_parameter
from app.http.error_handlers import documented
from app.http.request_scope import ReadyContext, request_scope
from app.http.uploads import read_uploads, upload_body
from app.inference.context import InferenceContext
from app.inference.preparation import Upload
from app.inference.request_scope import RequestScope
from app.registry.served_model import ServedModel
from app.routes.augmentation_query import openapi_parameters
from app.routes.preview_request import Preview, PreviewQuery, PreviewResponse
from app.routes.samples import SAMPLES, read_sample
from app.routes.schemas import ClassProbability
from models.preprocessing.decode import decode

router = APIRouter(tags=["augment-preview"])


class SampleQuery(PreviewQuery):
    image: str = Field("cat", description="The sample.", json_schema_extra={"enum": list(SAMPLES)})


_OPTIONS: dict[str, Any] = {
    "response_model": PreviewResponse,
    "response_description": "The grid as PNG, or as JSON with `format=json`.",
    "openapi_extra": {
        "parameters": openapi_parameters(),
        "responses": {"200": {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}},
    },
}

DEFAULTS = {entry["name"]: entry["schema"]["default"] for entry in openapi_parameters()}
"""Of the parameters of all operations, as they are documented."""

_BODY = upload_body("One image as the multipart field `file`, or as it is.")


@router.get(
    "/augment-preview",
    summary="Augment a sample image",
    responses=documented(404, 422, 429, 503, 504),
    **_OPTIONS,
)
async def preview_sample(
    request: Request, context: ReadyContext, query: Annotated[SampleQuery, Query()]
) -> Response:
    """Augment one of the sample images, at its own 32 by 32 pixels."""

    async def read(_: RequestScope) -> Upload:
        return read_sample(query.image, "image")

    return await _preview(request, context, query, read, _at_its_size)


@router.post(
    "/augment-preview",
    summary="Augment an uploaded image",
    responses=documented(400, 404, 408, 413, 415, 422, 429, 503, 504),
    **{**_OPTIONS, "openapi_extra": {**_OPTIONS["openapi_extra"], **_BODY}},
)
async def preview_upload(
    request: Request, context: ReadyContext, query: Annotated[PreviewQuery, Query()]
) -> Response:
    """Augment an image of your own. It is first scaled and cropped to the model's input, as in training."""

    async def read(scope: RequestScope) -> Upload:
        return (await read_uploads(request, scope, max_files=1))[0]

    def at_the_models_size(upload: Upload, model: ServedModel) -> Tensor:
        preprocessing = model.preprocessing
        decoded = decode(upload.content, context.settings.max_image_pixels, preprocessing.input_size)
        # Augmentations are for colour images; a greyscale model's input is shown as grey.
        return preprocessing.resize(decoded.image, decoded.box).expand(3, -1, -1)

    return await _preview(request, context, query, read, at_the_models_size)


async def _preview(
    request: Request,
    context: InferenceContext,
    query: PreviewQuery,
    read: Callable[[RequestScope], Awaitable[Upload]],
    to_pixels: Callable[[Upload, ServedModel], Tensor],
) -> Response:
    own = type(query).model_fields
    others = {
        key: value
        for key, value in request.query_params.items()
        if key not in own and not _is_default(key, value)
    }
    async with request_scope(request, context, query.model, query.version) as scope:
        model = scope.model
        preview = Preview.checked(query, others, model)
        if query.predict:
            _check_queue(query.rows * query.cols + 1, context.settings.max_queue)
        upload = await read(scope)

        def make() -> tuple[Tiles, list[Tensor]]:
            image = to_pixels(upload, model)
            tiles = preview.make(image)
            if not query.predict:
                return tiles, []
            return tiles, network_inputs(torch.cat([image.unsqueeze(0), tiles.images]), model.preprocessing)

        tiles, inputs = await scope.run(make, "the tiles to be drawn")
        predictions = []
        if inputs:
            scores = await scope.score(inputs)
            predictions = [_most_probable(score, model) for score in scores]
            context.metrics.images(len(inputs), model.metadata.name, model.metadata.version)
        return await scope.run(partial(preview.respond, tiles, predictions), "the tiles to be encoded")


def _is_default(key: str, text: str) -> bool:
    """Whether a parameter of an operation has its documented default, which says nothing, as if left out.

    Swagger UI and generated clients send all of them, those of operations that are not in `ops` as well.
    """
    default = DEFAULTS.get(key)
    if default is None or isinstance(default, str):
        return text == default
    try:
        return bool(float(text) == default)
    except ValueError:
        return False


def _most_probable(score: Scores, model: ServedModel) -> ClassProbability:
    label = model.metadata.classes[score.classes[0]]
    return ClassProbability(label=label, probability=score.probabilities[0])


def _check_queue(images: int, most: int) -> None:
    if images > most:
        raise invalid_parameter(
            "rows",
            f"{images} images, of which one is not augmented, never fit the model's queue of {most};"
            " choose fewer rows or cols",
        )


def _at_its_size(sample: Upload, _: ServedModel) -> Tensor:
    with Image.open(io.BytesIO(sample.content)) as image:
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)
