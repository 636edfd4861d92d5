"""The query of a preview, and what its response in JSON holds."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from app.routes.augmentation_catalogue import OPERATIONS
from app.routes.schemas import ClassProbability, ModelQuery


class PreviewQuery(ModelQuery):
    """The parameters that every preview has; those of the operations are parsed by `parse_operations`."""

    model_config = ConfigDict(extra="ignore")

    ops: str = Field(
        "horizontal_flip,random_crop",
        description=f"Operations in order, separated by commas: {', '.join(OPERATIONS)}.",
    )
    preset: Literal["training"] | None = Field(
        None,
        description="Instead of `ops`: `training` takes the operations that the model was trained with,"
        " without those that change labels.",
    )
    rows: int = Field(2, ge=1, le=16, description="Rows of the grid.")
    cols: int = Field(4, ge=1, le=16, description="Columns of the grid.")
    seed: int = Field(0, ge=0, le=2**53 - 1, description="The same seed gives the same response.")
    scale: int = Field(
        4, ge=1, le=16, description="Enlargement: each pixel becomes `scale` × `scale` pixels."
    )
    format: Literal["png", "json"] = Field(
        "png", description="`png`: the grid. `json`: every tile with its sampled parameters."
    )
    predict: bool = Field(
        default=False, description="Also classify the image and every tile; only with `format=json`."
    )


class TileDescription(BaseModel):
    parameters: dict[str, JsonValue] = Field(
        description="The parameters sampled for this tile, as `operation.parameter`."
    )
    image: str = Field(description="The tile as PNG, in a data URL.")
    prediction: ClassProbability | None = Field(
        description="Its most probable class; null without `predict=true`."
    )


class PreviewResponse(BaseModel):
    operations: list[dict[str, JsonValue]] = Field(description="In order, with all their parameters.")
    rows: int
    cols: int
    seed: int
    scale: int
    tiles: list[TileDescription] = Field(description="Row by row.")
    original: ClassProbability | None = Field(
        description="The most probable class of the unchanged image; null without `predict=true`."
    )
    kept: float | None = Field(
        description="Share, 0..1, of the tiles with the same label as `original`; null without"
        " `predict=true`."
    )
