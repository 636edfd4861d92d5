"""What the commands print: on any terminal, and in one clear line where it cannot be written."""

import io
import os
import sys


def can_show(text: str) -> bool:
    """Whether standard output has all characters of `text`."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def show(text: str) -> None:
    """Print to standard output, characters that it lacks as escapes.

    Raises `OSError`, with "standard output" for the file's name, where it cannot be written.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        print(text, flush=True)
    except OSError as error:
        # Python would try once more at its end, and show a traceback: that attempt is to succeed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OSError(error.errno, error.strerror, "standard output") from error


def reason_of(error: Exception) -> str:
    """In one line why a command cannot do its work."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def complain(message: str) -> None:
    """Print one line to standard error."""
    print(f"resnet-serve: {message}", file=sys.stderr)
