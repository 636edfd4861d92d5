from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from socket import create_server

import pytest

from tests.support import free_port as module
from tests.support.free_port import KERNEL_RANGE, free_port


def kernel_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int, last: int) -> None:
    file = tmp_path / "ip_local_port_range"
    file.write_text(f"{first}\t{last}\n")
    monkeypatch.setattr(module, "KERNEL_RANGE", file)


def test_the_kernel_gives_it_to_nobody_else() -> None:
    first, last = map(int, KERNEL_RANGE.read_text().split())
    if first <= module.FIRST and last >= module.END - 1:
        pytest.skip("the kernel gives all ports")
    with create_server(("127.0.0.1", 0)) as any_port:
        assert first <= any_port.getsockname()[1] <= last
    assert not any(first <= free_port() <= last for _ in range(50))


def test_one_that_is_taken_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def only_one_is_free(address: tuple[str, int]) -> AbstractContextManager[None]:
        if address[1] != 20_001:
            raise OSError
        return nullcontext()

    monkeypatch.setattr(module, "create_server", only_one_is_free)
    monkeypatch.setattr(module, "FIRST", 20_000)
    monkeypatch.setattr(module, "END", 20_003)
    kernel_gives(tmp_path, monkeypatch, 1024, 1025)
    assert {free_port() for _ in range(10)} == {20_001}
    monkeypatch.setattr(module, "END", 20_001)
    with pytest.raises(OSError, match="from 20000 on are in use"):
        free_port()


def test_where_the_kernel_gives_all_ports_it_is_one_of_those(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel_gives(tmp_path, monkeypatch, 1024, 65535)
    assert module.FIRST <= free_port() < module.END
