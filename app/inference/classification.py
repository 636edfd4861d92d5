"""Uploaded files to scores: those that are known from the cache, all others decoded and computed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from app.batching.result_cache import Result, ResultCache, digests_of
from app.batching.scores import Scores, averaged
from app.errors import ApiError
from app.inference.preparation import INLINE_BYTES, Upload, prepare_images
from app.inference.request_scope import RequestScope
from app.observability.request_context import request_id
from app.registry.served_model import Pixels
from models.feedback.records import Prediction
from models.unfamiliarity.detector import is_familiar

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
    def unfamiliar(self) -> int:
        """How many of the images are unlike those that the model knows."""
        return sum(is_familiar(score.unfamiliarity) is False for score in self.scores)

    @property
    def headers(self) -> dict[str, str]:
        """Whether the cache answered, as RFC 9211 writes it; none where there is no cache."""
        if self.cached is None:
            return {}
        outcome = {0: "fwd=miss", len(self.scores): "hit"}.get(self.cached, "fwd=partial")
        return {CACHE_STATUS: f"resnet-serve; {outcome}"}


async def classify_files(uploads: Sequence[Upload], scope: RequestScope, views: int) -> Classified:
    """The mean over so many `views` of each image.

    Raises what `prepare_images` and `score_views` raise; nothing of such a request is cached.
    """
    if scope.loaded.cache is None:
        return Classified(*await _compute(uploads, range(len(uploads)), scope, views))
    return await _with_cache(scope.loaded.cache, uploads, scope, views)


async def score_views(images: Sequence[Pixels], scope: RequestScope, views: int) -> list[Scores]:
    """What the model says of `images`, each uint8 or float (C, S, S): the mean over so many `views`.

    All views of all images are submitted together, and each of them takes a place in the queue. Raises what
    `RequestScope.score` raises, and `ApiError` 413 for more views than images may be sent in one request.
    """
    if views == 1:
        return await scope.score(images)
    limit = scope.context.settings.max_files
    if len(images) * views > limit:
        raise ApiError(
            413,
            "too_many_images",
            f"{views} views of {len(images)} images are {len(images) * views} images; at most {limit} are"
            " accepted in one request: send fewer files at a time, or ask for fewer views",
            "views",
        )
    await scope.pytorch()
    made = await scope.run(partial(_views, images, views), "the views to be made")
    scores = await scope.score(made)
    return [averaged(scores[start : start + views]) for start in range(0, len(scores), views)]


def remember_answers(scores: Sequence[Scores], scope: RequestScope) -> None:
    """Note what is being answered for each image of the request, where corrections of it are taken."""
    if scope.context.feedback is None:
        return
    about = scope.model.metadata
    best = [
        Prediction(about.classes[score.classes[0]], score.probabilities[0], about.name, about.version)
        for score in scores
    ]
    scope.context.feedback.remember(request_id.get() or "", best)


def _views(images: Sequence[Pixels], count: int) -> list[Pixels]:
    """The views of the first image, then those of the second, and so on."""
    import torch

    from models.views import views_of

    # Copied, as nothing may write to what lies in the body of a request.
    return [view for image in images for view in views_of(torch.tensor(image)[None], count)[0].numpy()]


async def _with_cache(
    cache: ResultCache, uploads: Sequence[Upload], scope: RequestScope, views: int
) -> Classified:
    contents = [upload.content for upload in uploads]
    if sum(map(len, contents)) <= INLINE_BYTES:
        digests = digests_of(contents)
    else:
        digests = await scope.run(lambda: digests_of(contents), "the files to be looked up")
    # The same file has another result with another number of views.
    digests = [digest + bytes([views]) for digest in digests]
    results = cache.find(digests)
    missing = [index for index, result in enumerate(results) if result is None]
    if missing:
        for index, score, size in zip(missing, *await _compute(uploads, missing, scope, views), strict=True):
            results[index] = Result(score, size)
            cache.keep(digests[index], Result(score, size))
    known = [result for result in results if result is not None]
    return Classified(
        [result.scores for result in known],
        [result.size for result in known],
        len(uploads) - len(missing),
    )


async def _compute(
    uploads: Sequence[Upload], chosen: Sequence[int], scope: RequestScope, views: int
) -> tuple[list[Scores], list[tuple[int, int]]]:
    """Of the `chosen` of `uploads`."""
    numbers = [index + 1 for index in chosen] if len(uploads) > 1 else None
    prepared = await prepare_images([uploads[index] for index in chosen], scope, numbers)
    return await score_views(prepared.images, scope, views), prepared.sizes
