"""PyTorch is imported once, whoever waits for it, and a service without it says so."""

import asyncio
import threading
import time

import pytest

from app.errors import ApiError
from app.registry import pytorch as module
from app.registry.pytorch import PyTorch, import_pytorch


class Imports:
    """Stands for the import: takes a moment, and may fail as often as it is told."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.threads: list[int] = []
        self.may_end = threading.Event()
        self.may_end.set()

    def __call__(self) -> None:
        self.threads.append(threading.get_ident())
        assert self.may_end.wait(60)
        if self.failures:
            self.failures -= 1
            raise OSError("a library is damaged")
        module._imported = True


@pytest.fixture
def imports(monkeypatch: pytest.MonkeyPatch) -> Imports:
    imports = Imports()
    monkeypatch.setattr(module, "_imported", False)
    monkeypatch.setattr(module, "import_pytorch", imports)
    return imports


def test_several_wait_for_one_import_beside_the_event_loop(imports: Imports) -> None:
    async def wait() -> None:
        pytorch = PyTorch()
        await asyncio.gather(*(pytorch.ready() for _ in range(5)))
        await pytorch.ready()

    asyncio.run(wait())
    assert len(imports.threads) == 1
    assert imports.threads[0] != threading.get_ident()


def test_one_who_leaves_leaves_the_import_to_the_others(imports: Imports) -> None:
    imports.may_end.clear()

    async def wait() -> None:
        pytorch = PyTorch()
        impatient, patient = (asyncio.create_task(pytorch.ready()) for _ in range(2))
        await asyncio.sleep(0.05)
        impatient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await impatient
        assert not patient.done()
        imports.may_end.set()
        await patient

    asyncio.run(wait())
    assert len(imports.threads) == 1


def test_after_a_failure_the_next_one_tries_again(imports: Imports) -> None:
    imports.failures = 1

    async def wait() -> None:
        pytorch = PyTorch()
        with pytest.raises(OSError, match="damaged"):
            await pytorch.ready()
        await pytorch.ready()

    asyncio.run(wait())
    assert len(imports.threads) == 2


def test_where_it_is_imported_nobody_waits(imports: Imports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_imported", True)
    asyncio.run(PyTorch().ready())
    assert imports.threads == []


def test_where_it_is_not_installed_the_request_is_refused(
    imports: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(ApiError, match="not installed where this service runs") as caught:
        asyncio.run(PyTorch().ready())
    assert (caught.value.status, caught.value.code) == (501, "pytorch_not_installed")
    assert imports.threads == []


def test_it_is_imported_once_by_threads_that_come_together(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen: list[float] = []
    monkeypatch.setattr(module, "_imported", False)
    monkeypatch.setattr("gc.freeze", lambda: frozen.append(time.monotonic()))
    threads = [threading.Thread(target=import_pytorch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(frozen) == 1
    assert module._imported
    import torch

    assert torch.get_num_threads() >= 1
