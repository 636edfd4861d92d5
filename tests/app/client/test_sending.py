"""How long a client waits before it asks again, where somebody before the service says so by a date."""

import httpx
import pytest

from app.client.sending import LONGEST_WAIT, Patience


def delay(named: str, **headers: str) -> float | None:
    response = httpx.Response(503, headers=[("Retry-After", named), *headers.items()])
    return Patience(3, LONGEST_WAIT).delay(0, response)


@pytest.mark.parametrize(
    ("named", "seconds"),
    [
        ("Sat, 28 Nov 2026 10:01:07 GMT", 67),
        ("Sat, 28 Nov 2026 11:01:07 +0100", 67),
        ("Sat, 28 Nov 2026 09:00:00 GMT", 0),
        ("Sat, 28 Nov 2026 11:00:00 GMT", None),
    ],
)
def test_a_date_is_by_the_clock_of_who_names_it(named: str, seconds: float | None) -> None:
    assert delay(named, Date="Sat, 28 Nov 2026 10:00:00 GMT") == seconds


def test_without_that_it_is_by_ones_own_clock() -> None:
    assert delay("Fri, 28 Nov 2025 10:00:00 GMT") == 0
    assert delay("Fri, 28 Nov 9999 10:00:00 GMT") is None


@pytest.mark.parametrize(
    "named",
    [
        "soon",
        "",
        "-1",
        "Sat, 99 Nov 2026 10:00:00 GMT",
        "Sat, 28 Nov 2026 10:00:00 -0000",
        "Sat, 28 Nov 99999999999 10:00:00 GMT",
    ],
)
def test_a_date_that_nobody_can_read_is_as_good_as_none(named: str) -> None:
    waited = delay(named)
    assert waited is not None
    assert 0 < waited < 1
