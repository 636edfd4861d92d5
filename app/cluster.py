"""The application as replicas on a Ray cluster, by Ray Serve: `serve deploy app/deploy/ray/serve.yaml`."""

from typing import Any

from fastapi import FastAPI
from pydantic import ValidationError
from ray import serve
from ray.serve import Application

from app.errors import StartError
from app.main import create_app
from app.settings import Settings, load_settings

UNUSABLE = ("host", "port", "workers", "management", "start_seconds", "unready_seconds", "drain_seconds")
"""Settings of what Ray has in its own hand, and the loading of models, which would reach one replica only."""


@serve.ingress()
class Replica:
    """One replica: the app that a process of its own serves, models and batches included."""

    def __init__(self, settings: Settings) -> None:
        self._service = create_app(settings)

    def __serve_build_asgi_app__(self) -> FastAPI:
        return self._service

    def check_health(self) -> None:
        """Called by Ray, which replaces a replica that raises: `RuntimeError`, if the engine is stuck."""
        stuck = self._service.state.engine_watch.stuck_seconds()
        if stuck is not None:
            raise RuntimeError(f"the engine has not finished a batch for {stuck:.0f} s")


def application(arguments: dict[str, Any]) -> Application:
    """What `serve deploy` and `serve.run` deploy, with settings such as `{"max_batch": 8}`.

    Settings that are not given come from the environment of whoever deploys. Raises `StartError` for a wrong
    setting, or one that has no meaning in a replica.
    """
    load_settings()  # by which a wrong name in the environment is told
    if unusable := sorted(set(arguments) & set(UNUSABLE)):
        raise StartError(f"{unusable[0]}: of no use in a replica, it is for Ray Serve to say")
    try:
        settings = Settings(**arguments)
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        raise StartError(f"{'.'.join(map(str, first['loc']))}: {message}") from error
    # More than the replica admits, so that it is the replica that refuses, and says when to come back.
    deployment = serve.deployment(Replica, max_ongoing_requests=2 * settings.max_concurrent_requests)
    return deployment.bind(settings)
