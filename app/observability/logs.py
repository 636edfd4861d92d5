"""Where log lines go and what they look like."""

import logging
import sys
import threading
from types import TracebackType

from pythonjsonlogger.json import JsonFormatter

from app.observability.request_context import request_id
from app.observability.tracing import trace_id
from app.settings import Settings

TEXT = "%(asctime)s %(levelname)s %(name)s [%(request_id)s]: %(message)s"
FIELDS = ["asctime", "levelname", "name", "process", "request_id", "message"]
NAMES = {"asctime": "time", "levelname": "level", "name": "logger"}


logger = logging.getLogger(__name__)

_always = logging.getLogger("app.start")
_always.setLevel(logging.INFO)


class _RequestIds(logging.Filter):
    """Has each line say which request it is about; `-` where it is about none."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get() or "-"
        if (traced := trace_id()) is not None:
            record.trace_id = traced
        return True


def configure_logging(settings: Settings) -> None:
    """Have this process log to standard error, from `settings.log_level` up, as text or as lines of JSON."""
    handler = logging.StreamHandler()
    handler.addFilter(_RequestIds())
    handler.setFormatter(
        JsonFormatter(FIELDS, rename_fields=NAMES)
        if settings.log_format == "json"
        else logging.Formatter(TEXT)
    )
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])


def tell(message: str, *values: object) -> None:
    """Log at INFO, whatever `settings.log_level` is: what is printed where the log is text, and then always.

    Where a port was asked for that is free, nobody would know it otherwise.
    """
    _always.info(message, *values)


def logs_json() -> bool:
    """Whether this process logs lines of JSON."""
    return any(isinstance(handler.formatter, JsonFormatter) for handler in logging.getLogger().handlers)


def log_what_python_prints() -> None:
    """Where the log is JSON, have it take warnings, and exceptions that nothing catches, in any thread.

    Python itself would print them as lines of text among those of JSON.
    """
    if not logs_json():
        return
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread
    sys.unraisablehook = _log_unraisable


def _log_uncaught(
    kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None
) -> None:
    logger.critical("%s: %s", kind.__name__, error, exc_info=(kind, error or kind(), traceback))


def _log_uncaught_in_thread(uncaught: threading.ExceptHookArgs) -> None:
    if uncaught.exc_type is not SystemExit:  # by which a thread may end itself
        _log_uncaught(uncaught.exc_type, uncaught.exc_value, uncaught.exc_traceback)


def _log_unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    _log_uncaught(unraisable.exc_type, unraisable.exc_value, unraisable.exc_traceback)
