"""Uploaded files to network inputs: decoded and resized, off the event loop where that takes long."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import NamedTuple

from app.batching.decoding_memory import DecodingMemory
from app.errors import ApiError
from app.inference.context import InferenceContext
from app.inference.request_scope import RequestScope
from app.registry.served_model import Pixels, ServedModel
from models.preprocessing.colours import SRGB
from models.preprocessing.decode import decode_picture, inspect
from models.preprocessing.image_error import ImageError
from models.preprocessing.picture import Picture
from models.preprocessing.stopping import Stop
from models.preprocessing.strips import STRIP_BYTES, STRIP_PIXELS

INLINE_BYTES = 16_384
INLINE_PIXELS = 64 * 64
"""A lone image of so few bytes and pixels is decoded on the event loop, if it is one that is quick."""

SMALL_PIXELS = 1 << 20
SMALL_BYTES = 8 << 20
"""A request of so few pixels, none of its images taking more bytes, does not wait behind larger ones."""

_IMAGE_STATUS = {"empty_file": 400, "damaged_image": 400, "image_too_large": 413, "unsupported_image": 415}


@dataclass(frozen=True)
class Upload:
    """A file to be classified, and which `field` of the request an error of it names."""

    filename: str | None
    content: bytes
    field: str = "file"


@dataclass(frozen=True)
class Prepared:
    """Decoded and resized images, each uint8 (C, S, S), and their original sizes (width, height).

    `started` is when the first of them began to be decoded, a time of `perf_counter`.
    """

    images: list[Pixels]
    sizes: list[tuple[int, int]]
    started: float
    decode_seconds: float
    preprocess_seconds: float


@dataclass(frozen=True)
class Limits:
    """`max_pixels` are those of one image, `max_request_pixels` of all together."""

    max_pixels: int
    max_request_pixels: int
    memory: DecodingMemory

    @classmethod
    def of(cls, context: InferenceContext) -> "Limits":
        settings = context.settings
        most = max(settings.max_request_pixels, settings.max_image_pixels)
        return cls(settings.max_image_pixels, most, context.threads.memory)


class _Name(NamedTuple):
    """Of an image in an error: its field, and what the message begins with where there are several."""

    field: str
    prefix: str


@dataclass(frozen=True)
class Inspected:
    """The pictures of a request, of which no pixel is decoded yet, and what to call each in an error."""

    pictures: list[Picture]
    names: list["_Name"]
    model: ServedModel
    seconds: float

    @property
    def is_small(self) -> bool:
        side = self.model.preprocessing.input_size
        pixels = sum(map(work_of, self.pictures))
        return pixels <= SMALL_PIXELS and all(each.memory(side) <= SMALL_BYTES for each in self.pictures)


async def prepare_images(
    uploads: Sequence[Upload], scope: RequestScope, numbers: Sequence[int] | None = None
) -> Prepared:
    """Decode a small image at once, for less than a thread costs, and all others on the decoding threads.

    `numbers` are the places, from 1, that the files have among those of the request, where it has several.
    What nobody waits for any more ends soon.
    """
    prepared = _prepared_at_once(uploads, scope.model, numbers)
    if prepared is None:
        asked = perf_counter()
        prepared = await _prepared_on_threads(uploads, scope, numbers)
        scope.record("queue", asked, prepared.started)
    # Of several images they alternate; their spans show how much of each there was, and when it was over.
    between = prepared.started + prepared.decode_seconds
    scope.record("decode", prepared.started, between)
    scope.record("preprocess", between, between + prepared.preprocess_seconds)
    return prepared


async def _prepared_on_threads(
    uploads: Sequence[Upload], scope: RequestScope, numbers: Sequence[int] | None
) -> Prepared:
    limits, stop = Limits.of(scope.context), Stop()
    work = partial(prepare_small, uploads, scope.model, limits, numbers, stop)
    waiting_for = "the images to be decoded"
    prepared = await scope.run(work, waiting_for, stop=stop)
    if isinstance(prepared, Prepared):
        return prepared
    stop = Stop()
    return await scope.run(
        partial(prepare, prepared, limits.memory, stop), waiting_for, is_large=True, stop=stop
    )


def _prepared_at_once(
    uploads: Sequence[Upload], model: ServedModel, numbers: Sequence[int] | None
) -> Prepared | None:
    """None for what takes too long for the event loop."""
    if len(uploads) > 1 or len(uploads[0].content) > INLINE_BYTES:
        return None
    names = _names(uploads, numbers)
    started = perf_counter()
    with _named(names[0]):
        try:
            picture = inspect(uploads[0].content, INLINE_PIXELS)
        except ImageError as error:
            # Few bytes can hold many pixels. An image above the real limit is refused on its thread.
            if error.code != "image_too_large":
                raise
            return None
    if not picture.is_quick or picture.colours != SRGB:
        return None
    return prepare(Inspected([picture], names, model, perf_counter() - started), None, Stop())


def prepare_small(
    uploads: Sequence[Upload],
    model: ServedModel,
    limits: Limits,
    numbers: Sequence[int] | None,
    stop: Stop,
) -> Prepared | Inspected:
    """Decode small pictures; of larger ones, say what they are. Raises `ApiError` for one that is refused."""
    inspected = inspect_all(uploads, model, limits, numbers, stop)
    # Small ones are bounded by the number of their threads.
    return prepare(inspected, None, stop) if inspected.is_small else inspected


def inspect_all(
    uploads: Sequence[Upload],
    model: ServedModel,
    limits: Limits,
    numbers: Sequence[int] | None,
    stop: Stop,
) -> Inspected:
    """Raises `ApiError` for an image that is refused, naming it where there are `numbers`."""
    started = perf_counter()
    pictures, names = [], _names(uploads, numbers)
    pixels = 0
    for upload, name in zip(uploads, names, strict=True):
        stop.check()
        with _named(name):
            picture = inspect(upload.content, limits.max_pixels)
            needed = memory_of(picture, model.preprocessing.input_size)
            if needed > limits.memory.size:
                raise ImageError(
                    "image_too_large",
                    f"a {picture.name} image of {picture.width}x{picture.height} pixels takes {needed} bytes"
                    f" to decode; at most {limits.memory.size} are given",
                )
            pixels += work_of(picture)
            if pixels > limits.max_request_pixels:
                raise ImageError(
                    "image_too_large",
                    f"with this image there are {pixels} pixels to decode, counted again for every ten scans;"
                    f" at most {limits.max_request_pixels} are accepted in one request",
                )
        pictures.append(picture)
    return Inspected(pictures, names, model, perf_counter() - started)


def work_of(picture: Picture) -> int:
    """Pixels, as often as the decoder goes over them."""
    return picture.width * picture.height * picture.passes


def memory_of(picture: Picture, side: int) -> int:
    """Bytes that the picture takes at most while it is decoded, to be scaled to `side`."""
    return picture.memory(side) + min(
        STRIP_BYTES, STRIP_BYTES // STRIP_PIXELS * picture.width * picture.height
    )


def prepare(inspected: Inspected, memory: DecodingMemory | None, stop: Stop) -> Prepared:
    """Decode and resize one image after the other, so that only one is ever held in full size.

    Each takes its part of `memory`, if that is given. Raises `ApiError` for an image that is damaged.
    """
    preprocessing = inspected.model.preprocessing
    side = preprocessing.input_size
    images: list[Pixels] = []
    sizes = []
    preprocess_seconds = 0.0
    started = perf_counter() - inspected.seconds
    decode_seconds = inspected.seconds
    for picture, name in zip(inspected.pictures, inspected.names, strict=True):
        stop.check()
        with _part(memory, memory_of(picture, side), stop):
            start = perf_counter()
            with _named(name):
                decoded = decode_picture(picture, side, stop)
            between = perf_counter()
            images.append(preprocessing.resize(decoded.image, decoded.box))
            sizes.append((decoded.width, decoded.height))
            del decoded
        decode_seconds += between - start
        preprocess_seconds += perf_counter() - between
    return Prepared(images, sizes, started, decode_seconds, preprocess_seconds)


@contextmanager
def _part(memory: DecodingMemory | None, needed: int, stop: Stop) -> Iterator[None]:
    if memory is None:
        yield
    else:
        with memory.hold(needed, stop):
            yield


def _names(uploads: Sequence[Upload], numbers: Sequence[int] | None) -> list[_Name]:
    if not numbers:
        return [_Name(upload.field, "") for upload in uploads]
    return [
        _Name(upload.field, f"file {n}: " if upload.filename is None else f"file {n} ({upload.filename}): ")
        for n, upload in zip(numbers, uploads, strict=True)
    ]


@contextmanager
def _named(name: _Name) -> Iterator[None]:
    try:
        yield
    except ImageError as error:
        raise of_image(error, name.prefix, name.field) from error


def of_image(error: ImageError, prefix: str = "", field: str = "file") -> ApiError:
    """The answer to an image that was refused; `prefix` says which one, where there are several."""
    return ApiError(_IMAGE_STATUS[error.code], error.code, f"{prefix}{error}", field)
