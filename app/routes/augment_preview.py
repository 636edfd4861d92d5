"""GET and POST /augment-preview: what training does to an image, and what the model says of the result."""

import io
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from PIL import Image
from pydantic import Field

from app.batching.scores import Scores
from app.errors import invalid_parameter
from app.http.error_handlers import documented
from app.http.request_scope import ReadyContext, request_scope
from app.http.uploads import read_uploads, upload_body
from app.inference.context import InferenceContext
from app.inference.preparation import Upload, prepare_images
from app.inference.request_scope import RequestScope
from app.registry.served_model import Pixels, ServedModel
from app.routes.augmentation_catalogue import DEFAULTS, openapi_parameters
from app.routes.preview_request import PreviewQuery, PreviewResponse
from app.routes.samples import SAMPLES, read_sample
from app.routes.schemas import ClassProbability

router = APIRouter(tags=["augment-preview"])


class SampleQuery(PreviewQuery):
    image: str = Field("cat", description="The sample image.", json_schema_extra={"enum": list(SAMPLES)})


_OPTIONS: dict[str, Any] = {
    "response_model": PreviewResponse,
    "response_description": "The grid as PNG, or as JSON with `format=json`.",
    "openapi_extra": {
        "parameters": openapi_parameters(),
        "responses": {"200": {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}},
    },
}

_BODY = upload_body("One image as the multipart field `file`, or as the raw body.")


@router.get(
    "/augment-preview",
    summary="Augment a sample image",
    responses=documented(404, 422, 429, 501, 503, 504),
    **_OPTIONS,
)
async def preview_sample(
    request: Request, context: ReadyContext, query: Annotated[SampleQuery, Query()]
) -> Response:
    """Augment one of the sample images, at its original size of 32 by 32 pixels."""

    async def read(_: RequestScope) -> Upload:
        return read_sample(query.image, "image")

    return await _preview(request, context, query, read, _at_its_size)


@router.post(
    "/augment-preview",
    summary="Augment an uploaded image",
    responses=documented(400, 404, 408, 413, 415, 422, 429, 501, 503, 504),
    **{**_OPTIONS, "openapi_extra": {**_OPTIONS["openapi_extra"], **_BODY}},
)
async def preview_upload(
    request: Request, context: ReadyContext, query: Annotated[PreviewQuery, Query()]
) -> Response:
    """Augment an image of your own. It is first scaled and cropped to the model's input size."""

    async def read(scope: RequestScope) -> Upload:
        return (await read_uploads(request, scope, max_files=1))[0]

    async def at_the_models_size(upload: Upload, scope: RequestScope) -> Pixels:
        prepared = await prepare_images([upload], scope)
        # Augmentations are for colour images; a greyscale model's input is shown as grey.
        pixels = prepared.images[0]
        return pixels.repeat(3, axis=0) if len(pixels) == 1 else pixels

    return await _preview(request, context, query, read, at_the_models_size)


async def _preview(
    request: Request,
    context: InferenceContext,
    query: PreviewQuery,
    read: Callable[[RequestScope], Awaitable[Upload]],
    to_pixels: Callable[[Upload, RequestScope], Awaitable[Pixels]],
) -> Response:
    own = type(query).model_fields
    others = {
        key: value
        for key, value in request.query_params.items()
        if key not in own and not _is_default(key, value)
    }
    async with request_scope(request, context, query.model, query.version) as scope:
        model = scope.model
        await scope.pytorch()
        import torch

        from app.drawing.tiles import Tiles, network_inputs
        from app.routes.preview import Preview

        preview = Preview.checked(query, others, model)
        if query.predict:
            _check_queue(query.rows * query.cols + 1, context.settings.max_queue)
        upload = await read(scope)

        def make(image: Pixels) -> tuple[Tiles, list[Pixels]]:
            pixels = torch.from_numpy(image)
            tiles = preview.make(pixels)
            if not query.predict:
                return tiles, []
            images = torch.cat([pixels.unsqueeze(0), tiles.images])
            return tiles, [*network_inputs(images, model.preprocessing)]

        image = await to_pixels(upload, scope)
        tiles, inputs = await scope.run(partial(make, image), "the tiles to be drawn")
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


async def _at_its_size(sample: Upload, _: RequestScope) -> Pixels:
    with Image.open(io.BytesIO(sample.content)) as image:
        return np.ascontiguousarray(np.array(image.convert("RGB")).transpose(2, 0, 1))
