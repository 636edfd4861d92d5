"""The application: settings in, ASGI app out."""

import asyncio
import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request, Response
from threadpoolctl import threadpool_limits

from app import __version__
from app.batching.decoding_memory import DecodingMemory, default_bodies_bytes, default_decoding_bytes
from app.batching.thread_pools import EngineWatch, ThreadPools
from app.errors import StartError
from app.feedback.store import create_feedback
from app.http import error_handlers
from app.http.middleware.api_keys import ApiKeys
from app.http.middleware.cross_origin import CrossOrigin
from app.http.middleware.dispatch import Dispatch, Endpoint
from app.http.middleware.rate_limit import Quota, RateLimit
from app.http.middleware.telemetry import RequestTelemetry
from app.http.middleware.trusted_hosts import TrustedHosts
from app.http.middleware.trusted_proxies import TrustedProxies
from app.http.openapi import complete_document
from app.http.request_scope import BodyLimits
from app.http.security_headers import SECURITY_HEADERS
from app.http.static_files import CompressedFiles
from app.inference.context import InferenceContext
from app.observability.metrics import ServiceMetrics
from app.observability.tracing import create_tracing
from app.registry.control import ModelControl
from app.registry.first_plan import first_plan
from app.registry.free_memory import return_free_memory
from app.registry.loader import ModelLoader, load_entry
from app.registry.plan_folder import Membership
from app.registry.pytorch import PyTorch, require_pytorch
from app.routes import (
    augment_preview,
    augmentations,
    batch_norm,
    explain,
    feedback,
    health,
    metrics,
    models,
    predict,
)
from app.settings import Settings, load_settings
from app.v2 import repository, triton
from app.v2 import routes as inference_v2
from models.artifact.store import ArtifactError
from models.engines import EngineOptions
from models.hardware import usable_cores

STATIC = Path(__file__).parent / "static"

ROUTERS: dict[str, APIRouter] = {
    "predict": predict.router,
    "feedback": feedback.router,
    "explain": explain.router,
    "augment_preview": augment_preview.router,
    "augmentations": augmentations.router,
    "models": models.router,
    "batch_norm": batch_norm.router,
    # Before the protocol's own routes, one of which takes `stats` for the name of a model.
    "triton": triton.router,
    "inference_v2": inference_v2.router,
    "repository": repository.router,
    "health": health.router,
    "metrics": metrics.router,
}
"""The endpoints of each file; another one is added by its line here."""

FAST_PATH: dict[tuple[str, str], Endpoint] = {("POST", "/predict"): predict.predict_fast}
"""Endpoints that are called past FastAPI's routing; each is a route as well."""

LEAST_THREADS = 2
"""Of an engine, though several processes share the cores: two on one batch answer a lone image in little more
than half the time of one, and while one of them waits for the other, another process's batch has the core."""


def engine_options(settings: Settings) -> EngineOptions:
    """How the engine is to compute, the threads among it.

    NumPy does but small things beside it, on threads that have other work. Threads of its own would take the
    processor from the engine, and on so little they wait for each other longer than they compute: 9 ms of
    processor time for each batch.
    """
    threadpool_limits(1, user_api="blas")
    cores = usable_cores()
    return EngineOptions(
        settings.device,
        settings.precision,
        settings.engine_threads or max(min(cores, LEAST_THREADS), cores // settings.workers),
        settings.torch_compile,
        # A conversion takes PyTorch, which this process does without unless it has it.
        apart="torch" not in sys.modules,
    )


def _spare_the_collector() -> None:
    """Take all that stays for good out of the sight of Python's cyclic garbage collector.

    OpenVINO and what else is imported bring a million objects, which it would look through again and again,
    and let every request wait for a tenth of a second meanwhile.
    """
    gc.collect()
    gc.freeze()


def _needs_pytorch(settings: Settings) -> bool:
    """Whether PyTorch is imported before the service is ready.

    Raises `StartError` if it would have to be and is not installed.
    """
    if settings.preload == "torch":
        require_pytorch("RESNET_SERVE_PRELOAD=torch")
    elif settings.views > 1:
        require_pytorch(f"RESNET_SERVE_VIEWS={settings.views}")
    else:
        return False
    return True


def check(settings: Settings) -> list[str]:
    """Load and prove the models as the start does; returns a line for each that would be served.

    Raises `StartError` if one of them is not fit to serve, or what is asked for is not installed.
    """
    options = engine_options(settings)
    _needs_pytorch(settings)
    tracing = create_tracing(settings)
    if tracing is not None:
        tracing.close()
    create_feedback(settings)
    try:
        models = [load_entry(entry, settings, options) for entry in first_plan(settings).entries]
    except (ArtifactError, OSError) as error:
        raise StartError(str(error)) from error
    return [
        f"{model.metadata.name} {model.metadata.version} is fit to serve: {model.engine.name}"
        f" {model.engine.precision} on {model.engine.device}, batches of up to {model.max_batch},"
        f" {model.metrics.accuracy:.2%} of {model.metrics.images:,} test images right"
        for model in models
    ]


def create_app(
    settings: Settings | None = None,
    measured: ServiceMetrics | None = None,
    membership: Membership | None = None,
) -> FastAPI:
    """Build the service. Its lifespan loads and warms the models, and ends when running work is done.

    `settings` are by default those of the environment. `measured` takes the metrics; by default they are the
    app's own. `membership` is this process's place among several that serve the same models. Entering the
    lifespan raises `ArtifactError` if a model is not fit to serve, and `OSError` if a folder cannot be read.

    Raises `StartError` if a setting is wrong, or what is asked for is not installed.
    """
    settings = settings or load_settings()
    measured = measured or ServiceMetrics()
    needs_pytorch = _needs_pytorch(settings)
    tracing = create_tracing(settings)
    feedback_store = create_feedback(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        options = engine_options(settings)
        threads = ThreadPools(
            settings.decode_threads,
            options.threads,
            settings.max_concurrent_requests,
            DecodingMemory(settings.max_decoding_bytes or default_decoding_bytes(settings.workers)),
        )
        loader = ModelLoader(settings, options, threads, measured, app.state.engine_watch)
        control = ModelControl(
            partial(first_plan, settings),
            loader.load,
            loader.forget,
            partial(threads.load, return_free_memory),
            membership,
        )
        try:
            if needs_pytorch:
                await PyTorch().ready()
            await control.start()
            loader.beside_requests.set()
            context = InferenceContext(settings, threads, control, measured, tracing, feedback_store)
            measured.queue_depth(context.queue_depth)
            measured.cached_files(context.cached_files)
            if feedback_store is not None:
                feedback_store.start()
            app.state.context = context
            _spare_the_collector()
            yield
            app.state.context = None
            await control.close()
        finally:
            app.state.context = None
            loader.stop()
            await asyncio.to_thread(threads.close)
            if feedback_store is not None:
                await feedback_store.close()
            if tracing is not None:
                await asyncio.to_thread(tracing.close)

    app = FastAPI(
        title="resnet-serve",
        summary="Classify images, and see how the model was trained and how it computes.",
        version=__version__,
        lifespan=lifespan,
        redirect_slashes=False,
        openapi_url=None,  # `complete_document` adds it, and `docs` below
        docs_url=None,
        redoc_url=None,
        telemetry={
            "tracing": tracing is not None,
            "tracer_provider": tracing.provider if tracing else None,
            "operation_spans": False,
            "metrics": False,
            "logs": False,
            "auto_configure": False,
        },
    )
    app.state.context = None
    app.state.is_leaving = False
    app.state.is_stopping = False
    app.state.metrics = measured
    app.state.engine_watch = EngineWatch()
    app.state.feedback_quota = Quota(settings.feedback_rate_limit) if settings.feedback_rate_limit else None
    app.state.body_limits = BodyLimits(
        settings.max_body_bytes,
        settings.body_seconds,
        max(settings.max_bodies_bytes or default_bodies_bytes(settings.workers), settings.max_body_bytes),
    )
    error_handlers.install(app)
    app.add_middleware(Dispatch, fast_path=FAST_PATH)
    if settings.rate_limit:
        app.add_middleware(RateLimit, limits=settings.rate_limit)
    if keys := settings.all_keys():
        app.add_middleware(ApiKeys, keys=keys)
    if hosts := settings.known_hosts():
        app.add_middleware(TrustedHosts, hosts=hosts)
    if origins := settings.allowed_origins():
        app.add_middleware(
            CrossOrigin,
            allow_origins=origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["*"],
            expose_headers=[
                *("X-Request-ID", "Retry-After", "Server-Timing", "Cache-Status"),
                inference_v2.HEADER_LENGTH,
            ],
        )
    app.add_middleware(RequestTelemetry, metrics=measured, headers=SECURITY_HEADERS)
    if settings.trusted_proxies or settings.root_path:
        app.add_middleware(TrustedProxies, trusted_hosts=settings.proxies(), root_path=settings.root_path)
    for router in ROUTERS.values():
        app.include_router(router)
    complete_document(app, settings)
    # Alone among the responses, as these are text and many; all others go out as they are.
    static = CompressedFiles(STATIC)
    app.mount("/static", static, name="static")

    @app.get("/", include_in_schema=False)
    async def page(request: Request) -> Response:
        return await static.get_response("index.html", request.scope)

    # FastAPI's own page would load Swagger UI from another host.
    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> Response:
        return await static.get_response("docs/index.html", request.scope)

    return app
