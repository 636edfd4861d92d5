"""GET and POST /augment-preview: what training does to an image, as a grid."""

import base64
import io
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import torch
from fastapi import APIRouter, Query, Request, Response
from PIL import Image
from pydantic import BaseModel, Field, JsonValue
from torch import Tensor

from app.augmentation_query import openapi_parameters, parse_operations
from app.errors import documented, invalid_parameter
from app.preview import Tiles, grid_png, grid_size, make_tiles, to_png
from app.samples import SAMPLES, read_sample
from app.service import ReadyService, Service
from app.uploads import Upload, read_uploads, upload_body
from models.augmentations import AUGMENTATIONS, Compose, ParameterError, to_spec
from models.images import decode

router = APIRouter(tags=["augment-preview"])

MAX_GRID_PIXELS = 8_000_000


class PreviewQuery(BaseModel):
    """The parameters that every preview has; those of the operations are parsed by `parse_operations`."""

    ops: str = Field(
        "horizontal_flip,random_crop",
        description=f"Operations in order, separated by commas: {', '.join(AUGMENTATIONS)}.",
    )
    rows: int = Field(2, ge=1, le=16)
    cols: int = Field(4, ge=1, le=16)
    seed: int = Field(0, ge=0, le=2**53 - 1, description="The same seed gives the same bytes.")
    scale: int = Field(4, ge=1, le=16, description="Size of a pixel in the answer.")
    format: Literal["png", "json"] = Field(
        "png", description="`png` is the grid, `json` every tile by itself with its sampled parameters."
    )


class SampleQuery(PreviewQuery):
    image: str = Field("cat", description="The sample.", json_schema_extra={"enum": list(SAMPLES)})


class TileDescription(BaseModel):
    parameters: dict[str, JsonValue] = Field(description="What was drawn for this tile, as `operation.key`.")
    png: str = Field(description="The tile, as a data URL.")


class PreviewResponse(BaseModel):
    operations: list[dict[str, JsonValue]] = Field(description="With all their parameters, in order.")
    rows: int
    cols: int
    seed: int
    scale: int
    tiles: list[TileDescription] = Field(description="Row by row.")


_OPTIONS: dict[str, Any] = {
    "response_model": PreviewResponse,
    "response_description": "The grid as PNG, or as JSON with `format=json`.",
    "openapi_extra": {
        "parameters": openapi_parameters(),
        "responses": {"200": {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}},
    },
}

_BODY = upload_body("One image as the multipart field `file`, or as it is.")


@dataclass(frozen=True)
class Preview:
    """A checked request, whatever the image."""

    query: PreviewQuery
    operations: Compose

    def draw(self, image: Tensor) -> Response:
        """Answer for `image`, uint8 (3, H, W). Raises `ApiError` 422 if the grid would be too large."""
        query = self.query
        self._check_size(image)
        try:
            tiles = make_tiles(image, self.operations, query.rows * query.cols, query.seed)
        except ParameterError as error:
            raise invalid_parameter(self._full_name(error.parameter), str(error)) from error
        if query.format == "json":
            return Response(self._describe(tiles).model_dump_json(), media_type="application/json")
        return Response(grid_png(tiles.images, query.rows, query.cols, query.scale), media_type="image/png")

    def _check_size(self, image: Tensor) -> None:
        size = (image.shape[1], image.shape[2])
        width, height = grid_size(size, self.query.rows, self.query.cols, self.query.scale)
        if width * height > MAX_GRID_PIXELS:
            raise invalid_parameter(
                "scale",
                f"the grid would have {width}x{height} pixels, at most {MAX_GRID_PIXELS} are drawn;"
                " choose a smaller scale, or fewer rows or cols",
            )

    def _full_name(self, parameter: str) -> str:
        owners = [name for name, operation in self.operations.operations if hasattr(operation, parameter)]
        return f"{owners[0]}.{parameter}"

    def _describe(self, tiles: Tiles) -> PreviewResponse:
        query = self.query
        return PreviewResponse(
            operations=to_spec(self.operations),
            rows=query.rows,
            cols=query.cols,
            seed=query.seed,
            scale=query.scale,
            tiles=[
                TileDescription(parameters=parameters, png=_data_url(to_png(image, query.scale)))
                for parameters, image in zip(tiles.parameters, tiles.images, strict=True)
            ],
        )


@router.get(
    "/augment-preview", summary="Augment a sample image", responses=documented(422, 429, 503), **_OPTIONS
)
async def preview_sample(
    request: Request, service: ReadyService, query: Annotated[SampleQuery, Query()]
) -> Response:
    """Augment one of the sample images, at its own 32 by 32 pixels."""
    preview = _check(request, query)
    sample = read_sample(query.image, "image")
    with service.workers.admit():
        return await service.workers.decode(lambda: preview.draw(_at_its_size(sample)))


@router.post(
    "/augment-preview",
    summary="Augment an uploaded image",
    responses=documented(400, 408, 413, 415, 422, 429, 503),
    **{**_OPTIONS, "openapi_extra": {**_OPTIONS["openapi_extra"], **_BODY}},
)
async def preview_upload(
    request: Request, service: ReadyService, query: Annotated[PreviewQuery, Query()]
) -> Response:
    """Augment an image of your own. It is first scaled and cropped to the model's input, as in training."""
    preview = _check(request, query)
    uploads = await read_uploads(request, max_files=1)
    with service.workers.admit():
        return await service.workers.decode(lambda: preview.draw(_resize_upload(uploads[0].content, service)))


def _check(request: Request, query: PreviewQuery) -> Preview:
    own = type(query).model_fields
    others = {key: value for key, value in request.query_params.items() if key not in own}
    return Preview(query, parse_operations(query.ops, others))


def _at_its_size(sample: Upload) -> Tensor:
    with Image.open(io.BytesIO(sample.content)) as image:
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)


def _resize_upload(content: bytes, service: Service) -> Tensor:
    preprocessing = service.model.preprocessing
    decoded = decode(content, service.settings.max_image_pixels, preprocessing.input_size)
    # Augmentations are for colour images; a greyscale model's input is shown as grey.
    return preprocessing.resize(decoded.image, decoded.box).expand(3, -1, -1)


def _data_url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
