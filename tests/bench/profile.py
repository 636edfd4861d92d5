"""Where a request's time goes, from the service's own metrics before and after a load."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx

from app.observability.metrics import STAGES
from tests.bench.program import table
from tests.support.exposition import samples

_STAGE = 'resnet_serve_stage_duration_seconds_sum{{stage="{}"}}'
_REQUEST = 'resnet_serve_request_duration_seconds_{}{{route="/predict"}}'
_BATCH = "resnet_serve_batch_size_{}"


@dataclass(frozen=True)
class Totals:
    """Seconds in each stage and in the service as a whole, and counts, since the service started."""

    stages: dict[str, float]
    seconds: float
    requests: float
    batches: float
    batched_images: float

    def __sub__(self, earlier: "Totals") -> "Totals":
        return Totals(
            {stage: seconds - earlier.stages[stage] for stage, seconds in self.stages.items()},
            self.seconds - earlier.seconds,
            self.requests - earlier.requests,
            self.batches - earlier.batches,
            self.batched_images - earlier.batched_images,
        )

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(
            {stage: seconds + other.stages[stage] for stage, seconds in self.stages.items()},
            self.seconds + other.seconds,
            self.requests + other.requests,
            self.batches + other.batches,
            self.batched_images + other.batched_images,
        )


def read_totals(address: str) -> Totals:
    return parse_totals(httpx.get(f"{address}/metrics").raise_for_status().text)


def parse_totals(text: str) -> Totals:
    """The totals in the text format of Prometheus; what was not counted yet is 0."""
    found = samples(text)
    return Totals(
        {stage: found.get(_STAGE.format(stage), 0.0) for stage in STAGES},
        found.get(_REQUEST.format("sum"), 0.0),
        found.get(_REQUEST.format("count"), 0.0),
        found.get(_BATCH.format("count"), 0.0),
        found.get(_BATCH.format("sum"), 0.0),
    )


def milliseconds(totals: Totals, connections: int, images_per_second: float) -> dict[str, float]:
    """The mean request of a closed loop, stage by stage; the parts add up to its latency at the client.

    `other` is the rest within the service: routing, and waiting for a decoding thread or, between the
    stages, for the event loop.
    `outside` is the rest of the client's time: reading and parsing HTTP before the service is called, the
    network, and the client itself.
    """
    stages = {stage: 1000 * seconds / totals.requests for stage, seconds in totals.stages.items()}
    service = 1000 * totals.seconds / totals.requests
    client = 1000 * connections / images_per_second
    parts = {**stages, "other": service - sum(stages.values()), "outside": client - service}
    return {part: round(value, 3) for part, value in parts.items()}


def profile_table(profiles: Mapping[str, Mapping[str, float]]) -> str:
    parts: Sequence[str] = [*STAGES, "other", "outside"]
    rows = [
        [case, *(f"{profile[part]:.2f}" for part in parts), f"{sum(profile.values()):.2f}"]
        for case, profile in profiles.items()
    ]
    return table(["milliseconds", *parts, "sum"], rows)
