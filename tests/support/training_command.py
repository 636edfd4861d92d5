"""The command line of training within this process, which then imports nothing anew."""

import io
import signal
import sys
from contextlib import redirect_stderr, redirect_stdout

import pytest

from training.__main__ import main


def training(*arguments: object, status: int = 0) -> str:
    """Run `python -m training` with these arguments, require its exit status, and return what it printed.

    The signals that training takes over are given back.
    """
    argv = [str(argument) for argument in arguments]
    printed = io.StringIO()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    ended: object = 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed), redirect_stderr(printed):
        patch.setattr(sys, "argv", ["training", *argv])
        patch.setenv("COLUMNS", "200")
        try:
            main(argv)
        except SystemExit as end:
            ended = end.code
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
    if isinstance(ended, str):
        printed.write(f"{ended}\n")
        ended = 1
    assert (ended or 0) == status, printed.getvalue()
    return printed.getvalue()
