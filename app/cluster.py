"""The application as replicas on a Ray cluster, by Ray Serve: `serve deploy app/deploy/ray/serve.yaml`."""

from typing import Any

from fastapi import FastAPI
from pydantic import ValidationError
from ray import serve
from ray.serve import Application
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import StartError
from app.http.middleware.trusted_proxies import below_prefix
from app.main import create_app
from app.settings import Settings, load_settings
from app.settings.environment import variable

UNUSABLE = ("host", "port", "workers", "management", "start_seconds", "unready_seconds", "drain_seconds")
"""Settings of what Ray has in its own hand, and the loading of models, which would reach one replica only."""


class RoutePrefix:
    """Pure ASGI middleware, outermost of all: what is further in sees the path without the `route_prefix`.

    Ray leaves it there. Which paths need no key, and which has the fast way, is told by the path without it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["root_path"]:
            scope = below_prefix(scope, scope["root_path"])
        await self.app(scope, receive, send)


@serve.ingress()
class Replica:
    """One replica: the app that a process of its own serves, models and batches included."""

    def __init__(self, settings: Settings) -> None:
        self._service = create_app(settings)
        self._service.add_middleware(RoutePrefix)

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
    environment = load_settings()  # by which a wrong name there is told
    if unusable := sorted(set(arguments) & set(UNUSABLE)):
        raise StartError(f"{unusable[0]}: of no use in a replica, it is for Ray Serve to say")
    if environment.management:
        message = "set, but a model that is loaded over HTTP would reach one replica only"
        raise StartError(f"{variable('management')}: {message}")
    try:
        # WORKERS may be in the environment of whoever deploys; a replica has its cores for itself.
        settings = Settings(workers=1, **arguments)
    except ValidationError as error:
        first = error.errors()[0]
        message = first["msg"].removeprefix("Value error, ")
        raise StartError(f"{'.'.join(map(str, first['loc']))}: {message}") from error
    # More than the replica admits, so that it is the replica that refuses, and says when to come back.
    deployment = serve.deployment(Replica, max_ongoing_requests=2 * settings.max_concurrent_requests)
    return deployment.bind(settings)
