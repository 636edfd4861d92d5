"""The Open Inference Protocol V2 below /v2: what clients and platforms know, around the same model."""

from collections.abc import Sequence
from functools import partial
from time import perf_counter
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from app.batching.scores import Scores
from app.http.query import NO_QUERY
from app.http.request_scope import ReadyContext, request_scope
from app.inference.classification import Classified, classify_files, remember_answers, score_views
from app.inference.context import InferenceContext
from app.inference.preparation import INLINE_BYTES, Upload
from app.inference.request_scope import RequestScope
from app.registry.served_model import Pixels, ServedModel
from app.v2.codec import InferRequest, encode_response, parse_request
from app.v2.schema import DOCUMENTED, InferResponse
from app.v2.tensors import (
    IMAGE_BYTES,
    IMAGES,
    LABEL,
    PROBABILITIES,
    UNFAMILIARITY,
    check_response_size,
    inputs_of,
    output_names,
    outputs_of,
    require_known_outputs,
)

router = APIRouter(prefix="/v2", tags=["Open Inference Protocol"])

EXTENSIONS = ["binary_tensor_data", "classification", "model_repository"]
HEADER_LENGTH = "Inference-Header-Content-Length"

INLINE_NUMBERS = 5_000
"""So many probabilities are written on the event loop, in less than a millisecond."""

Name = Annotated[str, Path(max_length=100)]
Version = Annotated[str, Path(max_length=100)]


class V2Error(BaseModel):
    error: str


class ServerLiveResponse(BaseModel):
    live: bool


class ServerReadyResponse(BaseModel):
    ready: bool


class ModelReadyResponse(BaseModel):
    name: str
    ready: bool


class ServerMetadataResponse(BaseModel):
    name: str
    version: str
    extensions: list[str]


class TensorMetadata(BaseModel):
    name: str
    datatype: str
    shape: list[int]


class ModelMetadataResponse(BaseModel):
    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


def v2_documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI entries of the errors a route answers with, in the protocol's shape."""
    return {status: {"model": V2Error, "description": "Error"} for status in statuses}


_ABOUT_MODELS: dict[str, Any] = {"responses": v2_documented(404, 422, 503), "dependencies": NO_QUERY}


@router.get("", summary="Describe the server", responses=v2_documented(422), dependencies=NO_QUERY)
@router.get("/", include_in_schema=False, dependencies=NO_QUERY)
async def server_metadata(request: Request) -> ServerMetadataResponse:
    return ServerMetadataResponse(name=request.app.title, version=request.app.version, extensions=EXTENSIONS)


@router.get("/health/live", summary="Is the process alive?")
async def live() -> ServerLiveResponse:
    return ServerLiveResponse(live=True)


@router.get("/health/ready", summary="Can it take requests?", responses={503: {"model": ServerReadyResponse}})
async def ready(request: Request) -> JSONResponse:
    """Status 200 once the model is ready; 503 before, and while stopping. The body says the same."""
    is_ready = request.app.state.context is not None and not request.app.state.is_leaving
    return JSONResponse({"ready": is_ready}, 200 if is_ready else 503)


@router.get("/models/{name}", summary="Describe a model", **_ABOUT_MODELS)
async def model_metadata(context: ReadyContext, name: Name) -> ModelMetadataResponse:
    """Its current version, and which versions are served."""
    model = context.control.find(name).model
    return _described(model, context.control.versions(name))


@router.get("/models/{name}/versions/{version}", summary="Describe a version of a model", **_ABOUT_MODELS)
async def version_metadata(context: ReadyContext, name: Name, version: Version) -> ModelMetadataResponse:
    return _described(context.control.find(name, version).model, [version])


def _described(model: ServedModel, versions: list[str]) -> ModelMetadataResponse:
    about = model.metadata
    pixels = [-1, about.in_channels, about.input_size, about.input_size]
    return ModelMetadataResponse(
        name=about.name,
        versions=versions,
        platform=f"{model.engine.name}_{model.engine.precision}",
        inputs=[
            TensorMetadata(name=IMAGE_BYTES, datatype="BYTES", shape=[-1]),
            TensorMetadata(name=IMAGES, datatype="UINT8", shape=pixels),
        ],
        outputs=[
            TensorMetadata(name=PROBABILITIES, datatype="FP32", shape=[-1, len(about.classes)]),
            TensorMetadata(name=LABEL, datatype="BYTES", shape=[-1]),
            *(
                [TensorMetadata(name=UNFAMILIARITY, datatype="FP32", shape=[-1])]
                if UNFAMILIARITY in output_names(model)
                else []
            ),
        ],
    )


@router.get("/models/{name}/ready", summary="Is a model ready?", **_ABOUT_MODELS)
async def model_ready(context: ReadyContext, name: Name) -> ModelReadyResponse:
    return ModelReadyResponse(name=context.control.find(name).model.metadata.name, ready=True)


@router.get(
    "/models/{name}/versions/{version}/ready", summary="Is a version of a model ready?", **_ABOUT_MODELS
)
async def version_ready(context: ReadyContext, name: Name, version: Version) -> ModelReadyResponse:
    return ModelReadyResponse(name=context.control.find(name, version).model.metadata.name, ready=True)


_INFER: dict[str, Any] = {
    "response_model": InferResponse,
    "responses": v2_documented(400, 404, 408, 413, 415, 422, 429, 503, 504),
    "openapi_extra": DOCUMENTED,
    "dependencies": NO_QUERY,
}


@router.post("/models/{name}/infer", summary="Classify images", **_INFER)
async def infer(request: Request, context: ReadyContext, name: Name) -> Response:
    """One input: `image_bytes` (BYTES, [N]; in JSON in Base64) or `images` (UINT8, or FP32 in 0..1).

    Outputs: `probabilities` (FP32, [N, classes]), `label` (BYTES, [N]) and, for a model with a detector,
    `unfamiliarity` (FP32 in 0..1, [N]; above 0.95 the image is unlike those that the model knows). By default
    all are returned. With the parameter `classification` = k, `probabilities` gives the k most probable
    classes as "probability:index:label".
    """
    return await _infer(request, context, name, None)


@router.post(
    "/models/{name}/versions/{version}/infer", summary="Classify images by a version of a model", **_INFER
)
async def infer_by_version(request: Request, context: ReadyContext, name: Name, version: Version) -> Response:
    """The same with a given version."""
    return await _infer(request, context, name, version)


def _read(scope: RequestScope, header_length: str | None) -> tuple[InferRequest, list[Upload], list[Pixels]]:
    """What is asked, and the files or else the images that it is asked of."""
    settings, labels = scope.context.settings, scope.model.metadata.classes
    asked = parse_request(scope.body, header_length)
    known = output_names(scope.model)
    require_known_outputs(asked, len(labels), known)
    uploads, pixels = inputs_of(asked, scope.model, settings.max_files)
    check_response_size(asked, len(uploads) + len(pixels), labels, known, settings.max_body_bytes)
    return asked, uploads, pixels


def _encode(asked: InferRequest, scores: Sequence[Scores], model: ServedModel) -> tuple[bytes, int | None]:
    about = model.metadata
    outputs = outputs_of(asked, scores, about.classes, output_names(model))
    return encode_response(about.name, about.version, asked.id, outputs)


async def _infer(request: Request, context: InferenceContext, name: str, version: str | None) -> Response:
    async with request_scope(request, context, name, version) as scope:
        about = scope.model.metadata
        read = partial(_read, scope, request.headers.get(HEADER_LENGTH))
        # Numbers in JSON take a hundred times as long as they do as binary data.
        if len(scope.body) <= INLINE_BYTES:
            asked, uploads, pixels = read()
        else:
            asked, uploads, pixels = await scope.run(read, "the request to be parsed")
        scope.record("receive", scope.started, perf_counter())
        if uploads:
            classified = await classify_files(uploads, scope, context.settings.views)
        else:
            classified = Classified(await score_views(pixels, scope, context.settings.views), [])
        remember_answers(classified.scores, scope)
        finished = perf_counter()
        encode = partial(_encode, asked, classified.scores, scope.model)
        if len(classified.scores) * len(about.classes) <= INLINE_NUMBERS:
            content, header_length = encode()
        else:
            content, header_length = await scope.run(encode, "the response to be written")
    scope.record("respond", finished, perf_counter())
    headers = {
        "Server-Timing": scope.finish(len(classified.scores), classified.unfamiliar),
        **classified.headers,
    }
    if header_length is None:
        return Response(content, media_type="application/json", headers=headers)
    headers[HEADER_LENGTH] = str(header_length)
    return Response(content, media_type="application/octet-stream", headers=headers)
