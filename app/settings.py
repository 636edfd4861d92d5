"""Every setting of the service, read from environment variables of the same name in capitals."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.setting_types import Addresses, HostNames, RateLimits, parts

# Found without an import of `models`, which would bring PyTorch into a process that only supervises.
BUNDLED_MODEL = Path(__file__).parents[1] / "models" / "weights" / "resnet18-cifar10" / "1"

ORIGIN = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+")
LEAST_KEY_LENGTH = 16
SECRETS = ("API_KEYS",)
"""Settings whose values no message shows."""


class SettingsError(ValueError):
    """A setting has an illegal value; the message is one line that names the variable."""


class Settings(BaseSettings):
    """All settings with their defaults and ranges. An empty variable counts as not set."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on; `0.0.0.0` is every network interface.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes any free one.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "warning", description="Least severe messages to log: `debug`, `info`, `warning` or `error`."
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="What log lines are: `text`, or `json`, an object a line."
    )
    traces: Literal["none", "otlp"] = Field(
        "none",
        description="Where spans of OpenTelemetry go: `none`, or `otlp`, to the collector that the variables"
        " `OTEL_EXPORTER_OTLP_...` name.",
    )
    workers: int = Field(
        1, ge=1, le=64, description="Processes that serve, each with the whole model; they share the cores."
    )
    model_dir: Path = Field(BUNDLED_MODEL, description="Folder of the model to serve, `<name>/<version>`.")
    model_repository: Path | None = Field(
        None,
        description="Folder of models, `<name>/<version>/`; the newest version of each is served, instead of"
        " `MODEL_DIR`.",
    )
    default_model: str = Field(
        "",
        description="Name of the model for requests that name none; empty is the first in the alphabet.",
    )
    max_models: int = Field(
        8, ge=1, le=1000, description="Most models and versions that are loaded at the same time."
    )
    management: bool = Field(
        default=False,
        description="Let models of `MODEL_REPOSITORY` be loaded and unloaded over HTTP, while others serve.",
    )
    api_keys: SecretStr = Field(
        SecretStr(""),
        description="Keys, with commas between them, one of which a request must carry;"
        " without any, none is asked.",
    )
    api_keys_file: Path | None = Field(
        None, description="A file with further such keys, one a line; read once, at the start."
    )
    cors_origins: str = Field(
        "",
        description="Other web sites whose pages may ask, such as `https://example.org`, with commas between"
        " them; `*` is all of them, empty none.",
    )
    trusted_hosts: HostNames = Field(
        "",
        description="Names that the service goes by, such as `example.org, *.example.org, 10.0.0.7`, without"
        " a port; by any other, but for health checks, it answers status 400. Empty or `*` is any.",
    )
    engine: Literal["auto", "openvino", "torch"] = Field(
        "auto",
        description="What computes: `torch`, `openvino` (processor only), or `auto`, which is `torch` on a"
        " CUDA device and `openvino` elsewhere.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where to compute: `cpu`, `cuda`, or `auto`, which is `cuda` where there is one."
    )
    precision: Literal["auto", "float32", "bfloat16", "int8"] = Field(
        "auto",
        description="Arithmetic of the network; `auto` is the fastest that engine, model and hardware have.",
    )
    torch_compile: bool = Field(
        default=False,
        description="Compile the network when the torch engine starts: slower start, faster batches.",
    )
    engine_threads: int = Field(
        0,
        ge=0,
        le=1024,
        description="Processor threads that compute; 0 is one for each core that may be used, with several"
        " workers each one's share of them, but at least 2.",
    )
    decode_threads: int = Field(
        2, ge=1, le=256, description="Requests whose larger images are decoded at the same time."
    )
    max_batch: int = Field(
        0,
        ge=0,
        le=4096,
        description="Most images that the network takes at once; 0 leaves the choice to the engine.",
    )
    max_queue: int = Field(
        1024,
        ge=1,
        le=1_000_000,
        description="Most images waiting for the network; a request that does not fit gets status 429.",
    )
    request_seconds: float = Field(
        30,
        gt=0,
        le=3600,
        description="Longest time for one request, and as long as none asks for less by the header"
        " `X-Request-Timeout`; without a result by then, status 504.",
    )
    max_files: int = Field(256, ge=1, le=10_000, description="Most images in one request.")
    cache_files: int = Field(
        0,
        ge=0,
        le=10_000_000,
        description="For how many files each model's results are kept, to answer the same file again at once;"
        " 0 keeps none.",
    )
    max_waiting: int = Field(
        256,
        ge=1,
        le=100_000,
        description="Most requests being worked on or waiting; the next gets status 429.",
    )
    max_body_bytes: int = Field(
        10_000_000,
        ge=1_000,
        le=1_000_000_000,
        description="Largest body of a request, and of a response with results; above it, status 413.",
    )
    max_bodies_bytes: int = Field(
        500_000_000,
        ge=1_000,
        le=1_000_000_000_000,
        description="Most bytes that the bodies of all requests hold together, in each worker, but always"
        " enough for one; above it, status 429.",
    )
    max_image_pixels: int = Field(
        50_000_000, ge=1, le=150_000_000, description="Most pixels of one image; above it, status 413."
    )
    max_connections: int = Field(
        900,
        ge=1,
        le=1_000_000,
        description="Most connections at once, of each worker; the next gets status 503 and is closed.",
    )
    header_seconds: float = Field(
        10,
        gt=0,
        le=3600,
        description="How long a request's headers may take to arrive, or a new connection to ask for"
        " anything; then status 408, and the connection is closed.",
    )
    body_seconds: float = Field(
        30,
        gt=0,
        le=3600,
        description="How long a request's body may take to arrive; then status 408, and the connection is"
        " closed.",
    )
    rate_limit: RateLimits = Field(
        "",
        description="Most requests of one client, its key or else its address, such as `100/minute` or"
        " `10/second, 1000/hour`; the next gets status 429. Each of several workers counts for itself.",
    )
    trusted_proxies: Addresses = Field(
        "",
        description="Addresses and networks of proxies, such as `10.0.0.5, 192.168.0.0/16`, whose"
        " `X-Forwarded-For` says which address a client has.",
    )
    root_path: str = Field(
        "",
        pattern=r"^(/[A-Za-z0-9._~-]+)*$",
        description="Path below which a proxy offers the service, such as `/vision`; empty is none. A proxy"
        " of `TRUSTED_PROXIES` may name another by `X-Forwarded-Prefix`.",
    )
    keep_alive_seconds: int = Field(
        15,
        ge=1,
        le=3600,
        description="How long a connection is kept open while it is idle, or its client takes nothing of an"
        " answer.",
    )
    drain_seconds: int = Field(
        20,
        ge=0,
        le=3600,
        description="How long running requests may take to finish when the service is stopped.",
    )

    @field_validator("management")
    @classmethod
    def _require_repository(cls, management: bool, info: ValidationInfo) -> bool:
        if management and info.data.get("model_repository") is None:
            raise ValueError("needs MODEL_REPOSITORY, the folder that models are loaded from")
        return management

    @field_validator("cors_origins")
    @classmethod
    def _require_origins(cls, text: str) -> str:
        for origin in parts(text):
            if origin != "*" and not ORIGIN.fullmatch(origin):
                raise ValueError("must be origins such as https://example.org:8443, without a path")
        return text

    def allowed_origins(self) -> list[str]:
        return parts(self.cors_origins)

    def known_hosts(self) -> list[str]:
        """The names that the service goes by; none where it goes by any."""
        hosts = parts(self.trusted_hosts)
        return [] if "*" in hosts else hosts

    def proxies(self) -> list[str]:
        return parts(self.trusted_proxies)

    @field_validator("api_keys")
    @classmethod
    def _require_long_keys(cls, keys: SecretStr) -> SecretStr:
        _parse_keys(keys.get_secret_value().split(","))
        return keys

    @field_validator("api_keys_file")
    @classmethod
    def _require_file_of_long_keys(cls, path: Path | None) -> Path | None:
        if path is not None and not _read_keys(path):
            raise ValueError("there is no key in the file")
        return path

    def all_keys(self) -> tuple[str, ...]:
        """The keys of both settings; none where no key is asked for."""
        listed = _parse_keys(self.api_keys.get_secret_value().split(","))
        return (*listed, *(_read_keys(self.api_keys_file) if self.api_keys_file else ()))


def _read_keys(path: Path) -> tuple[str, ...]:
    try:
        return _parse_keys(path.read_text(encoding="utf-8").splitlines())
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror}") from error


def _parse_keys(texts: Iterable[str]) -> tuple[str, ...]:
    """The keys among `texts`. Raises `ValueError`, which never names a key."""
    keys = tuple(text.strip() for text in texts if text.strip())
    for number, key in enumerate(keys, start=1):
        if len(key) < LEAST_KEY_LENGTH or not key.isascii() or not key.isprintable() or " " in key:
            raise ValueError(
                f"key {number} must be of at least {LEAST_KEY_LENGTH} visible ASCII characters, none a space"
            )
    return keys


def load_settings(**overrides: object) -> Settings:
    """Read the environment; `overrides` that are not `None` take precedence.

    Raises `SettingsError` for an illegal value.
    """
    given: dict[str, Any] = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper()
        message = f"{name}: {first['msg'].removeprefix('Value error, ')}"
        if name in SECRETS:
            raise SettingsError(message) from None
        raise SettingsError(f"{message}, got {first['input']!r}") from error
