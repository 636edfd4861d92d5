"""The network compiled for the processor by OpenVINO: in int8 where the model brings that."""

import platform
import threading
from queue import SimpleQueue
from typing import Self

import numpy as np

from models.artifact.metadata import FLOAT32_NETWORK_FILE, INT8_NETWORK_FILE
from models.artifact.store import Artifact
from models.engines.base import EngineError, EngineOptions, Floats, Images, Precision
from models.engines.conversion_apart import convert_apart
from models.engines.openvino_ir import add_features, with_preprocessing
from models.engines.quiet_openvino import CORE, openvino
from models.preprocessing.transform import Preprocessing

THREADS_PER_BATCH = 4
"""Several threads on one batch answer a lone image soonest. Only where there are many more threads than a
batch can use are several batches computed at once."""

HAS_EXACT_INT8 = platform.machine() in ("x86_64", "AMD64")
"""Whether OpenVINO's int8 kernels round as the network says. Those for Arm do not: logits of the bundled
network differ by up to 1.3 from those measured at export, and by 0.05 if Arm computes in float32 between the
same roundings to 8 bits."""


class OpenVinoEngine:
    """One compiled network for every batch size; its threads are not bound to cores, which they share.

    `network` takes normalised images, float32 (N, C, S, S) with any N, to logits, float32 (N, classes); it is
    given a second output, its features, and in front of it what `preprocessing` does to pixels. Bytes and
    floats have a compiled network each, that of floats from the first time that it is asked for. What is not
    quantised in it computes in bfloat16 where `precision` is that, and otherwise in float32. What is
    quantised computes in int8, or in float32 with values rounded to 8 bits where int8 kernels are not exact.
    So many batches are computed at once by `threads` as there are `streams`, which 0 leaves to the engine.
    Raises `EngineError` for a network that does not end in a linear layer.
    """

    name = "openvino"
    version = openvino.__version__
    device = "cpu"
    max_batch: int | None = None

    def __init__(
        self,
        network: openvino.Model,
        preprocessing: Preprocessing,
        precision: Precision,
        threads: int,
        streams: int = 0,
    ) -> None:
        self.precision: Precision = precision
        self.concurrency = streams or max(1, threads // THREADS_PER_BATCH)
        try:
            add_features(network)
        except ValueError as error:
            raise EngineError(str(error)) from error
        self._network = network
        self._preprocessing = preprocessing
        self._threads = threads
        self._of_bytes = self._compile(np.uint8)
        self._of_floats: SimpleQueue[openvino.InferRequest] | None = None
        self._compiling = threading.Lock()

    def _compile(self, dtype: type[np.uint8 | np.float32]) -> "SimpleQueue[openvino.InferRequest]":
        """Requests to the network for images of this type, one for each batch that may run at once."""
        properties = openvino.properties
        compiled = CORE.compile_model(
            with_preprocessing(self._network, self._preprocessing, dtype),
            "CPU",
            {
                properties.num_streams: self.concurrency,
                properties.inference_num_threads: self._threads,
                # The event loop needs a core too, and whichever it takes must not hold up a bound thread.
                properties.hint.enable_cpu_pinning: False,
                properties.hint.inference_precision: (
                    openvino.Type.bf16 if self.precision == "bfloat16" else openvino.Type.f32
                ),
                **({} if HAS_EXACT_INT8 else {"LP_TRANSFORMS_MODE": False}),
            },
        )
        requests: SimpleQueue[openvino.InferRequest] = SimpleQueue()
        for _ in range(self.concurrency):
            requests.put(compiled.create_infer_request())
        return requests

    def _requests(self, images: Images) -> "SimpleQueue[openvino.InferRequest]":
        if images.dtype == np.uint8:
            return self._of_bytes
        with self._compiling:
            if self._of_floats is None:
                self._of_floats = self._compile(np.float32)
            return self._of_floats

    @classmethod
    def of(cls, artifact: Artifact, options: EngineOptions) -> Self:
        """The engine of a stored model.

        `auto` precision is int8 where the model has it, else bfloat16 where the processor computes it, else
        float32. Raises `EngineError` for a GPU and for a precision that the model or the processor lacks.
        """
        if options.device == "cuda":
            raise EngineError("the openvino engine computes on the processor, not on a CUDA device")
        native_bfloat16 = "BF16" in CORE.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        precision = _choose(options, artifact.metadata.int8 is not None, native_bfloat16)
        preprocessing = Preprocessing.from_metadata(artifact.metadata)
        if precision == "int8":
            network = CORE.read_model(artifact.folder / INT8_NETWORK_FILE)
        elif FLOAT32_NETWORK_FILE in artifact.metadata.files:
            network = CORE.read_model(artifact.folder / FLOAT32_NETWORK_FILE)
        elif options.apart:
            network = convert_apart(artifact.folder)
        else:
            from models.engines.conversion import convert

            network = convert(artifact.model, preprocessing)
        return cls(network, preprocessing, precision, options.threads)

    def predict(self, images: Images) -> Floats:
        return self.predict_with_features(images)[0]

    def predict_with_features(self, images: Images) -> tuple[Floats, Floats]:
        requests = self._requests(images)
        request = requests.get()
        try:
            result = request.infer([np.ascontiguousarray(images)], share_inputs=True)
        finally:
            requests.put(request)
        return result[0], result[1]

    def for_throughput(self) -> "OpenVinoEngine | None":
        """With a stream for each thread: threads on different batches never wait for each other.

        None where several batches are computed at once anyway.
        """
        if self.concurrency > 1 or self._threads == 1:
            return None
        return OpenVinoEngine(
            self._network, self._preprocessing, self.precision, self._threads, streams=self._threads
        )


def _choose(options: EngineOptions, has_int8: bool, native_bfloat16: bool) -> Precision:
    if options.precision == "auto":
        if has_int8:
            return "int8"
        return "bfloat16" if native_bfloat16 else "float32"
    if options.precision == "int8" and not has_int8:
        raise EngineError("the model was exported without int8; export it with int8, or choose float32")
    if options.precision == "bfloat16" and not native_bfloat16:
        raise EngineError("this processor does not compute in bfloat16")
    return options.precision
