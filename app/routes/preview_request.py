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
