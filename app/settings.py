"""Every setting of the service: its name, type, range, default and description."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Literal

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    CliSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from app.environment import PREFIX, Environment, refuse_wrong_names, variable, variable_in_use
from app.errors import SettingsError
from app.setting_types import Addresses, ApiKeys, HostNames, Origins, RateLimits, parse_keys, parts, read_keys

# Found without an import of `models`, which would bring PyTorch into a process that only supervises.
BUNDLED_MODEL = Path(__file__).parents[1] / "models" / "weights" / "resnet18-cifar10" / "1"

SECRETS = ("api_keys", "feedback_database")
"""Settings whose values no message shows."""


class Settings(BaseSettings):
    """All settings, from the command line, from environment variables with the prefix, or by default.

    An empty variable counts as not set.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        frozen=True,
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
    )

    host: str = Field(
        "127.0.0.1", description="Address to listen on; `0.0.0.0` listens on every network interface."
    )
    port: int = Field(
        8000,
        ge=0,
        le=65535,
        description="Port to listen on; 0 takes any free one. Read from `PORT` as well.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "warning", description="Lowest severity that is logged: `debug`, `info`, `warning` or `error`."
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="Format of the log: `text`, or `json` with one object per line."
    )
    traces: Literal["none", "otlp"] = Field(
        "none",
        description="Where OpenTelemetry traces are sent: `none`, or `otlp`, the collector that the variables"
        " `OTEL_EXPORTER_OTLP_...` name.",
    )
    workers: int = Field(
        1,
        ge=1,
        le=64,
        description="Number of worker processes. Each loads the model, and all share the CPU cores. Read from"
        " `WORKERS` as well.",
    )
    model_dir: Path = Field(
        BUNDLED_MODEL, description="Folder of the model to serve; its path ends in `<name>/<version>`."
    )
    model_repository: Path | None = Field(
        None,
        description="Folder of several models, `<name>/<version>` each. The newest version of every model is"
        " served, and the folder of a single model is not used.",
    )
    default_model: str = Field(
        "",
        description="Name of the model that answers requests without a model name. Empty: the first in"
        " alphabetical order.",
    )
    max_models: int = Field(
        8, ge=1, le=1000, description="Maximum number of model versions loaded at the same time."
    )
    management: bool = Field(
        default=False,
        description="Allow models of the model repository to be loaded and unloaded over HTTP.",
    )
    api_keys: ApiKeys = Field(
        SecretStr(""),
        description="API keys, separated by commas; a request must carry one of them. Empty: no key is"
        " needed, unless the file of API keys has one. Keys on the command line are visible to other users of"
        " the machine.",
    )
    api_keys_file: Path | None = Field(
        None, description="File of further API keys, one per line; read once at the start."
    )
    cors_origins: Origins = Field(
        "",
        description="Origins of other web sites whose pages may read the answers, such as"
        " `https://example.org`, separated by commas. `*`: all. Empty: none.",
    )
    trusted_hosts: HostNames = Field(
        "",
        description="Host names of the service, without a port, such as `example.org, *.example.org,"
        " 10.0.0.7`. A request to any other host name gets status 400, except for health checks. Empty or"
        " `*`: any host name.",
    )
    engine: Literal["auto", "openvino", "torch"] = Field(
        "auto",
        description="Inference engine: `torch`, `openvino` (CPU only), or `auto`, which is `torch` on a CUDA"
        " device and `openvino` on a CPU.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Inference device: `cpu`, `cuda`, or `auto`, which is `cuda` where there is one."
    )
    precision: Literal["auto", "float32", "bfloat16", "int8"] = Field(
        "auto",
        description="Inference precision: `float32`, `bfloat16`, `int8`, or `auto`, which is the fastest that"
        " engine, model and hardware support.",
    )
    torch_compile: bool = Field(
        default=False,
        description="Use `torch.compile` in the torch engine: the start is slower, inference is faster.",
    )
    preload: Literal["none", "torch"] = Field(
        "none",
        description="`torch` imports PyTorch before the service is ready. `none`: what needs it, which is"
        " explanations, augmentations, the view of batch norm and averaging over views, waits a few seconds"
        " the first time, and until then a worker holds 850 MB less.",
    )
    engine_threads: int = Field(
        0,
        ge=0,
        le=1024,
        description="Number of CPU threads for inference in each worker. 0: the available cores divided by"
        " the number of workers, but at least 2.",
    )
    decode_threads: int = Field(
        2,
        ge=1,
        le=256,
        description="Number of threads that decode larger images in each worker; as many again decode"
        " smaller ones.",
    )
    max_batch: int = Field(
        0,
        ge=0,
        le=4096,
        description="Maximum batch size of inference, in images. 0: the engine chooses it.",
    )
    max_queue: int = Field(
        1024,
        ge=1,
        le=1_000_000,
        description="Maximum number of images in the queue for inference; a request that does not fit gets"
        " status 429.",
    )
    request_seconds: float = Field(
        30,
        gt=0,
        le=3600,
        description="Timeout of a request in seconds; then it gets status 504. A request may set a shorter"
        " one in the header `X-Request-Timeout`.",
    )
    max_files: int = Field(256, ge=1, le=10_000, description="Maximum number of images in one request.")
    views: int = Field(
        1,
        ge=1,
        le=4,
        description="Number of views of each image (as is, mirrored, squeezed, enlarged) whose probabilities"
        " are averaged, where a request does not set `views`. Each view costs as much as an image.",
    )
    cache_files: int = Field(
        0,
        ge=0,
        le=10_000_000,
        description="Capacity of each model's result cache, in files. A file that is in the cache is not"
        " classified again. 0: no cache.",
    )
    max_concurrent_requests: int = Field(
        256,
        ge=1,
        le=100_000,
        description="Maximum number of requests in progress, including those that wait; a further one gets"
        " status 429.",
    )
    max_body_bytes: int = Field(
        10_000_000,
        ge=1_000,
        le=1_000_000_000,
        description="Maximum size of a request body, and of a response with results, in bytes; a larger one"
        " gets status 413.",
    )
    max_bodies_bytes: int = Field(
        0,
        ge=0,
        le=1_000_000_000_000,
        description="Maximum size of all request bodies in memory together, in bytes in each worker; a"
        " request that does not fit gets status 429. One body of the maximum size always fits. 0: a quarter"
        " of what the container's memory limit leaves beside the service itself, from 32 MiB to 512 MiB.",
    )
    max_image_pixels: int = Field(
        25_000_000,
        ge=1,
        le=150_000_000,
        description="Maximum number of pixels of an image; a larger one gets status 413.",
    )
    max_request_pixels: int = Field(
        100_000_000,
        ge=1,
        le=100_000_000_000,
        description="Maximum number of pixels of all images of one request together, counted again for every"
        " ten scans of a JPEG; beyond it, status 413. One image of the maximum size always fits.",
    )
    max_decoding_bytes: int = Field(
        0,
        ge=0,
        le=1_000_000_000_000,
        description="Maximum memory of all images that are being decoded, in bytes in each worker; an image"
        " that needs more gets status 413. 0: half of what the container's memory limit leaves beside the"
        " service itself, from 64 MiB to 1 GiB.",
    )
    max_connections: int = Field(
        900,
        ge=1,
        le=1_000_000,
        description="Maximum number of open connections of each worker; a further one gets status 503 and is"
        " closed.",
    )
    header_seconds: float = Field(
        10,
        gt=0,
        le=3600,
        description="Timeout in seconds for the headers of a request, counted from their first byte or from"
        " the opening of the connection; then status 408, and the connection is closed.",
    )
    body_seconds: float = Field(
        30,
        gt=0,
        le=3600,
        description="Timeout in seconds for the body of a request; then status 408, and the connection is"
        " closed.",
    )
    rate_limit: RateLimits = Field(
        "",
        description="Maximum request rate of a client, such as `100/minute` or `10/second, 1000/hour`; a"
        " request above it gets status 429. Clients are told apart by API key, or by address where no key is"
        " needed. Each worker counts by itself. Empty: no limit.",
    )
    drift_window: int = Field(
        1000,
        ge=0,
        le=100_000,
        description="Number of latest images of a model that are compared with its reference, in each"
        " worker. 0: nothing is compared.",
    )
    feedback: bool = Field(
        default=False,
        description="Accept corrections of predictions, and keep them in a database; needs the extra"
        " `feedback`.",
    )
    feedback_database: SecretStr = Field(
        SecretStr("sqlite:///feedback.db"),
        description="Address of the feedback database: `sqlite:///` and a file, or"
        " `postgresql://user:password@host/database`. All workers share it.",
    )
    feedback_images: bool = Field(
        default=False,
        description="Allow a correction to bring its image, which is kept with it. Otherwise an image is"
        " rejected with status 403.",
    )
    feedback_days: int = Field(
        90,
        ge=1,
        le=36_500,
        description="Retention of corrections and their images in days; then they are deleted.",
    )
    max_feedback: int = Field(
        100_000,
        ge=1,
        le=10_000_000,
        description="Maximum number of corrections that are kept; a further one gets status 507.",
    )
    max_feedback_bytes: int = Field(
        1_000_000_000,
        ge=0,
        le=1_000_000_000_000,
        description="Maximum size of all images that are kept with corrections, in bytes; one that does not"
        " fit gets status 507.",
    )
    feedback_rate_limit: RateLimits = Field(
        "30/minute",
        description="Maximum rate of corrections and deletions of a client, as in the setting for all"
        " requests, which holds as well. Empty: no limit.",
    )
    trusted_proxies: Addresses = Field(
        "",
        description="Addresses and networks of reverse proxies, such as `10.0.0.5, 192.168.0.0/16`. Only from"
        " these is the client's address read from the header `X-Forwarded-For`.",
    )
    root_path: str = Field(
        "",
        pattern=r"^(/[A-Za-z0-9._~-]+)*$",
        description="Path below which a proxy offers the service, such as `/vision`; empty is none. A trusted"
        " proxy may name another by `X-Forwarded-Prefix`.",
    )
    keep_alive_seconds: int = Field(
        15,
        ge=1,
        le=3600,
        description="Timeout in seconds of an idle connection, and of one whose client reads nothing of an"
        " answer.",
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
        " is status 503 and every response closes its connection: a balancer finds out before connections"
        " are refused. 0: they are refused at once.",
    )
    drain_seconds: int = Field(
        20,
        ge=0,
        le=3600,
        description="Time in seconds that running requests have to finish when the service is stopped.",
    )

    @field_validator("management")
    @classmethod
    def _require_repository(cls, management: bool, info: ValidationInfo) -> bool:
        if management and info.data.get("model_repository") is None:
            raise ValueError(f"needs {variable('model_repository')}, the folder that models are loaded from")
        return management

    @field_validator("api_keys_file")
    @classmethod
    def _require_file_of_long_keys(cls, path: Path | None) -> Path | None:
        if path is not None:
            read_keys(path)
        return path

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - it knows nothing of names without prefix
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, Environment(settings_cls)

    def allowed_origins(self) -> list[str]:
        return parts(self.cors_origins)

    def known_hosts(self) -> list[str]:
        """The names that the service goes by; none where it goes by any."""
        hosts = parts(self.trusted_hosts)
        return [] if "*" in hosts else hosts

    def proxies(self) -> list[str]:
        return parts(self.trusted_proxies)

    _keys: tuple[str, ...] = PrivateAttr(())

    def model_post_init(self, _: object) -> None:
        """Read the keys, once: a worker that is started later gets them with these settings.

        So it neither disagrees with the others nor is open, whatever has become of the file.
        """
        if listed := self.api_keys.get_secret_value():
            self._keys += parse_keys(listed.split(","))
        if self.api_keys_file is not None:
            self._keys += read_keys(self.api_keys_file)

    def all_keys(self) -> tuple[str, ...]:
        """The keys of both settings; none where no key is needed."""
        return self._keys


def load_settings(command_line: CliSettingsSource[ArgumentParser] | None = None) -> Settings:
    """Read the settings: from a parsed `command_line` first, then from the environment, else the defaults.

    Raises `SettingsError` for an illegal value and as `refuse_wrong_names` does.
    """
    refuse_wrong_names(Settings.model_fields)
    try:
        return Settings(_cli_settings_source=command_line)
    except ValidationError as error:
        first = error.errors()[0]
        # Without a place it is the file of keys, which has changed since it was checked.
        field = str(first["loc"][0]) if first["loc"] else "api_keys_file"
        given = command_line is not None and field in command_line()
        name = f"--{field.replace('_', '-')}" if given else variable_in_use(field)
        message = f"{name}: {first['msg'].removeprefix('Value error, ')}"
        if field in SECRETS:
            raise SettingsError(message) from None
        raise SettingsError(f"{message}, got {first['input']!r}") from error
