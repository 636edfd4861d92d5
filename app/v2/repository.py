"""The repository extension of the Open Inference Protocol: which models there are, load one, unload one.

Source: https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_model_repository.md.
The parameter `version` is an addition; without it the newest is loaded, and all of them are unloaded.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, ValidationError

from app.errors import ApiError, ProtocolError
from app.http.content_encoding import decompress, is_compressed
from app.http.query import NO_QUERY
from app.http.request_scope import ReadyContext, RequestBody
from app.inference.context import InferenceContext
from app.registry.repository import Repository
from app.v2.routes import v2_documented

router = APIRouter(prefix="/v2/repository", tags=["Open Inference Protocol"], dependencies=NO_QUERY)

Name = Annotated[str, Path(max_length=100)]

MAX_BODY_BYTES = 65_536
"""Of a request that manages models, which needs a few hundred."""

MAX_PARAMETERS = 50

LOOK_SECONDS = 10.0
_LOOKING = ThreadPoolExecutor(2, "repository")
"""Of its own: on a file system that never answers, its threads wait for good, and all others work on."""


class IndexRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    ready: bool = False


class RepositoryEntry(BaseModel):
    name: str
    version: str
    state: Literal["READY", "LOADING", "UNAVAILABLE"]
    reason: str


class LoadParameters(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    version: str | None = None


class LoadRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    parameters: LoadParameters = LoadParameters()


class UnloadParameters(LoadParameters):
    """`unload_dependents`, which clients send, has nothing to say here: no model depends on another."""

    unload_dependents: bool = False


class UnloadRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    parameters: UnloadParameters = UnloadParameters()


Asked = TypeVar("Asked", bound=BaseModel)
Found = TypeVar("Found")


def _from_body(kind: type[Asked]) -> Callable[[Request], Awaitable[Asked]]:
    """The body as a `kind`, whatever its content type, as clients send none; an empty one as `{}`."""

    async def read(request: Request) -> Asked:
        encoding = request.headers.get("content-encoding")
        with RequestBody(request, MAX_BODY_BYTES) as received:
            body = await received.receive()
            if encoding is not None and is_compressed(encoding):
                body = decompress(body, encoding, received.hold_decompressed)  # little, as it is bounded
        # Counted before they are made, for each unknown key would make an error.
        if body.count(b",") > MAX_PARAMETERS:
            raise ProtocolError(f"the body has more than {MAX_PARAMETERS} parameters")
        try:
            return kind.model_validate_json(body or b"{}")
        except ValidationError as error:
            first = error.errors()[0]
            if first["type"] == "json_invalid":
                raise ProtocolError(first["msg"]) from error
            errors = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
            raise RequestValidationError(errors) from error

    return read


def _body_of(kind: type[BaseModel]) -> dict[str, Any]:
    schema = kind.model_json_schema()
    for name, definition in schema.pop("$defs", {}).items():
        del definition["title"]
        assert schema["properties"]["parameters"]["$ref"].endswith(name)
        schema["properties"]["parameters"] = definition
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}


@router.post(
    "/index",
    summary="List the models and their states",
    responses=v2_documented(400, 408, 413, 415, 422, 429, 503),
    openapi_extra=_body_of(IndexRequest),
)
async def index(
    context: ReadyContext, asked: Annotated[IndexRequest, Depends(_from_body(IndexRequest))]
) -> list[RepositoryEntry]:
    """The models that are served, and those of the model repository that could be loaded."""
    plan = context.control.plan
    states: dict[tuple[str, str], Literal["READY", "LOADING"]] = {}
    if plan.staged is not None:
        states[plan.staged.name, plan.staged.version] = "LOADING"
    states |= {(entry.name, entry.version): "READY" for entry in plan.entries}
    entries = [
        RepositoryEntry(name=name, version=version, state=state, reason="")
        for (name, version), state in states.items()
    ]
    folder = context.settings.model_repository
    if folder is not None:
        entries += [
            RepositoryEntry(name=name, version=version, state="UNAVAILABLE", reason="not loaded")
            for name, versions in (await _looked_up(Repository(folder).versions)).items()
            for version in versions
            if (name, version) not in states
        ]
    return [entry for entry in entries if entry.state == "READY" or not asked.ready]


_CHANGE: dict[str, Any] = {
    "responses": v2_documented(400, 403, 404, 408, 409, 413, 415, 422, 429, 500, 503),
    "response_class": Response,
    "response_description": "Done, by all worker processes; the body is empty.",
}


@router.post("/models/{name}/load", summary="Load a model", openapi_extra=_body_of(LoadRequest), **_CHANGE)
async def load(
    request: Request,
    context: ReadyContext,
    name: Name,
    asked: Annotated[LoadRequest, Depends(_from_body(LoadRequest))],
) -> Response:
    """Load or reload a model while all others are served.

    Once every worker process has checked it, it replaces the same version, if that was loaded, and answers
    requests that name no version. A model that fails its checks changes nothing. Earlier versions stay loaded
    until they are unloaded; to roll back, load one of them again.
    """
    repository = _managed(request, context)
    limit = context.settings.max_models
    version, _ = await _looked_up(partial(repository.find, name, asked.parameters.version))
    await context.control.load(name, version, limit)
    return Response()


@router.post(
    "/models/{name}/unload", summary="Unload a model", openapi_extra=_body_of(UnloadRequest), **_CHANGE
)
async def unload(
    request: Request,
    context: ReadyContext,
    name: Name,
    asked: Annotated[UnloadRequest, Depends(_from_body(UnloadRequest))],
) -> Response:
    """Unload one version of a model, or all; requests that use it are answered first."""
    _managed(request, context)
    await context.control.unload(name, asked.parameters.version)
    return Response()


async def _looked_up(look: Callable[[], Found]) -> Found:
    """What is found in the repository, on a thread: one on a network may be slow to answer, or never do.

    Raises `ApiError` 503 if it cannot be read, and what else `look` raises.
    """
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            return await asyncio.get_running_loop().run_in_executor(_LOOKING, look)
    except OSError as error:
        timed_out = isinstance(error, TimeoutError)
        reason = f"it did not answer within {LOOK_SECONDS:g} s" if timed_out else error.strerror
        message = f"the model repository cannot be read at the moment: {reason}"
        raise ApiError(503, "repository_unavailable", message, headers={"Retry-After": "5"}) from error


def _managed(request: Request, context: InferenceContext) -> Repository:
    folder = context.settings.model_repository
    if not context.settings.management or folder is None:
        message = (
            "loading and unloading is off; start the service with RESNET_SERVE_MANAGEMENT=true and"
            " RESNET_SERVE_MODEL_REPOSITORY"
        )
        raise ApiError(403, "management_off", message)
    origin = request.headers.get("origin")
    if origin is not None and not _is_trusted(origin, request, context):
        message = f"a page of {origin!r} may not load and unload; RESNET_SERVE_CORS_ORIGINS must name it"
        raise ApiError(403, "foreign_origin", message)
    return Repository(folder)


def _is_trusted(origin: str, request: Request, context: InferenceContext) -> bool:
    """Whether a browser's page is the service's own, or named: without that it need not see the answer."""
    own = origin.partition("://")[2] == request.headers.get("host")
    return own or origin in context.settings.allowed_origins()
