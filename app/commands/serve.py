"""`resnet-serve serve` and `check`: start the service, or load all that it would serve and end."""

import argparse
import logging
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from pydantic_settings import CliSettingsSource

from app.commands.output import reason_of, show
from app.errors import StartError
from app.observability.logs import configure_logging, log_what_python_prints, logs_json, tell
from app.server.self_watch import SelfWatch
from app.server.sockets import announce, bind
from app.server.supervisor import Supervisor
from app.settings import Settings, load_settings
from app.settings.environment import PREFIX, Environment, name_warnings

logger = logging.getLogger(__name__)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are a `StartError` where the log is JSON, and else the usage and the reason."""

    logs_json = False

    def error(self, message: str) -> NoReturn:
        if self.logs_json:
            raise StartError(f"{message}; `{self.prog} --help` lists the options")
        super().error(message)


def serve(arguments: Sequence[str]) -> int:
    """Serve until a signal ends it; returns 0 for an orderly stop.

    Raises `StartError` and `OSError`. Where the log is JSON all is told there, these too, and nothing printed
    besides, so that whatever collects the lines of a container can read each.
    """
    try:
        settings = _settings("serve", "Start the service.", arguments)
        with bind(settings) as listener:
            source = settings.model_repository or settings.model_dir
            if settings.log_format == "json":
                tell("loading %s", source)
            else:
                show(f"Loading {source} ...")
            run = _serve if settings.workers == 1 else _supervise
            return run(settings, listener)
    except (StartError, OSError) as error:
        if not logs_json():
            raise
        logger.critical("%s", reason_of(error))
        return 1


def check(arguments: Sequence[str]) -> int:
    """Load and check the models as the start does; returns 0. Raises `StartError` and `OSError`."""
    settings = _settings("check", "Check settings and models as `serve` does, without serving.", arguments)
    # Not at the top, as below.
    from app.main import check as check_models

    show("\n".join(check_models(settings)))
    return 0


def _settings(command: str, description: str, arguments: Sequence[str]) -> Settings:
    """The settings of the command line and the environment, with logging as they say."""
    parser = _Parser(
        prog=f"resnet-serve {command}",
        description=description,
        epilog="Each option may also be given as an environment variable: its name in capitals with"
        f" underscores, after {PREFIX}, such as {PREFIX}LOG_LEVEL. An option overrides the variable.",
        allow_abbrev=False,
    )
    parser.logs_json = _asks_for_json(arguments)
    command_line = CliSettingsSource[argparse.ArgumentParser](Settings, root_parser=parser)
    try:
        command_line(args=list(arguments))
        settings = load_settings(command_line)
    except StartError:
        if parser.logs_json:
            configure_logging(Settings.model_construct(log_format="json"))
        raise
    configure_logging(settings)
    log_what_python_prints()
    for warning in name_warnings(Settings.model_fields):
        logger.warning(warning)
    return settings


def _asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether the log is to be JSON, which is known whatever else is wrong with the settings."""
    option = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    option.add_argument("--log-format")
    given: str | None = None
    with suppress(argparse.ArgumentError):  # where its value is missing
        given = option.parse_known_args(arguments)[0].log_format
    if given is None:
        given, *_ = Environment(Settings).get_field_value(Settings.model_fields["log_format"], "log_format")
    return given == "json"


def _serve(settings: Settings, listener: socket.socket) -> int:
    # Taken as Ctrl-C from the start, so that the model is not left half loaded nor a request half answered.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # Not at the top: a process that only supervises others does without PyTorch and its half gigabyte.
        from app.server.process import serve as serve_in_this_process

        with SelfWatch(settings.start_seconds) as watch:
            serve_in_this_process(settings, listener, lambda: announce(settings, listener), pulse=watch.pulse)
    except KeyboardInterrupt:
        return 0
    return 0


def _supervise(settings: Settings, listener: socket.socket) -> int:
    in_order = Supervisor(settings, listener, lambda: announce(settings, listener)).run()
    return 0 if in_order else 1
