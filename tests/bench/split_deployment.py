"""The application as two deployments of Ray Serve: an ingress that decodes, and a model that computes.

The ingress is the very same application, whose engine asks the model's deployment instead of computing.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from fastapi import FastAPI
from ray import serve
from ray.serve import Application
from ray.serve.handle import DeploymentHandle

from app.main import create_app
from app.settings import Settings
from models.artifact.store import Artifact, read_artifact
from models.engines import ENGINES, EngineOptions, Floats, Images, Precision, load_engine
from models.hardware import usable_cores

IN_FLIGHT = 32
"""Images that an ingress has with the model at once, each by itself."""

LARGEST_BATCH = 16
"""Of the model, as of the engine where it is not apart."""


class RemoteEngine:
    """An engine whose images are computed elsewhere, one a call; what waits there forms the next batch."""

    name, version, device = "remote", "1", "elsewhere"
    precision: Precision = "int8"
    concurrency = IN_FLIGHT
    max_batch: int | None = 1
    model: DeploymentHandle
    """Where it is computed; the ingress says so before an engine is made."""

    def __init__(self, _artifact: Artifact, _options: EngineOptions) -> None: ...

    def predict(self, images: Images) -> Floats:
        return self.predict_with_features(images)[0]

    def predict_with_features(self, images: Images) -> tuple[Floats, Floats]:
        logits, features = self.model.remote(images).result()
        return logits, features

    def for_throughput(self) -> None:
        """Nothing to gain."""


class Model:
    """The engine, with batches of what waits while it computes."""

    def __init__(self, settings: Settings) -> None:
        options = EngineOptions(device="cpu", threads=usable_cores())
        self._engine = load_engine(read_artifact(settings.model_dir), "openvino", options)

    @serve.batch(max_batch_size=LARGEST_BATCH, batch_wait_timeout_s=0)  # type: ignore[untyped-decorator]
    async def __call__(self, requests: Sequence[npt.NDArray[np.uint8]]) -> list[tuple[Floats, Floats]]:
        ends = np.cumsum([len(images) for images in requests])[:-1]
        logits, features = self._engine.predict_with_features(np.concatenate(requests))
        return list(zip(np.split(logits, ends), np.split(features, ends), strict=True))


@serve.ingress()
class Ingress:
    """The application without a network of its own."""

    def __init__(self, settings: Settings, model: DeploymentHandle) -> None:
        RemoteEngine.model = model
        ENGINES["openvino"] = f"{__name__}:RemoteEngine"
        self._service = create_app(settings)

    def __serve_build_asgi_app__(self) -> FastAPI:
        return self._service


def application(settings: Settings, ingresses: int, options: dict[str, Any]) -> Application:
    """A model and so many ingresses, each deployment with `options` of Ray's."""
    options = {"max_ongoing_requests": 4 * IN_FLIGHT, **options}
    model = serve.deployment(Model, **options).bind(settings)
    return serve.deployment(Ingress, num_replicas=ingresses, **options).bind(settings, model)
