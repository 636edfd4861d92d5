"""A preview that was asked for: the checked query, and the response to it as PNG or as JSON."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from torch import Tensor

from app.drawing.tiles import Tiles, grid_png, grid_size, make_tiles, to_png
from app.errors import invalid_parameter
from app.registry.served_model import ServedModel
from app.routes.augmentation_query import parse_operations
from app.routes.schemas import ClassProbability, ModelQuery
from models.augmentations import AUGMENTATIONS, Compose, ParameterError, to_spec
from models.training_augmentation import training_augmentation

MAX_GRID_PIXELS = 8_000_000


class PreviewQuery(ModelQuery):
    """The parameters that every preview has; those of the operations are parsed by `parse_operations`."""

    model_config = ConfigDict(extra="ignore")

    ops: str = Field(
        "horizontal_flip,random_crop",
        description=f"Operations in order, separated by commas: {', '.join(AUGMENTATIONS)}.",
    )
    preset: Literal["training"] | None = Field(
        None,
        description="In place of `ops`: `training` is what the model itself was trained with, without what"
        " changes labels.",
    )
    rows: int = Field(2, ge=1, le=16)
    cols: int = Field(4, ge=1, le=16)
    seed: int = Field(0, ge=0, le=2**53 - 1, description="The same seed gives the same bytes.")
    scale: int = Field(4, ge=1, le=16, description="Size of a pixel in the answer.")
    format: Literal["png", "json"] = Field(
        "png", description="`png` is the grid, `json` every tile by itself with its sampled parameters."
    )
    predict: bool = Field(
        default=False, description="Ask the model about the image and every tile too; for `format=json`."
    )


class TileDescription(BaseModel):
    parameters: dict[str, JsonValue] = Field(description="What was drawn for this tile, as `operation.key`.")
    image: str = Field(description="The tile as PNG, in a data URL.")
    prediction: ClassProbability | None = Field(
        description="Its most probable class; null without `predict=true`."
    )


class PreviewResponse(BaseModel):
    operations: list[dict[str, JsonValue]] = Field(description="With all their parameters, in order.")
    rows: int
    cols: int
    seed: int
    scale: int
    tiles: list[TileDescription] = Field(description="Row by row.")
    original: ClassProbability | None = Field(
        description="The most probable class of the image as it was; null without `predict=true`."
    )
    kept: float | None = Field(
        description="Share 0..1 of the tiles with the label of `original`; null without `predict=true`."
    )


@dataclass(frozen=True)
class Preview:
    """A checked request, whatever the image."""

    query: PreviewQuery
    operations: Compose

    @classmethod
    def checked(cls, query: PreviewQuery, others: Mapping[str, str], model: ServedModel) -> Self:
        """From the query, and what the request's query holds besides. Raises `ApiError` 422."""
        if query.predict and query.format != "json":
            raise invalid_parameter("predict", "only format=json has room for predictions")
        if query.preset is None:
            return cls(query, parse_operations(query.ops, others))
        ops = [] if query.ops == PreviewQuery.model_fields["ops"].default else ["ops"]
        if said := [*ops, *others]:
            raise invalid_parameter(said[0], "leave it out, for preset=training says what is done")
        try:
            return cls(query, training_augmentation(model.metadata.recipe))
        except ValueError as error:
            raise invalid_parameter("preset", f"{model.metadata.name} cannot tell: {error}") from error

    def make(self, image: Tensor) -> Tiles:
        """Augment `image`, uint8 (3, H, W). Raises `ApiError` 422 if the grid would be too large."""
        query = self.query
        self._check_size(image)
        try:
            return make_tiles(image, self.operations, query.rows * query.cols, query.seed)
        except ParameterError as error:
            raise invalid_parameter(self._full_name(error.parameter), str(error)) from error

    def respond(self, tiles: Tiles, predictions: Sequence[ClassProbability] = ()) -> Response:
        """The response; `predictions`, if there are any, are of the image as it was and then of the tiles."""
        query = self.query
        if query.format == "json":
            content = self._describe(tiles, predictions).model_dump_json()
            return Response(content, media_type="application/json")
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

    def _describe(self, tiles: Tiles, predictions: Sequence[ClassProbability]) -> PreviewResponse:
        query = self.query
        labels = [prediction.label for prediction in predictions]
        of_tiles = predictions[1:] if predictions else [None] * len(tiles.parameters)
        return PreviewResponse(
            operations=to_spec(self.operations),
            rows=query.rows,
            cols=query.cols,
            seed=query.seed,
            scale=query.scale,
            tiles=[
                TileDescription(
                    parameters=parameters, image=_data_url(to_png(image, query.scale)), prediction=prediction
                )
                for parameters, image, prediction in zip(
                    tiles.parameters, tiles.images, of_tiles, strict=True
                )
            ],
            original=predictions[0] if predictions else None,
            kept=labels[1:].count(labels[0]) / len(of_tiles) if predictions else None,
        )


def _data_url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
