"""What the text of a setting may be, where that is more than a type can say."""

import re
from collections.abc import Iterable
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, SecretStr

LEAST_KEY_LENGTH = 16

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+")
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HOST_NAME = re.compile(r"(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\]")


def parts(text: str) -> list[str]:
    """The parts of `text` between its commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def read_keys(path: Path) -> tuple[str, ...]:
    """The API keys in a file, one per line. Raises `ValueError`."""
    try:
        return parse_keys(path.read_text(encoding="utf-8").splitlines())
    except OSError as error:
        raise ValueError(f"the file cannot be read: {error.strerror}") from error
    except UnicodeError as error:
        raise ValueError("the file must be text in UTF-8") from error


def parse_keys(texts: Iterable[str]) -> tuple[str, ...]:
    """The API keys among `texts`. Raises `ValueError`, which never names a key, also where there is none.

    Whoever writes a setting that names no key does not mean to let everyone in.
    """
    keys = tuple(text.strip() for text in texts if text.strip())
    if not keys:
        raise ValueError("there is no key in it")
    for number, key in enumerate(keys, start=1):
        if len(key) < LEAST_KEY_LENGTH or not key.isascii() or not key.isprintable() or " " in key:
            raise ValueError(
                f"key {number} must be of at least {LEAST_KEY_LENGTH} visible ASCII characters, none a space"
            )
    return keys


def parse_versions(text: str) -> dict[str, str]:
    """Names of models, each with a version, as in `photos=1, other=3`. Raises `ValueError`."""
    versions: dict[str, str] = {}
    for part in parts(text):
        name, _, version = (each.strip() for each in part.partition("="))
        if not (_SLUG.fullmatch(name) and _SLUG.fullmatch(version)):
            raise ValueError("must be names of models, each with a version, such as photos=1, other=3")
        if name in versions:
            raise ValueError(f"must name each model once, and names {name} twice")
        versions[name] = version
    return versions


def _require_versions(text: str) -> str:
    parse_versions(text)
    return text


def _require_long_keys(keys: SecretStr) -> SecretStr:
    if listed := keys.get_secret_value():
        parse_keys(listed.split(","))
    return keys


def _require_origins(text: str) -> str:
    for origin in parts(text):
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise ValueError("must be origins such as https://example.org:8443, without a path")
    return text


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


ApiKeys = Annotated[SecretStr, AfterValidator(_require_long_keys)]
Origins = Annotated[str, AfterValidator(_require_origins)]
HostNames = Annotated[str, AfterValidator(_require_host_names)]
RateLimits = Annotated[str, AfterValidator(_require_rate_limits)]
Versions = Annotated[str, AfterValidator(_require_versions)]
Addresses = Annotated[str, AfterValidator(_require_addresses)]
