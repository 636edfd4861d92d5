"""The network as it was trained, by PyTorch, on a GPU or on the processor."""

import numpy as np
import torch
from torch import Tensor

from models.artifact.store import Artifact
from models.batch_norm.folding import fold_batch_norms
from models.engines.base import EngineError, EngineOptions, Floats, Images, Precision
from models.features import with_features
from models.hardware import has_native_bfloat16
from models.module_calls import MODULE_CALLS
from models.preprocessing.transform import Preprocessing

# On the processor a larger batch computes hardly more images a second, and keeps all of them waiting longer.
CPU_MAX_BATCH = 8


class TorchEngine:
    """Channels last, batch norm folded into the convolutions; bfloat16 where the hardware computes it.

    On a GPU the images go through pinned memory on a stream of their own. Raises `EngineError` where there is
    no such device, where the network cannot be compiled as asked, and for int8, which this engine has not.
    """

    name = "torch"
    version = str(torch.__version__)
    concurrency = 1

    def __init__(self, artifact: Artifact, options: EngineOptions) -> None:
        if options.device == "cuda" and not torch.cuda.is_available():
            raise EngineError("there is no CUDA device that this build of PyTorch can use")
        if options.precision == "int8":
            raise EngineError("the torch engine computes in float32 or bfloat16, not in int8")
        on_gpu = torch.cuda.is_available() and options.device != "cpu"
        self._device = torch.device("cuda" if on_gpu else "cpu")
        self.device = self._device.type
        self.precision: Precision = "float32"
        if options.precision == "bfloat16" or (
            options.precision == "auto" and has_native_bfloat16(self._device)
        ):
            self.precision = "bfloat16"
        if on_gpu:
            # By default a GPU rounds the operands of a convolution to 10 bits, which is no float32.
            torch.backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]
        else:
            torch.set_num_threads(options.threads)
        self.max_batch: int | None = None if on_gpu else CPU_MAX_BATCH
        self._stream = torch.cuda.Stream() if on_gpu else None  # type: ignore[no-untyped-call]
        self._dtype = torch.bfloat16 if self.precision == "bfloat16" else torch.float32
        # Features that nobody asks for cost nothing: they are computed for the logits anyway.
        model = with_features(fold_batch_norms(artifact.model)).to(self._device, self._dtype)
        model = model.to(memory_format=torch.channels_last)
        self._preprocessing = Preprocessing.from_metadata(artifact.metadata)
        self._model = torch.compile(model, dynamic=True) if options.compile else model
        if options.compile:
            self._prove_compiled(artifact)

    def _prove_compiled(self, artifact: Artifact) -> None:
        """The first batch is when it is compiled: raises `EngineError` where that cannot be done here."""
        about = artifact.metadata
        try:
            self.predict(np.zeros((2, about.in_channels, about.input_size, about.input_size), np.uint8))
        except RuntimeError as error:
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise EngineError(
                f"torch_compile is on, but PyTorch cannot compile the network: {reason} (it needs a C++"
                " compiler such as g++; or turn torch_compile off)"
            ) from error

    def predict(self, images: Images) -> Floats:
        return self._computed(images, outputs=1)[0]

    def predict_with_features(self, images: Images) -> tuple[Floats, Floats]:
        logits, features = self._computed(images, outputs=2)
        return logits, features

    def for_throughput(self) -> None:
        """None: one batch at a time has all of the device."""

    @torch.inference_mode()
    def _computed(self, images: Images, outputs: int) -> list[Floats]:
        """The first `outputs` of logits and features."""
        pixels = torch.from_numpy(images)
        if self._stream is None:
            return [result.numpy() for result in self._on_device(pixels, outputs)]
        with torch.cuda.stream(self._stream):
            # Copying the results back waits for this stream, and for this stream alone.
            return [result.cpu().numpy() for result in self._on_device(pixels.pin_memory(), outputs)]

    def _on_device(self, pixels: Tensor, outputs: int) -> list[Tensor]:
        batch = self._preprocessing.normalize(pixels.to(self._device, non_blocking=True))
        batch = batch.to(self._dtype, memory_format=torch.channels_last)
        with MODULE_CALLS.computing():
            results: tuple[Tensor, Tensor] = self._model(batch)
        return [result.float() for result in results[:outputs]]
