"""GET and POST /models/{name}/batch-norm: what batch norm does in training mode and in eval mode."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import numpy as np
from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field

from app.errors import invalid_parameter
from app.http.error_handlers import documented
from app.http.request_scope import ReadyContext, request_scope
from app.http.uploads import read_uploads, upload_body
from app.inference.context import InferenceContext
from app.inference.preparation import Upload, prepare_images
from app.inference.request_scope import RequestScope
from app.registry.served_model import ServedModel
from app.routes.samples import SAMPLES, read_sample
from app.routes.schemas import TOP, ClassProbability, ModelId, VersionQuery, model_id, top_classes
from models.batch_norm.histograms import Histograms, histograms

if TYPE_CHECKING:
    from torch import Tensor

    from models.batch_norm.view import BatchNormView

router = APIRouter(prefix="/models", tags=["models"])

T = TypeVar("T")

MAX_NEIGHBOURS = 31
DEFAULT_NEIGHBOURS = 7
SET_SIZES = (1, 3, 7, 15)
"""Neighbours of the sets that the image is predicted with, as far as there are more, and then all of them."""


class BatchNormQuery(VersionQuery):
    layer: str | None = Field(
        None, description="One of the `batch_norms` of `/models/{name}`; by default the first."
    )
    channel: int | None = Field(
        None, ge=0, description="The channel that the histograms count; by default all channels."
    )
    batch: int = Field(
        DEFAULT_NEIGHBOURS,
        ge=1,
        le=len(SAMPLES) - 1,
        description="Number of sample images to use as neighbours, if none are sent.",
    )
    seed: int = Field(
        0, ge=0, le=2**53 - 1, description="Seed by which the neighbours of each set are chosen."
    )


class SampleBatchNormQuery(BatchNormQuery):
    sample: str = Field(
        "cat", description="The sample image to look at.", json_schema_extra={"enum": list(SAMPLES)}
    )


class Neighbours(BaseModel):
    """The rest of the batch around the image."""

    source: Literal["request", "samples"] = Field(
        description="Whether they came with the request, or are sample images of the service."
    )
    names: list[str | None] = Field(description="Names of their files; null for one sent without a name.")


class ChannelStatistics(BaseModel):
    """Each list has one number per channel of the layer."""

    batch_mean: list[float]
    batch_var: list[float] = Field(description="Biased variance, which training mode normalises by.")
    running_mean: list[float]
    running_var: list[float]
    weight: list[float] | None = Field(description="The scale after normalising; null if there is none.")
    bias: list[float] = Field(description="The shift after scaling.")


class NeighbourSet(BaseModel):
    neighbours: int = Field(description="Number of neighbours, chosen at random from all of them.")
    names: list[str | None]
    top: list[ClassProbability] = Field(
        description=f"The image's {TOP} most probable classes in a batch with them."
    )


class Predictions(BaseModel):
    """All of the same image; only its neighbours and the mode of all batch norms differ."""

    eval: list[ClassProbability] = Field(
        description="Alone, with the running statistics, as the service predicts."
    )
    eval_with_neighbours: list[ClassProbability] = Field(
        description="With all neighbours: the same, up to float rounding."
    )
    training: list[NeighbourSet] = Field(description="With the statistics of the batch, for several batches.")


class BatchNormResponse(BaseModel):
    """Computed by a copy of the stored weights in float32; the served network stays in eval mode."""

    model: ModelId
    layer: str
    channels: int = Field(description="Number of channels of the layer.")
    channel: int | None
    image: str | None = Field(description="Name of the image's file; null for a raw body.")
    neighbours: Neighbours
    histogram: Histograms = Field(
        description="Of the whole batch: the input of the layer in eval mode, and the layer's output with the"
        " statistics of the batch and with the running statistics."
    )
    statistics: ChannelStatistics
    predictions: Predictions


@dataclass(frozen=True)
class Batch:
    """The image, and behind it its neighbours."""

    uploads: list[Upload]
    source: Literal["request", "samples"]


Name = Annotated[str, Path(max_length=100)]


@router.get(
    "/{name}/batch-norm",
    summary="Show what batch norm does to a sample image",
    responses=documented(404, 422, 429, 501, 503, 504),
)
async def view_sample(
    request: Request, context: ReadyContext, name: Name, query: Annotated[SampleBatchNormQuery, Query()]
) -> BatchNormResponse:
    """The same as POST, for one of the sample images with others as its neighbours."""

    async def read(_: RequestScope) -> Batch:
        sample = read_sample(query.sample, "sample")
        return Batch(
            [sample, *_neighbours(query, [each for each in SAMPLES if each != query.sample])], "samples"
        )

    return await _view(request, context, name, query, read)


@router.post(
    "/{name}/batch-norm",
    summary="Show what batch norm does to an image",
    responses=documented(400, 404, 408, 413, 415, 422, 429, 501, 503, 504),
    openapi_extra=upload_body(
        "The image as the first multipart field `file`, and as further ones the batch around it; or the"
        " image as it is. Without others, sample images of the service are its neighbours.",
        several=True,
    ),
)
async def view_upload(
    request: Request, context: ReadyContext, name: Name, query: Annotated[BatchNormQuery, Query()]
) -> BatchNormResponse:
    """One batch norm's input and output as histograms, the statistics it may go by, and the image's classes.

    In training mode batch norm goes by the statistics of the batch, and so an image's classes depend on its
    neighbours; in eval mode it goes by the running statistics, and they do not. The network is a copy of the
    stored weights, in float32: where `/predict` computes in int8, its probabilities differ a little.
    """

    async def read(scope: RequestScope) -> Batch:
        uploads = await read_uploads(request, scope, min(context.settings.max_files, 1 + MAX_NEIGHBOURS))
        if len(uploads) == 1:
            return Batch([*uploads, *_neighbours(query, list(SAMPLES))], "samples")
        if "batch" in query.model_fields_set:
            raise invalid_parameter("batch", "leave it out, for the neighbours were sent along")
        return Batch(uploads, "request")

    return await _view(request, context, name, query, read)


async def _view(
    request: Request,
    context: InferenceContext,
    name: str,
    query: BatchNormQuery,
    read: Callable[[RequestScope], Awaitable[Batch]],
) -> BatchNormResponse:
    async with request_scope(request, context, name, query.version) as scope:
        model = scope.model

        async def compute(work: Callable[[], T]) -> T:
            return await scope.run(work, "the view of the batch norm")

        layer = _layer(query, model)
        await scope.pytorch()
        import torch

        from models.batch_norm import view as views

        batch = await read(scope)
        names = [upload.filename for upload in batch.uploads]
        numbers = range(1, 1 + len(names)) if batch.source == "request" else None
        # One step after the other, so that a deadline or a client that leaves ends it between them.
        prepared = await prepare_images(batch.uploads, scope, numbers)
        images = await compute(
            lambda: model.preprocessing.normalize(torch.from_numpy(np.stack(prepared.images)))
        )
        network = await compute(lambda: model.network)
        view = await compute(partial(views.view_batch_norm, network, layer, images))
        histogram = await compute(partial(histograms, view, query.channel))
        alone = await compute(partial(views.logits_by_running_statistics, network, images[:1]))
        sets = []
        for chosen in _sets(len(images) - 1, query.seed):
            among = images[[0, *chosen]]
            logits = await compute(partial(views.logits_by_batch_statistics, network, among))
            sets.append(
                NeighbourSet(
                    neighbours=len(chosen),
                    names=[names[index] for index in chosen],
                    top=_top(logits, model),
                )
            )
    return BatchNormResponse(
        model=model_id(model),
        layer=layer,
        channels=len(view.bias),
        channel=query.channel,
        image=names[0],
        neighbours=Neighbours(source=batch.source, names=names[1:]),
        histogram=histogram,
        statistics=_statistics(view),
        predictions=Predictions(
            eval=_top(alone, model), eval_with_neighbours=_top(view.logits, model), training=sets
        ),
    )


def _layer(query: BatchNormQuery, model: ServedModel) -> str:
    """The name of the layer that is asked for, once its channel is known to be there too."""
    features = {norm.name: norm.features for norm in model.batch_norms}
    layer = query.layer if query.layer is not None else next(iter(features), "")
    if layer not in features:
        raise invalid_parameter(
            "layer", f"there is no batch norm {layer!r}; choose from {', '.join(features) or 'none'}"
        )
    if query.channel is not None and query.channel >= features[layer]:
        raise invalid_parameter("channel", f"must be in 0..{features[layer] - 1}, got {query.channel}")
    return layer


def _neighbours(query: BatchNormQuery, candidates: Sequence[str]) -> list[Upload]:
    import torch

    generator = torch.Generator().manual_seed(query.seed)
    drawn = torch.randperm(len(candidates), generator=generator)[: query.batch]
    return [read_sample(candidates[index], "sample") for index in drawn.tolist()]


def _sets(neighbours: int, seed: int) -> list[list[int]]:
    """Indices 1..neighbours in a batch, drawn for each size."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    sizes = [size for size in SET_SIZES if size < neighbours] + [neighbours]
    return [(torch.randperm(neighbours, generator=generator)[:size] + 1).tolist() for size in sizes]


def _top(logits: "Tensor", model: ServedModel) -> list[ClassProbability]:
    """Of the batch's first image."""
    return top_classes(model.probabilities(logits[:1].numpy())[0], model)


def _statistics(view: "BatchNormView") -> ChannelStatistics:
    return ChannelStatistics(
        batch_mean=view.batch_mean.tolist(),
        batch_var=view.batch_var.tolist(),
        running_mean=view.running_mean.tolist(),
        running_var=view.running_var.tolist(),
        weight=None if view.weight is None else view.weight.tolist(),
        bias=view.bias.tolist(),
    )
