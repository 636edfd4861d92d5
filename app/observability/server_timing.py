"""The stages of a request in a header that browsers show. Source: https://www.w3.org/TR/server-timing/."""

from collections.abc import Mapping

SERVER_TIMING = "Server-Timing"


def server_timing(stages: Mapping[str, float]) -> str:
    """The header's value for the seconds that each stage took; it has milliseconds."""
    return ", ".join(f"{stage};dur={seconds * 1000:.3f}" for stage, seconds in stages.items())
