"""One of several processes that serve the same address, as seen from within."""

import logging
import os
import signal
import socket
import sys
import threading
import time
from contextlib import suppress
from multiprocessing import current_process, parent_process
from multiprocessing.connection import Connection
from pathlib import Path

from app.errors import StartError
from app.observability.logs import configure_logging, log_what_python_prints, logs_json
from app.observability.metric_folder import MetricFolder
from app.registry.plan_folder import Membership, PlanFolder
from app.server.sockets import bind_beside
from app.settings import Settings

PULSE = b"."
"""What a worker sends that is well."""

MARGIN_SECONDS = 2
"""How much longer than its running requests a worker may take to end: after a second it ends itself."""

logger = logging.getLogger(__name__)


def work(settings: Settings, reserved: socket.socket, number: int, folder: Path, report: Connection) -> None:
    """Serve the `reserved` address as worker `number` until SIGTERM, or until the parent process is gone.

    `folder` is shared with the parent and the other workers. Sends to `report` an empty message once requests
    are accepted, or else the one line that says why they cannot be, and then exits with status 1. While it
    serves it sends `PULSE` every second, or the one line that says why it should be replaced.
    """
    threading.Thread(target=_end_with_parent, args=(settings,), daemon=True).start()
    configure_logging(settings)
    log_what_python_prints()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # Not at the top: the parent imports this module too, and PyTorch would cost it half a gigabyte.
        from app.observability.metrics import ServiceMetrics
        from app.server.process import serve

        # One model never changes. In a repository the newest version may be another one when a worker is
        # replaced, and then it is to serve what the others do.
        with_others = settings.model_repository is not None
        membership = Membership(PlanFolder(folder), number) if with_others else None
        metrics = ServiceMetrics(MetricFolder(folder), number)

        def announce() -> None:
            report.send_bytes(b"")
            os.set_blocking(report.fileno(), False)

        def pulse(wrong: str | None) -> None:
            # A parent that reads nothing, as one that is stopped, is not to stop this process too; what to do
            # about one that is gone `_end_with_parent` knows.
            with suppress(BlockingIOError, BrokenPipeError):
                report.send_bytes(PULSE if wrong is None else wrong.encode())

        serve(settings, bind_beside(reserved), announce, metrics, membership, pulse)
    except StartError as error:
        report.send_bytes(str(error).encode())
        sys.exit(1)
    except KeyboardInterrupt:
        return
    except Exception:
        if not logs_json():
            raise
        # Not left to multiprocessing, which would print it as text.
        logger.critical("%s failed", current_process().name, exc_info=True)
        sys.exit(1)


def _end_with_parent(settings: Settings) -> None:
    """Wait for the parent to end, however it does, and then end this process as the parent would have."""
    parent = parent_process()
    assert parent is not None, "a worker is started by multiprocessing"
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(settings.unready_seconds + settings.drain_seconds + MARGIN_SECONDS)
    os._exit(1)
