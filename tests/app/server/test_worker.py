"""A worker process from within, as far as this very process can be one."""

import signal
import socket
from collections.abc import Iterator
from multiprocessing import Pipe
from pathlib import Path

import pytest

from app.server import process, worker
from app.settings import Settings


@pytest.fixture
def _signal_handler_is_put_back() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("_signal_handler_is_put_back")
@pytest.mark.parametrize(("is_json", "raised"), [(True, SystemExit), (False, RuntimeError)])
def test_what_nobody_expected_is_left_to_multiprocessing_only_where_the_log_is_text(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    is_json: bool,
    raised: type[BaseException],
) -> None:
    def fail(_: Settings, listener: socket.socket, *__: object) -> None:
        listener.close()
        raise RuntimeError("broken")

    monkeypatch.setattr(worker, "_end_with_parent", lambda _: None)
    monkeypatch.setattr(worker, "logs_json", lambda: is_json)
    monkeypatch.setattr(process, "serve", fail)
    reserved = socket.socket()
    ours, theirs = Pipe(duplex=False)
    with ours, theirs, reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(("127.0.0.1", 0))
        with pytest.raises(raised) as ended:
            worker.work(Settings(), reserved, 0, tmp_path, theirs)
    if isinstance(ended.value, SystemExit):
        assert ended.value.code == 1
    told = [record.exc_text for record in caplog.records if record.levelname == "CRITICAL"]
    assert ["RuntimeError: broken" in str(text) for text in told] == ([True] if is_json else [])
