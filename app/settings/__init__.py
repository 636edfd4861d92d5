"""Every setting of the service, in one class, whose fields stand in a file for each topic."""

from argparse import ArgumentParser

from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    CliSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from app.errors import SettingsError
from app.settings.access import AccessSettings
from app.settings.deployment import DeploymentSettings
from app.settings.engine import EngineSettings
from app.settings.environment import PREFIX, Environment, refuse_wrong_names, variable_in_use
from app.settings.limits import LimitSettings
from app.settings.models import BUNDLED_MODEL, ModelSettings
from app.settings.monitoring import MonitoringSettings
from app.settings.process import ProcessSettings

__all__ = ["BUNDLED_MODEL", "Settings", "load_settings"]

SECRETS = ("api_keys", "feedback_database")
"""Settings whose values no message shows."""


class Settings(
    # Fields of the last base come first, in the documents and in `serve --help`.
    DeploymentSettings,
    MonitoringSettings,
    LimitSettings,
    EngineSettings,
    AccessSettings,
    ModelSettings,
    ProcessSettings,
    BaseSettings,
):
    """All settings, from the command line, from environment variables with the prefix, or by default.

    An empty variable counts as not set.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        frozen=True,
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - it knows nothing of names without prefix
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, Environment(settings_cls)


def load_settings(command_line: CliSettingsSource[ArgumentParser] | None = None) -> Settings:
    """Read the settings: from a parsed `command_line` first, then from the environment, else the defaults.

    Raises `SettingsError` for an illegal value and as `refuse_wrong_names` does.
    """
    refuse_wrong_names(Settings.model_fields)
    try:
        return Settings(_cli_settings_source=command_line)
    except ValidationError as error:
        first = error.errors()[0]
        # Without a place it is the file of keys, which has changed since it was checked.
        field = str(first["loc"][0]) if first["loc"] else "api_keys_file"
        given = command_line is not None and field in command_line()
        name = f"--{field.replace('_', '-')}" if given else variable_in_use(field)
        message = f"{name}: {first['msg'].removeprefix('Value error, ')}"
        if field in SECRETS:
            raise SettingsError(message) from None
        raise SettingsError(f"{message}, got {first['input']!r}") from error
