"""A network that PyTorch cannot compile, told in one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager


class CompilationError(RuntimeError):
    """The recipe's network cannot be compiled on this machine; the message says why."""


@contextmanager
def explained_compilation(recipe: str) -> Iterator[None]:
    """Turn what PyTorch raises where it cannot compile the network of `recipe` into `CompilationError`."""
    try:
        yield
    except RuntimeError as error:
        if not _is_of_the_compiler(error):
            raise
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise CompilationError(
            f"recipe {recipe!r} compiles the network, but PyTorch cannot do that: {reason} (it needs a C++ "
            f"compiler such as g++; or choose a recipe that does not compile)"
        ) from error


def _is_of_the_compiler(error: RuntimeError) -> bool:
    # Told by the names of the classes: to import them takes a second, which every command would wait.
    return any(
        each.__module__.startswith(("torch._dynamo", "torch._inductor")) for each in type(error).__mro__
    )
