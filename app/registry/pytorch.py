"""PyTorch in a service that classifies without it: imported when something first needs it."""

import asyncio
import ctypes
import gc
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

from app.errors import ApiError, StartError, installation

_LOCK = threading.Lock()
_imported = False


def import_pytorch() -> None:
    """Import PyTorch unless that has been done, in whichever thread. Raises `ImportError`.

    Beside OpenVINO it does but small things, on threads that have other work: threads of its own would only
    take the processor from the engine. The torch engine raises their number itself.
    """
    global _imported
    with _LOCK:
        if _imported:
            return
        if "torch" not in sys.modules:
            _load_libraries()
        import torch

        torch.set_num_threads(1)
        # It stays for good: see `app.main`, which does the same for what the start brings.
        gc.freeze()
        _imported = True


def require_pytorch(setting: str) -> None:
    """Raises `StartError` where a `setting` needs PyTorch and it is not installed."""
    if not _imported and find_spec("torch") is None:
        raise StartError(f"{setting} needs PyTorch, which is not installed: {installation('serve')}")


def _load_libraries() -> None:
    """Have the system load PyTorch's libraries, while Python's other threads go on.

    The import would do so too, but keep Python's lock meanwhile: no request would be answered for half a
    second to one. A library that is not found here, the import finds.
    """
    spec = find_spec("torch")
    if spec is None or spec.origin is None or sys.platform != "linux":
        return
    system = ctypes.CDLL(None)
    # A function of a library, other than `ctypes.CDLL`, is called without Python's lock.
    system.dlopen.restype = ctypes.c_void_p
    library = Path(spec.origin).parent / "lib" / "libtorch_python.so"
    system.dlopen(bytes(library), ctypes.c_int(2))  # RTLD_NOW


class PyTorch:
    """Waits for the import, which is done once, in a thread of its own."""

    def __init__(self) -> None:
        self._importing: asyncio.Task[None] | None = None

    async def ready(self) -> None:
        """Return once it is imported. Raises `ApiError` 501 where it is not installed."""
        if _imported:
            return
        if find_spec("torch") is None:
            message = "this needs PyTorch, which is not installed where this service runs"
            raise ApiError(501, "pytorch_not_installed", message)
        if self._importing is None or (self._importing.done() and not _imported):
            self._importing = asyncio.create_task(asyncio.to_thread(import_pytorch))
        # Who leaves leaves it to the others.
        await asyncio.shield(self._importing)
