"""The process: where it listens, what it logs, how many workers it has."""

from typing import Literal

from pydantic import BaseModel, Field


class ProcessSettings(BaseModel):
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
