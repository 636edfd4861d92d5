"""The profile of a request is what the metrics count, and adds up to the time at the client."""

import pytest

from app.observability.metrics import STAGES, ServiceMetrics
from tests.bench.profile import milliseconds, parse_totals, profile_table


def test_totals_are_read_from_the_metrics_that_the_service_writes() -> None:
    metrics = ServiceMetrics()
    assert parse_totals(metrics.exposition().decode()).requests == 0
    for number, stage in enumerate(STAGES, start=1):
        metrics.stage(stage, number / 1000)
    metrics.request("/predict", "POST", 200, 0.5)
    metrics.request("/health/ready", "GET", 200, 7.0)
    metrics.batch(4)
    metrics.batch(6)
    totals = parse_totals(metrics.exposition().decode())
    assert totals.stages == {stage: number / 1000 for number, stage in enumerate(STAGES, start=1)}
    assert (totals.seconds, totals.requests, totals.batches, totals.batched_images) == (0.5, 1, 2, 10)


def test_rounds_add_up_and_what_was_before_them_is_taken_off() -> None:
    metrics = ServiceMetrics()
    readings = []
    for _ in range(3):
        readings.append(parse_totals(metrics.exposition().decode()))
        metrics.stage("decode", 0.25)
        metrics.request("/predict", "POST", 200, 0.5)
    rounds = (readings[2] - readings[1]) + (readings[1] - readings[0])
    assert (rounds.stages["decode"], rounds.seconds, rounds.requests) == (0.5, 1.0, 2)


def test_parts_of_a_request_add_up_to_its_time_at_the_client() -> None:
    metrics = ServiceMetrics()
    for _ in range(10):
        for stage in STAGES:
            metrics.stage(stage, 0.002)
        metrics.request("/predict", "POST", 200, 0.002 * len(STAGES) + 0.001)
    totals = parse_totals(metrics.exposition().decode())
    # 32 connections that get 1,600 answers a second wait 20 ms for each.
    parts = milliseconds(totals, connections=32, images_per_second=1600)
    assert parts == pytest.approx({**dict.fromkeys(STAGES, 2.0), "other": 1.0, "outside": 7.0})
    assert profile_table({"case": parts}).splitlines()[-1].split()[-1] == "20.00"
