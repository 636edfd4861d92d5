"""A preview that was asked for: the checked query, and the response to it as PNG or as JSON.

Brings PyTorch; to be imported once that is there.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from fastapi import Response
from torch import Tensor

from app.drawing.tiles import Tiles, grid_png, grid_size, make_tiles, to_png
from app.errors import invalid_parameter
from app.registry.served_model import ServedModel
from app.routes.augmentation_query import parse_operations
from app.routes.preview_request import PreviewQuery, PreviewResponse, TileDescription
from app.routes.schemas import ClassProbability
from models.augmentations import Compose, ParameterError, to_spec
from models.training_augmentation import training_augmentation

MAX_GRID_PIXELS = 8_000_000


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
