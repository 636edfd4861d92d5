"""The application: settings in, ASGI app out."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import torch
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from torch import Tensor

from app import errors
from app.access import ApiKeys
from app.batcher import Batcher
from app.body_limit import BodyLimit
from app.direct import DirectRoutes, Endpoint
from app.engines import EngineOptions
from app.metrics import Metrics
from app.model_store import Scores, load_model
from app.request_log import RequestLog
from app.request_metrics import RequestMetrics
from app.routes import augment_preview, health, inference_v2, metrics, models, predict
from app.security_headers import SecurityHeaders
from app.service import Service
from app.settings import Settings
from app.startup import StartError
from app.throughput import Throughput
from app.workers import Workers
from models.artifact import ArtifactError
from models.hardware import usable_cores

logger = logging.getLogger(__name__)

STATIC = Path(__file__).parent / "static"

DIRECT_ENDPOINTS: dict[tuple[str, str], Endpoint] = {("POST", "/predict"): predict.predict_directly}


LEAST_THREADS = 2
"""Of an engine, though several processes share the cores: two on one batch answer a lone image in little more
than half the time of one, and while one of them waits for the other, another process's batch has the core."""


def engine_options(settings: Settings) -> EngineOptions:
    """How the engine is to compute, the threads among it.

    Beside OpenVINO torch does but small things, on threads that have other work: threads of its own would
    only take the processor from the engine. The torch engine raises the number itself.
    """
    torch.set_num_threads(1)
    cores = usable_cores()
    return EngineOptions(
        settings.device,
        settings.precision,
        settings.engine_threads or max(min(cores, LEAST_THREADS), cores // settings.workers),
        settings.torch_compile,
    )


def _spare_the_collector() -> None:
    """Take all that stays for good out of the sight of Python's cyclic garbage collector.

    Torch and OpenVINO bring a million objects, which it would look through again and again, and let every
    request wait for a tenth of a second meanwhile.
    """
    gc.collect()
    gc.freeze()


def check(settings: Settings) -> str:
    """Load and prove the model as the start does; returns what would be served, in one line.

    Raises `StartError` if it is not fit to serve.
    """
    try:
        model = load_model(
            settings.model_dir, settings.engine, engine_options(settings), settings.max_batch or None
        )
    except (ArtifactError, OSError) as error:
        raise StartError(str(error)) from error
    about, engine, figures = model.metadata, model.engine, model.metrics
    return (
        f"{about.name} {about.version} is fit to serve: {engine.name} {engine.precision} on {engine.device},"
        f" batches of up to {model.max_batch}, {figures.accuracy:.2%} of {figures.images:,} test images right"
    )


def create_app(settings: Settings, measured: Metrics | None = None) -> FastAPI:
    """Build the service. Its lifespan loads and warms the model, and ends when running work is done.

    `measured` takes the metrics; by default they are the app's own. Entering the lifespan raises
    `ArtifactError` if the model in `settings.model_dir` is not fit to serve.
    """
    measured = measured or Metrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        options = engine_options(settings)
        workers = Workers(settings.decode_threads, options.threads, settings.max_waiting)
        try:
            # On the thread that will run it, so that what torch sets up per thread is there already.
            load = partial(
                load_model, settings.model_dir, settings.engine, options, settings.max_batch or None
            )
            model = await workers.infer(load)
            name, version, engine = model.metadata.name, model.metadata.version, model.engine
            logger.info(
                "%s %s: %s %s on %s in %s, because %s; batches of up to %d",
                *(name, version, engine.name, engine.version, engine.device, engine.precision),
                model.engine_reason,
                model.max_batch,
            )
            measured.model(name, version, engine.name, engine.precision)

            throughput = Throughput()

            def run(images: list[Tensor]) -> asyncio.Future[list[Scores]]:
                batch = workers.infer(partial(model.classify, images))
                batch.add_done_callback(lambda _: throughput.add(len(images)))
                return batch

            batcher = Batcher(
                run,
                max_batch=model.max_batch,
                max_queue=settings.max_queue,
                concurrency=engine.concurrency,
                on_batch=lambda size, _: measured.batch(size),
            )
            measured.queue_depth(lambda: batcher.depth)
            app.state.service = Service(settings, workers, model, batcher, measured, throughput)
            _spare_the_collector()
            yield
            app.state.service = None
            await batcher.close()
        finally:
            app.state.service = None
            workers.close()

    app = FastAPI(
        title="resnet-serve",
        summary="Classify images, and see what the network saw when it learned.",
        version="0.1.0",
        lifespan=lifespan,
        redirect_slashes=False,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.service = None
    app.state.metrics = measured
    errors.install(app)
    app.add_middleware(DirectRoutes, endpoints=DIRECT_ENDPOINTS)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    if keys := settings.all_keys():
        app.add_middleware(ApiKeys, keys=keys)
    app.add_middleware(RequestMetrics, metrics=measured)
    app.add_middleware(SecurityHeaders)
    if origins := settings.allowed_origins():
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["*"],
            expose_headers=["X-Request-ID", "Retry-After", "Server-Timing"],
        )
    app.add_middleware(RequestLog)
    for module in (predict, augment_preview, models, inference_v2, health, metrics):
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    return app
