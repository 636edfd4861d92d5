"""GET /models, /models/{name}, its report and robustness: what is served, how good it is, how it is made."""

from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field, JsonValue, ValidationError
from pydantic_core import to_json

from app.errors import ApiError
from app.http.error_handlers import documented
from app.http.query import NO_QUERY, SINGLE_QUERY
from app.http.request_scope import ReadyContext
from app.registry.served_model import ServedModel
from app.routes.schemas import VersionQuery
from models.artifact.metadata import ModelMetrics
from models.artifact.report import TrainingReport, parse_report
from models.artifact.robustness import Robustness
from models.artifact.store import ModelMetadata
from models.batch_norm.facts import BatchNormLayer
from models.layers import LayerSummary

router = APIRouter(prefix="/models", tags=["models"], dependencies=SINGLE_QUERY)


class ModelEntry(BaseModel):
    name: str
    version: str
    current: bool = Field(description="Whether it answers requests that name the model but no version.")
    architecture: str
    classes: tuple[str, ...]
    accuracy: float = Field(description="On the test set, 0..1, of the network that is served.")


class ModelList(BaseModel):
    models: list[ModelEntry]


class EngineDescription(BaseModel):
    name: str
    version: str
    device: str
    precision: str
    concurrency: int = Field(description="Maximum number of batches computed at the same time.")
    streams: int = Field(
        description="Number of batches computed at the same time even where few images wait, each by an equal"
        " share of the threads."
    )
    max_batch: int = Field(description="Maximum number of images in a batch.")
    reason: str = Field(description="Why this engine was chosen.")


class ModelDetails(BaseModel):
    metadata: ModelMetadata = Field(description="The metadata of the stored model.")
    metrics: ModelMetrics = Field(
        description="On the test set, of the network that is served: if that is int8, those of int8."
    )
    engine: EngineDescription
    layers: list[LayerSummary] = Field(description="Every block: output shape, parameters, multiply-adds.")
    batch_norms: list[BatchNormLayer] = Field(
        description="Every batch norm: mode, batches seen, range of the running statistics."
    )
    augmentation: list[dict[str, JsonValue]] | None = Field(
        description="The augmentation of training, as `preset=training` of `/augment-preview` applies it;"
        " null if the recipe does not state it."
    )
    class_activation: bool = Field(description="Whether `/explain` works for this model.")
    report: bool = Field(description="Whether the artifact has a report for `/models/{name}/report`.")
    robustness: bool = Field(description="Whether the artifact has figures for `/models/{name}/robustness`.")


@router.get("", summary="List the models", responses=documented(422, 503), dependencies=NO_QUERY)
async def list_models(context: ReadyContext) -> ModelList:
    """All versions of all models; the first answers requests that name no model."""
    plan = context.control.plan
    default = context.model
    others = (loaded.model for loaded in context.control.models() if loaded.model is not default)
    return ModelList(
        models=[
            ModelEntry(
                name=model.metadata.name,
                version=model.metadata.version,
                current=plan.current[model.metadata.name] == model.metadata.version,
                architecture=model.metadata.architecture,
                classes=model.metadata.classes,
                accuracy=model.metrics.accuracy,
            )
            for model in (default, *others)
        ]
    )


@router.get("/{name}", summary="Describe one model", responses=documented(404, 422, 503))
async def describe_model(
    context: ReadyContext,
    name: Annotated[str, Path(max_length=100)],
    query: Annotated[VersionQuery, Query()],
) -> ModelDetails:
    """The version that was loaded last, or `version`."""
    loaded = context.control.find(name, query.version)
    model, engine = loaded.model, loaded.model.engine
    return ModelDetails(
        metadata=model.metadata,
        metrics=model.metrics,
        engine=EngineDescription(
            name=engine.name,
            version=engine.version,
            device=engine.device,
            precision=engine.precision,
            concurrency=loaded.batcher.concurrency,
            streams=engine.concurrency,
            max_batch=model.max_batch,
            reason=model.engine_reason,
        ),
        layers=list(model.facts.layers),
        batch_norms=model.batch_norms,
        augmentation=model.facts.augmentation,
        class_activation=model.facts.class_activation,
        report=model.report is not None,
        robustness=model.robustness is not None,
    )


@router.get(
    "/{name}/report",
    summary="Show how one model was trained and tested",
    response_model=TrainingReport,
    responses=documented(404, 422, 503),
)
async def report(
    context: ReadyContext,
    name: Annotated[str, Path(max_length=100)],
    query: Annotated[VersionQuery, Query()],
) -> Response:
    """The epochs of training and, on the test set, confusion matrix, calibration and the worst mistakes.

    These come from the artifact's report.json; without a valid one, the error is `no_report`.
    """
    model = context.control.find(name, query.version).model
    try:
        # On a thread: to read and write the confusions of 1,000 classes takes 70 ms.
        written = await run_sync(_written, model.report or b"")
    except ValidationError as error:
        raise _none("no_report", model, "report that can be read") from error
    return Response(written, media_type="application/json")


@router.get(
    "/{name}/robustness",
    summary="Show how robust one model is",
    responses=documented(404, 422, 503),
)
async def robustness(
    context: ReadyContext,
    name: Annotated[str, Path(max_length=100)],
    query: Annotated[VersionQuery, Query()],
) -> Robustness:
    """Accuracy and changed predictions when test images are corrupted, encoded, scaled, rotated or shifted.

    These come from the artifact's robustness.json; without a valid one, the error is `no_robustness`.
    """
    model = context.control.find(name, query.version).model
    try:
        return Robustness.model_validate_json(model.robustness or b"")
    except ValidationError as error:
        raise _none("no_robustness", model, "figures of robustness that can be read") from error


def _written(report: bytes) -> bytes:
    return to_json(parse_report(report), inf_nan_mode="null")


def _none(code: str, model: ServedModel, what: str) -> ApiError:
    metadata = model.metadata
    return ApiError(404, code, f"{metadata.name}, version {metadata.version}, has no {what}", "name")
