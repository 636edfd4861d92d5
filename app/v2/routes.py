"""The Open Inference Protocol V2 below /v2: what clients and platforms know, around the same model."""

from functools import partial
from time import perf_counter
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from app.http.content_encoding import read_body
from app.http.deadline_header import deadline_of
from app.http.dependencies import ReadyService
from app.http.disconnect import given_up_on_disconnect
from app.http.query import NO_QUERY
from app.inference.classification import Classified, classify_files
from app.inference.context import Service
from app.inference.deadline import done_by
from app.inference.preparation import INLINE_BYTES
from app.observability.server_timing import SERVER_TIMING
from app.registry.served_model import ServedModel
from app.v2.codec import encode_response, parse_request
from app.v2.schema import DOCUMENTED, InferResponse
from app.v2.tensors import (
    IMAGE_BYTES,
    IMAGES,
    LABEL,
    PROBABILITIES,
    inputs_of,
    outputs_of,
    require_known_outputs,
)

router = APIRouter(prefix="/v2", tags=["Open Inference Protocol"])

EXTENSIONS = ["binary_tensor_data", "classification", "model_repository"]
HEADER_LENGTH = "Inference-Header-Content-Length"

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
    """Status 200 once the model is ready; 503 before, while stopping, and when full. So says the body."""
    service: Service | None = request.app.state.service
    is_ready = service is not None and not service.is_full
    return JSONResponse({"ready": is_ready}, 200 if is_ready else 503)


@router.get("/models/{name}", summary="Describe a model", **_ABOUT_MODELS)
async def model_metadata(service: ReadyService, name: Name) -> ModelMetadataResponse:
    """Its current version, and which versions are served."""
    model = service.find(name)
    return _described(model, service.control.versions(name))


@router.get("/models/{name}/versions/{version}", summary="Describe a version of a model", **_ABOUT_MODELS)
async def version_metadata(service: ReadyService, name: Name, version: Version) -> ModelMetadataResponse:
    return _described(service.find(name, version), [version])


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
        ],
    )


@router.get("/models/{name}/ready", summary="Is a model ready?", **_ABOUT_MODELS)
async def model_ready(service: ReadyService, name: Name) -> ModelReadyResponse:
    return ModelReadyResponse(name=service.find(name).metadata.name, ready=True)


@router.get(
    "/models/{name}/versions/{version}/ready", summary="Is a version of a model ready?", **_ABOUT_MODELS
)
async def version_ready(service: ReadyService, name: Name, version: Version) -> ModelReadyResponse:
    return ModelReadyResponse(name=service.find(name, version).metadata.name, ready=True)


_INFER: dict[str, Any] = {
    "response_model": InferResponse,
    "responses": v2_documented(400, 404, 408, 413, 415, 422, 429, 503, 504),
    "openapi_extra": DOCUMENTED,
    "dependencies": NO_QUERY,
}


@router.post("/models/{name}/infer", summary="Classify images", **_INFER)
async def infer(request: Request, service: ReadyService, name: Name) -> Response:
    """One input: `image_bytes` (BYTES, [N]; in JSON in Base64) or `images` (UINT8, or FP32 in 0..1).

    Outputs: `probabilities` (FP32, [N, classes]) and `label` (BYTES, [N]), both unless some are named. With
    the parameter `classification` = k, `probabilities` gives the k best as "probability:index:label".
    """
    return await _infer(request, service, name, None)


@router.post(
    "/models/{name}/versions/{version}/infer", summary="Classify images by a version of a model", **_INFER
)
async def infer_by_version(request: Request, service: ReadyService, name: Name, version: Version) -> Response:
    """As without a version."""
    return await _infer(request, service, name, version)


async def _infer(request: Request, service: Service, name: str, version: str | None) -> Response:
    started = perf_counter()
    deadline = deadline_of(request, service.settings.request_seconds)
    with service.use(name, version) as loaded:
        model, about = loaded.model, loaded.model.metadata
        body = await read_body(request, service.settings.max_body_bytes)
        deadline.check("the request's body")
        with service.workers.admit(), given_up_on_disconnect(request):
            parse = partial(parse_request, body, request.headers.get(HEADER_LENGTH))
            # Numbers in JSON take a hundred times as long as they do as binary data.
            if len(body) <= INLINE_BYTES:
                asked = parse()
            else:
                work = service.workers.decode(parse)
                asked = await done_by(deadline, work, "the request to be parsed")
            require_known_outputs(asked, len(about.classes))
            uploads, pixels = inputs_of(asked, model, service.settings.max_files)
            received = perf_counter()
            service.trace_stage("receive", started, received)
            if uploads:
                classified = await classify_files(uploads, loaded, service, deadline)
            else:
                scores = await service.score(pixels, loaded, deadline)
                classified = Classified(scores, [], 0.0, 0.0)
    finished = perf_counter()
    scores = classified.scores
    outputs = outputs_of(asked, scores, about.classes)
    content, header_length = encode_response(about.name, about.version, asked.id, outputs)
    inference = max(score.inference_seconds for score in scores)
    stages = {
        "receive": received - started,
        "decode": classified.decode_seconds,
        "preprocess": classified.preprocess_seconds,
        "queue": finished - received - classified.decode_seconds - classified.preprocess_seconds - inference,
        "inference": inference,
        "respond": perf_counter() - finished,
    }
    headers = {SERVER_TIMING: service.record(about, len(scores), stages), **classified.headers}
    if header_length is None:
        return Response(content, media_type="application/json", headers=headers)
    headers[HEADER_LENGTH] = str(header_length)
    return Response(content, media_type="application/octet-stream", headers=headers)
