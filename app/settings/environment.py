"""The environment variables that settings are read from, and what a wrong name among them is told."""

import os
import re
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource

from app.errors import SettingsError

PREFIX = "RESNET_SERVE_"

WITHOUT_PREFIX = ("port", "workers")
"""Settings that are read without the prefix as well, as hosting platforms set `PORT` and `WORKERS`."""

FOR_THE_CLIENT = ("RESNET_SERVE_API_KEY",)
"""Names with the prefix that are for the commands which ask a service."""

PROTECTING = ("api_keys", "api_keys_file", "trusted_hosts", "rate_limit")
"""Settings without which the service is open to more than it was meant for."""

RENAMED = {"MAX_WAITING": "max_concurrent_requests"}
"""Former names of settings; all others were called what they are called now, without the prefix."""

# What Kubernetes sets for every pod beside a Service of the name `resnet-serve`.
_SERVICE_LINK = re.compile(PREFIX + r"(SERVICE_HOST|SERVICE_PORT.*|PORT_\d+_.+)")


def variable(field: str) -> str:
    return f"{PREFIX}{field.upper()}"


def variable_in_use(field: str) -> str:
    """The name of the variable that a setting is read from, or would be read from if it were set."""
    name = variable(field)
    plain = field.upper()
    return plain if field in WITHOUT_PREFIX and not _own(name) and os.environ.get(plain) else name


def _own(name: str) -> str | None:
    """The value of a variable, unless it is empty or one that Kubernetes made of a Service's address."""
    value = os.environ.get(name)
    return None if not value or value.startswith("tcp://") else value


class Environment(EnvSettingsSource):
    """Variables with the prefix, and those of `WITHOUT_PREFIX` also without it."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        value, key, is_complex = super().get_field_value(field, field_name)
        if field_name in WITHOUT_PREFIX:
            value = _own(variable_in_use(field_name))
        return value, key, is_complex


def refuse_wrong_names(fields: Iterable[str]) -> None:
    """Raise `SettingsError` for a variable that would be overlooked at a risk.

    That is one with the prefix that is no setting, and a protecting setting under its former name.
    """
    known = {*map(variable, fields), *FOR_THE_CLIENT}
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in known and not _SERVICE_LINK.fullmatch(name):
            raise SettingsError(f"{name}: there is no such setting; `resnet-serve serve --help` lists them")
    for name, field in _former_names(fields):
        if field in PROTECTING:
            raise SettingsError(_renamed(name, field))


def name_warnings(fields: Iterable[str]) -> list[str]:
    """A line for each variable that has the former name of a setting."""
    return [_renamed(name, field) for name, field in _former_names(fields)]


def _renamed(name: str, field: str) -> str:
    return f"{name} is not read any more: name it {variable(field)}"


def _former_names(fields: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The variables that have the former name of a setting, each with the setting.

    `HOST` counts only where it is an address to listen on: shells and conda set it to other things.
    """
    former = {field.upper(): field for field in fields if field not in WITHOUT_PREFIX} | RENAMED
    for name, field in former.items():
        value = os.environ.get(name)
        if value and not os.environ.get(variable(field)) and (name != "HOST" or _is_address(value)):
            yield name, field


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
