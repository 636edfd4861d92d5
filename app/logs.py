"""Where log lines go and what they look like."""

import logging

from app.settings import Settings


def configure_logging(settings: Settings) -> None:
    """Have this process log to standard error, from `settings.log_level` up."""
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
