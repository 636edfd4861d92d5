"""The cache holds the results asked for last, counts, and knows files by their bytes."""

from dataclasses import replace

from app.batching.result_cache import Result, ResultCache, digests_of
from app.batching.scores import Scores
from app.observability.metrics import ServiceMetrics
from tests.support.exposition import samples

RESULT = Result(Scores([1, 0], [0.9, 0.1], inference_seconds=0.5, started=2.0, batch_size=4), (640, 480))


def test_what_is_kept_is_found_and_took_no_time() -> None:
    cache = ResultCache(2, ServiceMetrics())
    first, second = digests_of([b"first", b"second"])
    cache.keep(first, RESULT)
    found, missing = cache.find([first, second])
    assert missing is None
    assert found is not None
    assert found.size == (640, 480)
    assert found.scores == replace(RESULT.scores, inference_seconds=0.0)


def test_the_results_asked_for_last_stay() -> None:
    metrics = ServiceMetrics()
    cache = ResultCache(2, metrics)
    first, second, third = digests_of([b"first", b"second", b"third"])
    cache.keep(first, RESULT)
    cache.keep(second, RESULT)
    cache.find([first])
    cache.keep(third, RESULT)
    assert len(cache) == 2
    assert [result is not None for result in cache.find([first, second, third])] == [True, False, True]
    read = samples(metrics.exposition().decode())
    assert read["resnet_serve_cache_evictions_total"] == 1
    assert read["resnet_serve_cache_hits_total"] == 3
    assert read["resnet_serve_cache_misses_total"] == 1


def test_a_digest_is_the_files_own() -> None:
    assert digests_of([b"a", b"a", b"b"])[0] == digests_of([b"a"])[0] != digests_of([b"b"])[0]
