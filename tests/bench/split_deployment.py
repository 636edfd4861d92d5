"""The application as two deployments of Ray Serve: an ingress that decodes, and a model that computes.

Each image goes to the model by itself, where images that wait form the next batch. The ingress is the very
same application, whose engine asks the model's deployment in place of computing.
"""

from collections.abc import Sequence
from typing import Any

import torch
from fastapi import FastAPI
from ray import serve
from ray.serve import Application
from ray.serve.handle import DeploymentHandle
from torch import Tensor

from app.main import create_app
from app.settings import Settings
from models.artifact.store import Artifact, load_artifact
from models.engines import ENGINES, EngineOptions
from models.engines.openvino_engine import OpenVinoEngine
from models.hardware import usable_cores

IN_FLIGHT = 32
"""Images that an ingress has with the model at once; also the model's largest batch."""


class RemoteEngine:
    """An engine whose batches of one are computed elsewhere."""

    name, version, device, precision = "remote", "1", "elsewhere", "int8"
    concurrency, max_batch = IN_FLIGHT, 1

    def __init__(self, model: DeploymentHandle) -> None:
        self._model = model

    def predict(self, images: Tensor) -> Tensor:
        return self.predict_with_features(images)[0]

    def predict_with_features(self, images: Tensor) -> tuple[Tensor, Tensor]:
        logits, features = self._model.remote(images.numpy()).result()
        return torch.from_numpy(logits), torch.from_numpy(features)


@serve.deployment(ray_actor_options={"num_cpus": 0.5}, max_ongoing_requests=4 * IN_FLIGHT)
class Model:
    """The engine, with batches of what waits: none waits for company."""

    def __init__(self, folder: str) -> None:
        options = EngineOptions(device="cpu", threads=usable_cores())
        self._engine = OpenVinoEngine.of(load_artifact(folder), options)

    @serve.batch(max_batch_size=IN_FLIGHT, batch_wait_timeout_s=0)
    async def __call__(self, requests: Sequence[Any]) -> list[Any]:
        sizes = [len(each) for each in requests]
        images = torch.cat([torch.from_numpy(each.copy()) for each in requests])
        logits, features = self._engine.predict_with_features(images)
        return [
            (ours.numpy(), of_ours.numpy())
            for ours, of_ours in zip(logits.split(sizes), features.split(sizes), strict=True)
        ]


@serve.deployment(ray_actor_options={"num_cpus": 0.5}, max_ongoing_requests=4 * IN_FLIGHT)
@serve.ingress()
class Ingress:
    """The application without an engine of its own."""

    def __init__(self, settings: Settings, model: DeploymentHandle) -> None:
        def remote(_artifact: Artifact, _options: EngineOptions) -> RemoteEngine:
            return RemoteEngine(model)

        ENGINES["openvino"] = remote
        self._service = create_app(settings)

    def __serve_build_asgi_app__(self) -> FastAPI:
        return self._service


def application(settings: dict[str, Any]) -> Application:
    """Both, with one replica each; the ingress's threads for its engine do but wait for the model."""
    waiting = {**settings, "engine_threads": IN_FLIGHT}
    return Ingress.bind(Settings(**waiting), Model.bind(settings["model_dir"]))
