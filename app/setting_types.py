"""What the text of a setting may be, where that is more than a type can say."""

import re
from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator

_HOST_NAME = re.compile(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\]")


def parts(text: str) -> list[str]:
    """The parts of `text` between its commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _require_host_names(text: str) -> str:
    for host in parts(text):
        if host != "*" and not _HOST_NAME.fullmatch(host):
            raise ValueError("must be names such as example.org or *.example.org, without a port")
    return text


def _require_rate_limits(text: str) -> str:
    # Not at the top: it takes a tenth of a second, and few ask for it.
    from limits import parse_many

    try:
        possible = not text or all(limit.amount > 0 for limit in parse_many(text))
    except ValueError:
        possible = False
    if not possible:
        raise ValueError("must be limits such as 100/minute or 10/second, 1000/hour")
    return text


def _require_addresses(text: str) -> str:
    for address in parts(text):
        try:
            ip_network(address)
        except ValueError:
            message = "must be addresses such as 10.0.0.5 or networks such as 192.168.0.0/16"
            raise ValueError(message) from None
    return text


HostNames = Annotated[str, AfterValidator(_require_host_names)]
RateLimits = Annotated[str, AfterValidator(_require_rate_limits)]
Addresses = Annotated[str, AfterValidator(_require_addresses)]
