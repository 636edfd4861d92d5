"""Uploaded files to scores: those that are known from the cache, all others decoded and computed."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.batching.result_cache import Result, ResultCache, digests_of
from app.batching.scores import Scores
from app.inference.preparation import INLINE_BYTES, Upload, prepare_images
from app.inference.request_scope import RequestScope

CACHE_STATUS = "Cache-Status"


@dataclass(frozen=True)
class Classified:
    """The scores of each file and its image's size (width, height), in their order.

    `cached` is how many were known, None where there is no cache.
    """

    scores: list[Scores]
    sizes: list[tuple[int, int]]
    cached: int | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Whether the cache answered, as RFC 9211 writes it; none where there is no cache."""
        if self.cached is None:
            return {}
        outcome = {0: "fwd=miss", len(self.scores): "hit"}.get(self.cached, "fwd=partial")
        return {CACHE_STATUS: f"resnet-serve; {outcome}"}


async def classify_files(uploads: Sequence[Upload], scope: RequestScope) -> Classified:
    """Raises what `prepare_images` and `RequestScope.score` raise; nothing of such a request is cached."""
    if scope.loaded.cache is None:
        return Classified(*await _compute(uploads, range(len(uploads)), scope))
    return await _with_cache(scope.loaded.cache, uploads, scope)


async def _with_cache(cache: ResultCache, uploads: Sequence[Upload], scope: RequestScope) -> Classified:
    contents = [upload.content for upload in uploads]
    if sum(map(len, contents)) <= INLINE_BYTES:
        digests = digests_of(contents)
    else:
        digests = await scope.run(lambda: digests_of(contents), "the files to be looked up")
    results = cache.find(digests)
    missing = [index for index, result in enumerate(results) if result is None]
    if missing:
        for index, score, size in zip(missing, *await _compute(uploads, missing, scope), strict=True):
            results[index] = Result(score, size)
            cache.keep(digests[index], Result(score, size))
    known = [result for result in results if result is not None]
    return Classified(
        [result.scores for result in known],
        [result.size for result in known],
        len(uploads) - len(missing),
    )


async def _compute(
    uploads: Sequence[Upload], chosen: Sequence[int], scope: RequestScope
) -> tuple[list[Scores], list[tuple[int, int]]]:
    """Of the `chosen` of `uploads`."""
    numbers = [index + 1 for index in chosen] if len(uploads) > 1 else None
    prepared = await prepare_images([uploads[index] for index in chosen], scope, numbers)
    return await scope.score(prepared.images), prepared.sizes
