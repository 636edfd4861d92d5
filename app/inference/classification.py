"""Uploaded files to scores: those that are known from the cache, all others decoded and computed."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.batching.result_cache import Result, ResultCache, digests_of
from app.batching.scores import Scores
from app.inference.context import Service
from app.inference.deadline import Deadline, done_by
from app.inference.preparation import INLINE_BYTES, Prepared, Upload, prepare_images
from app.registry.loaded_model import LoadedModel

CACHE_STATUS = "Cache-Status"


@dataclass(frozen=True)
class Classified:
    """The scores of each file and its image's size (width, height), in their order.

    `cached` is how many were known, None where there is no cache.
    """

    scores: list[Scores]
    sizes: list[tuple[int, int]]
    decode_seconds: float
    preprocess_seconds: float
    cached: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Whether the cache answered, as RFC 9211 writes it; none where there is no cache."""
        if self.cached is None:
            return {}
        outcome = {0: "fwd=miss", len(self.scores): "hit"}.get(self.cached, "fwd=partial")
        return {CACHE_STATUS: f"resnet-serve; {outcome}"}


async def classify_files(
    uploads: Sequence[Upload], loaded: LoadedModel, service: Service, deadline: Deadline
) -> Classified:
    """Raises what `prepare_images` and `Service.score` raise; nothing of such a request is cached."""
    if loaded.cache is None:
        every = range(len(uploads))
        prepared, scores = await _compute(uploads, every, loaded, service, deadline)
        return Classified(scores, prepared.sizes, prepared.decode_seconds, prepared.preprocess_seconds)
    return await _with_cache(loaded.cache, uploads, loaded, service, deadline)


async def _with_cache(
    cache: ResultCache,
    uploads: Sequence[Upload],
    loaded: LoadedModel,
    service: Service,
    deadline: Deadline,
) -> Classified:
    contents = [upload.content for upload in uploads]
    if sum(map(len, contents)) <= INLINE_BYTES:
        digests = digests_of(contents)
    else:
        work = service.workers.decode(lambda: digests_of(contents))
        digests = await done_by(deadline, work, "the files to be looked up")
    results = cache.find(digests)
    missing = [index for index, result in enumerate(results) if result is None]
    cached = len(uploads) - len(missing)
    prepared = Prepared([], [], 0.0, 0.0, 0.0)
    if missing:
        prepared, scores = await _compute(uploads, missing, loaded, service, deadline)
        for index, score, size in zip(missing, scores, prepared.sizes, strict=True):
            results[index] = Result(score, size)
            cache.keep(digests[index], Result(score, size))
    known = [result for result in results if result is not None]
    return Classified(
        [result.scores for result in known],
        [result.size for result in known],
        prepared.decode_seconds,
        prepared.preprocess_seconds,
        cached,
    )


async def _compute(
    uploads: Sequence[Upload],
    chosen: Sequence[int],
    loaded: LoadedModel,
    service: Service,
    deadline: Deadline,
) -> tuple[Prepared, list[Scores]]:
    """Of the `chosen` of `uploads`."""
    numbers = [index + 1 for index in chosen] if len(uploads) > 1 else None
    files = [uploads[index] for index in chosen]
    prepared = await prepare_images(files, loaded.model, service, deadline, numbers)
    return prepared, await service.score(prepared.images, loaded, deadline)
