"""From a rate to replicas, their cost, and what breaks first."""

import math

import pytest

from app.capacity.fleet import Surroundings, plan
from app.capacity.profile import MEASURED, load_profile
from app.capacity.simulation import Replica

PROFILE = load_profile(MEASURED)


@pytest.mark.parametrize("bound", [0.05, 0.2])
def test_a_million_images_a_second(bound: float) -> None:
    fleet = plan(PROFILE, 1_000_000, bound, 2, Surroundings())
    assert fleet is not None
    assert fleet.replicas == math.ceil(1_000_000 / fleet.rate_of_a_replica - 1e-6) + 2
    assert fleet.cores == 2 * fleet.replicas
    assert fleet.core_hours_per_million == pytest.approx(fleet.cores / 3600)
    assert fleet.p99_seconds <= bound


def test_what_is_full_at_the_lowest_rate_comes_first() -> None:
    usual = plan(PROFILE, 200_000, 0.1, 0, Surroundings())
    assert usual is not None
    assert usual.parts[0].name.startswith("proxies")
    assert usual.parts[0].full_at == 150_000
    assert usual.parts[0].used == pytest.approx(200 / 150)
    slow = plan(PROFILE, 1_000, 0.1, 0, Surroundings(link_gbit=0.001))
    assert slow is not None
    assert slow.parts[0].name.startswith("network")
    # A request, its response and their headers, all of which a proxy both takes and gives.
    assert slow.parts[0].full_at == pytest.approx(3 * 1e6 / (8 * (1000 + 500 + 500)))


def test_it_ends_where_only_the_search_found_a_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Replica, "highest_rate", lambda *_: 100.0)
    monkeypatch.setattr(Replica, "p99", lambda *_: 0.06)
    assert plan(PROFILE, 1_000, 0.05, 0, Surroundings()) is None


def test_no_number_of_replicas_is_faster_than_one_alone() -> None:
    assert plan(PROFILE, 100, 0.002, 0, Surroundings()) is None
