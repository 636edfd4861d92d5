"""Uploaded files to network inputs: decoded and resized, off the event loop where that takes long."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from time import perf_counter

from torch import Tensor

from app.errors import ApiError
from app.inference.request_scope import RequestScope
from app.registry.served_model import ServedModel
from models.preprocessing.decode import ImageError, decode

INLINE_BYTES = 16_384
INLINE_PIXELS = 64 * 64
"""A lone image of so few bytes and pixels is decoded on the event loop."""

_IMAGE_STATUS = {"empty_file": 400, "damaged_image": 400, "image_too_large": 413, "unsupported_image": 415}


@dataclass(frozen=True)
class Upload:
    filename: str | None
    content: bytes


@dataclass(frozen=True)
class Prepared:
    """Decoded and resized images, each uint8 (C, S, S), and their original sizes (width, height).

    `started` is when the first of them began to be decoded, a time of `perf_counter`.
    """

    images: list[Tensor]
    sizes: list[tuple[int, int]]
    started: float
    decode_seconds: float
    preprocess_seconds: float


async def prepare_images(
    uploads: Sequence[Upload], scope: RequestScope, numbers: Sequence[int] | None = None
) -> Prepared:
    """Decode a small image at once, for less than a thread costs, and all others on the decoding threads.

    `numbers` are the places, from 1, that the files have among those of the request, where it has several.
    """
    prepared = _prepared_at_once(uploads, scope.model, numbers)
    if prepared is None:
        asked = perf_counter()
        work = partial(prepare, uploads, scope.model, scope.context.settings.max_image_pixels, numbers)
        prepared = await scope.run(work, "the images to be decoded")
        scope.record("queue", asked, prepared.started)
    # Of several images they alternate; their spans show how much of each there was, and when it was over.
    between = prepared.started + prepared.decode_seconds
    scope.record("decode", prepared.started, between)
    scope.record("preprocess", between, between + prepared.preprocess_seconds)
    return prepared


def _prepared_at_once(
    uploads: Sequence[Upload], model: ServedModel, numbers: Sequence[int] | None
) -> Prepared | None:
    """None for what takes too long for the event loop."""
    if len(uploads) > 1 or len(uploads[0].content) > INLINE_BYTES:
        return None
    try:
        return prepare(uploads, model, INLINE_PIXELS, numbers)
    except ApiError as error:
        # Few bytes can hold many pixels. An image above the real limit is refused on its thread.
        if error.code != "image_too_large":
            raise
        return None


def prepare(
    uploads: Sequence[Upload], model: ServedModel, max_pixels: int, numbers: Sequence[int] | None = None
) -> Prepared:
    """Decode and resize one image after the other, so that only one is ever held in full size.

    Raises `ApiError` for an image that is refused, naming it where there are `numbers`.
    """
    images, sizes = [], []
    decode_seconds = preprocess_seconds = 0.0
    started = perf_counter()
    for index, upload in enumerate(uploads):
        start = perf_counter()
        try:
            decoded = decode(upload.content, max_pixels, model.preprocessing.input_size)
        except ImageError as error:
            prefix = f"file {numbers[index]} ({upload.filename}): " if numbers else ""
            raise of_image(error, prefix) from error
        between = perf_counter()
        images.append(model.preprocessing.resize(decoded.image, decoded.box))
        sizes.append((decoded.width, decoded.height))
        decode_seconds += between - start
        preprocess_seconds += perf_counter() - between
    return Prepared(images, sizes, started, decode_seconds, preprocess_seconds)


def of_image(error: ImageError, prefix: str = "") -> ApiError:
    """The answer to an image that was refused; `prefix` says which one, where there are several."""
    return ApiError(_IMAGE_STATUS[error.code], error.code, f"{prefix}{error}", "file")
