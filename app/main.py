"""The application: settings in, ASGI app out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import torch
from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from app import errors
from app.body_limit import BodyLimit
from app.model_store import load_model
from app.routes import augment_preview, health, models, predict
from app.service import Service
from app.settings import Settings
from app.workers import Workers

STATIC = Path(__file__).parent / "static"


def create_app(settings: Settings) -> FastAPI:
    """Build the service. Its lifespan loads and warms the model, and ends when running work is done.

    Entering the lifespan raises `ArtifactError` if the model in `settings.model_dir` is not fit to serve.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if settings.torch_threads:
            torch.set_num_threads(settings.torch_threads)
        workers = Workers(settings.decode_threads, settings.max_waiting)
        try:
            # On the thread that will run it, so that what torch sets up per thread is there already.
            model = await workers.infer(partial(load_model, settings.model_dir, settings.device))
            app.state.service = Service(settings, workers, model)
            yield
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
    )
    app.state.service = None
    errors.install(app)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    for module in (predict, augment_preview, models, health):
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(STATIC / "index.html")

    return app
