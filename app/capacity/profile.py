"""What one replica was measured to need: the numbers that a simulation of it starts from."""

import json
from bisect import bisect_left
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from app.errors import StartError

MEASURED = Path(__file__).parent / "measured.json"
"""The bundled model in one process, from the figures in tests/bench/README.md."""

Seconds = Annotated[float, Field(gt=0)]


class Profile(BaseModel):
    """One replica: where it was measured, and what it takes there.

    `loop_seconds` is what a request of one image takes of the event loop, before and after the engine, and
    `delay_seconds` what its client waits beside that. `batch_seconds` maps sizes of batches, in images, to
    what the engine takes for one that runs alone. `jitter` maps quantiles, 0 to 1, to how much of its median
    a time then is. `images_per_second` is how many images a second it answered when it was never idle.
    `device` is what the engine computes on, and `concurrency` how many batches run at a time at most. So many
    as there are `streams` run at a time however few images wait, and each has its share of the cores even
    where it runs alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    machine: str
    model: str
    cores: int = Field(ge=1)
    loop_seconds: Seconds
    delay_seconds: Seconds
    batch_seconds: dict[int, Seconds] = Field(min_length=1)
    jitter: dict[Annotated[float, Field(ge=0, le=1)], Seconds] = Field(min_length=1)
    images_per_second: float = Field(gt=0)
    request_bytes: int = Field(ge=1)
    response_bytes: int = Field(ge=1)
    device: str = "cpu"
    concurrency: int = Field(default=1, ge=1)
    streams: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _require_a_batch_of_one(self) -> "Profile":
        if min(self.batch_seconds) != 1:
            raise ValueError("batch_seconds must have the size 1")
        return self

    @model_validator(mode="after")
    def _require_streams_that_may_run(self) -> "Profile":
        if self.streams > 1 and self.streams != self.concurrency:
            raise ValueError(f"streams must be 1 or concurrency, {self.concurrency}; got {self.streams}")
        return self

    @property
    def max_batch(self) -> int:
        """The largest batch that was measured, and that is simulated."""
        return max(self.batch_seconds)

    @property
    def computes_on_cores(self) -> bool:
        """Whether the engine takes the cores that the event loop has too, as one on a GPU does not."""
        return self.device.lower().startswith("cpu")

    @property
    def cores_of_a_batch(self) -> int:
        """How many cores a batch that runs alone computes on; 0 for what computes elsewhere."""
        return max(1, self.cores // self.streams) if self.computes_on_cores else 0

    def engine_seconds(self, images: int) -> float:
        """What the engine takes for a batch of 1 to `max_batch` images, between sizes on a straight line."""
        return between({float(size): seconds for size, seconds in self.batch_seconds.items()}, images)


def between(points: Mapping[float, float], at: float) -> float:
    """The value at a place between those that are known, on a straight line; outside, the nearest one."""
    places = sorted(points)
    above = bisect_left(places, at)
    if above == len(places):
        return points[places[-1]]
    if above == 0 or places[above] == at:
        return points[places[above]]
    lower, upper = places[above - 1], places[above]
    share = (at - lower) / (upper - lower)
    return (1 - share) * points[lower] + share * points[upper]


def load_profile(path: Path) -> Profile:
    """Read a profile. Raises `StartError` that names the field which is wrong, and `OSError`."""
    try:
        return Profile.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        message = first["msg"].removeprefix("Value error, ")
        raise StartError(f"{path}: {field}: {message}" if field else f"{path}: {message}") from error


def write_profile(profile: Profile, path: Path) -> None:
    path.write_text(json.dumps(profile.model_dump(), indent=1) + "\n", encoding="utf-8")
