"""What went wrong, as one line for the terminal, in place of a traceback."""

import errno

import torch

EXPECTED: tuple[type[Exception], ...] = (ValueError, OSError, MemoryError, RuntimeError)
"""What a command may fail by; of the last, only what `explain` knows."""


def explain(error: Exception) -> str | None:
    """One line that says what is wrong, or None for an error that is a fault of the program.

    Errors of this project and of values are told in their own words, those of files with the file's name.
    """
    if isinstance(error, OSError) and error.errno is not None:
        file = f"{error.filename}: " if error.filename is not None else ""
        hint = ": make room, or write elsewhere" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        return _line(f"{file}{error.strerror}{hint}")
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error):
        return _line(f"there is not enough memory: {error}").removesuffix(":")
    if isinstance(error, ValueError | OSError):
        return _line(str(error))
    # Of its own, torch raises nothing but RuntimeErrors.
    return _line(str(error)) if type(error).__module__.startswith("training.") else None


def _line(text: str) -> str:
    return " ".join(text.split())
