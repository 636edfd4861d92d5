"""Cached results of one loaded model, looked up by the bytes of the image files."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cachetools import LRUCache

from app.batching.scores import Scores
from app.observability.metrics import ServiceMetrics


@dataclass(frozen=True)
class Result:
    """A file's scores, and the width and height of its image in pixels."""

    scores: Scores
    size: tuple[int, int]


class _Entries(LRUCache[bytes, Result]):
    """Evicts the least recently used result, and counts it."""

    def __init__(self, max_files: int, metrics: ServiceMetrics) -> None:
        super().__init__(max_files)
        self._metrics = metrics

    def popitem(self) -> tuple[bytes, Result]:
        self._metrics.cache_eviction()
        return super().popitem()


class ResultCache:
    """Holds at most `max_files` results; to be used on one event loop. Nothing of an image itself is kept.

    It belongs to one loaded model and goes with it, so that no other version ever answers from it.
    """

    def __init__(self, max_files: int, metrics: ServiceMetrics) -> None:
        self._entries = _Entries(max_files, metrics)
        self._metrics = metrics

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, digests: Sequence[bytes]) -> list[Result | None]:
        """The result of each file, None where it is not cached. Its `inference_seconds` are 0."""
        found = [self._entries.get(digest) for digest in digests]
        hits = sum(result is not None for result in found)
        self._metrics.cache_lookups(hits, len(found) - hits)
        return found

    def keep(self, digest: bytes, result: Result) -> None:
        self._entries[digest] = replace(result, scores=replace(result.scores, inference_seconds=0.0))


def digests_of(contents: Sequence[bytes]) -> list[bytes]:
    """16 bytes for each file: two files with the same are not to be made, nor met by chance."""
    return [hashlib.blake2b(content, digest_size=16).digest() for content in contents]
