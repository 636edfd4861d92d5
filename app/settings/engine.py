"""How images are decoded and computed."""

from typing import Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from app.settings.environment import variable


class EngineSettings(BaseModel):
    engine: Literal["auto", "openvino", "torch"] = Field(
        "auto",
        description="Inference engine: `torch`, `openvino` (CPU only), or `auto`, which is `torch` on a CUDA"
        " device or with `torch.compile`, and otherwise `openvino`.",
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
        description="`torch`: import PyTorch before the service is ready. `none`: import it for the first"
        " explanation, augmentation, view of batch norm or average over views, which then takes a few seconds"
        " longer; until then a worker takes about 600 MiB less.",
    )
    engine_threads: int = Field(
        0,
        ge=0,
        le=1024,
        description="Number of CPU threads for inference in each worker. 0: the available cores divided by"
        " the number of workers, but at least 2 if there are 2 cores or more.",
    )
    throughput_network: bool = Field(
        default=True,
        description="Once the service is ready, compile the openvino engine's network a second time, for use"
        " under load: one batch per thread gives more images per second than one batch on all threads. Each"
        " model then takes 60 MB more.",
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

    @field_validator("torch_compile")
    @classmethod
    def _require_torch(cls, compile_: bool, info: ValidationInfo) -> bool:
        if compile_ and info.data.get("engine") == "openvino":
            raise ValueError(f"needs {variable('engine')}=torch or auto, as openvino has no use for it")
        return compile_
