"""The proxy in front, and how connections and processes start and end."""

from pydantic import BaseModel, Field

from app.settings.text_types import Addresses, parts


class DeploymentSettings(BaseModel):
    trusted_proxies: Addresses = Field(
        "",
        description="Addresses and networks of reverse proxies, such as `10.0.0.5, 192.168.0.0/16`. Only from"
        " these is the client's address read from the header `X-Forwarded-For`. They must set or remove"
        " the `X-Forwarded-Prefix` that clients send.",
    )
    root_path: str = Field(
        "",
        pattern=r"^(/[A-Za-z0-9._~-]+)*$",
        description="Path prefix under which a proxy publishes the service, such as `/vision`; empty: none. A"
        " trusted proxy may set another one with `X-Forwarded-Prefix`.",
    )
    keep_alive_seconds: int = Field(
        15,
        ge=1,
        le=3600,
        description="Timeout in seconds of an idle connection, and of one whose client does not read its"
        " response.",
    )
    start_seconds: float = Field(
        300,
        gt=0,
        le=86_400,
        description="Time in seconds that a process has to load its models. One that is not ready by then is"
        " replaced by another, or ends the service if none has been ready yet.",
    )
    unready_seconds: int = Field(
        0,
        ge=0,
        le=3600,
        description="Time in seconds after SIGTERM in which all requests are still answered, while readiness"
        " is status 503 and every response closes its connection, so that a load balancer notices before"
        " connections are refused. 0: they are refused at once.",
    )
    drain_seconds: int = Field(
        20,
        ge=0,
        le=3600,
        description="Time in seconds that running requests have to finish when the service is stopped.",
    )

    def proxies(self) -> list[str]:
        return parts(self.trusted_proxies)
