"""What clients of Triton ask besides the Open Inference Protocol: configuration, statistics, shared memory.

Sources: extension_model_configuration, extension_statistics and extension_shared_memory below
https://github.com/triton-inference-server/server/tree/main/docs/protocol. Answered as far as there is
something to tell.
"""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from app.http.query import NO_QUERY
from app.http.request_scope import ReadyContext
from app.registry.loaded_model import LoadedModel
from app.v2.routes import v2_documented
from app.v2.tensors import IMAGE_BYTES, IMAGES, LABEL, PROBABILITIES, UNFAMILIARITY, output_names

router = APIRouter(prefix="/v2", tags=["Open Inference Protocol"], dependencies=NO_QUERY)

Name = Annotated[str, Path(max_length=100)]
Version = Annotated[str, Path(max_length=100)]


class TensorConfig(BaseModel):
    name: str
    data_type: str
    dims: list[int]


class ModelConfig(BaseModel):
    name: str
    platform: str
    backend: str
    max_batch_size: int = Field(0, description="0, as the number of images is a dimension of each tensor.")
    input: list[TensorConfig]
    output: list[TensorConfig]


class ModelStatistics(BaseModel):
    """Of this process, since it loaded the model."""

    name: str
    version: str
    inference_count: int = Field(description="Images computed.")
    execution_count: int = Field(description="Batches computed.")


class Statistics(BaseModel):
    model_stats: list[ModelStatistics]


class SharedMemoryRegion(BaseModel):
    name: str


@router.get("/models/stats", summary="Statistics of all models", responses=v2_documented(422, 503))
async def all_statistics(context: ReadyContext) -> Statistics:
    return Statistics(model_stats=[_statistics(loaded) for loaded in context.control.models()])


@router.get("/models/{name}/stats", summary="Statistics of a model", responses=v2_documented(404, 422, 503))
async def model_statistics(context: ReadyContext, name: Name) -> Statistics:
    """Of all its versions that are served."""
    versions = context.control.versions(context.control.find(name).model.metadata.name)
    return Statistics(model_stats=[_statistics(context.control.find(name, version)) for version in versions])


@router.get(
    "/models/{name}/versions/{version}/stats",
    summary="Statistics of a version of a model",
    responses=v2_documented(404, 422, 503),
)
async def version_statistics(context: ReadyContext, name: Name, version: Version) -> Statistics:
    return Statistics(model_stats=[_statistics(context.control.find(name, version))])


@router.get(
    "/models/{name}/config", summary="Configuration of a model", responses=v2_documented(404, 422, 503)
)
async def model_config(context: ReadyContext, name: Name) -> ModelConfig:
    return _config(context.control.find(name))


@router.get(
    "/models/{name}/versions/{version}/config",
    summary="Configuration of a version of a model",
    responses=v2_documented(404, 422, 503),
)
async def version_config(context: ReadyContext, name: Name, version: Version) -> ModelConfig:
    return _config(context.control.find(name, version))


@router.get("/systemsharedmemory/status", summary="Shared memory: none", responses=v2_documented(422))
@router.get("/cudasharedmemory/status", summary="Shared memory of a GPU: none", responses=v2_documented(422))
async def shared_memory() -> list[SharedMemoryRegion]:
    """Always empty: shared memory is not offered."""
    return []


def _statistics(loaded: LoadedModel) -> ModelStatistics:
    about, done = loaded.model.metadata, loaded.batcher.throughput
    return ModelStatistics(
        name=about.name, version=about.version, inference_count=done.items, execution_count=done.batches
    )


def _config(loaded: LoadedModel) -> ModelConfig:
    about, engine = loaded.model.metadata, loaded.model.engine
    pixels = [-1, about.in_channels, about.input_size, about.input_size]
    return ModelConfig(
        name=about.name,
        platform=f"{engine.name}_{engine.precision}",
        backend=engine.name,
        input=[
            TensorConfig(name=IMAGE_BYTES, data_type="TYPE_STRING", dims=[-1]),
            TensorConfig(name=IMAGES, data_type="TYPE_UINT8", dims=pixels),
        ],
        output=[
            TensorConfig(name=PROBABILITIES, data_type="TYPE_FP32", dims=[-1, len(about.classes)]),
            TensorConfig(name=LABEL, data_type="TYPE_STRING", dims=[-1]),
            *(
                [TensorConfig(name=UNFAMILIARITY, data_type="TYPE_FP32", dims=[-1])]
                if UNFAMILIARITY in output_names(loaded.model)
                else []
            ),
        ],
    )
