"""Files are compressed once, off the event loop, and asked after again by whoever has them."""

import asyncio
import gzip
import random
import threading
from pathlib import Path

import httpx
import pytest

from app.http.static_files import COMPRESSED_FROM, CompressedFiles

TEXT = b"the same again and again " * 100


def ask(files: CompressedFiles, name: str, headers: dict[str, str], count: int = 1) -> list[httpx.Response]:
    """The responses to so many requests at once."""

    async def all_of_them() -> list[httpx.Response]:
        transport = httpx.ASGITransport(files)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await asyncio.gather(*(client.get(f"/{name}", headers=headers) for _ in range(count)))

    return asyncio.run(all_of_them())


def test_a_file_is_compressed_once_and_not_on_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.js").write_bytes(TEXT)
    threads, plainly = [], gzip.compress

    def compress(content: bytes) -> bytes:
        threads.append(threading.current_thread())
        return plainly(content)

    monkeypatch.setattr(gzip, "compress", compress)
    files = CompressedFiles(tmp_path)
    for accepted in ("gzip", "br;q=1.0, GZIP;q=0.8"):
        for response in ask(files, "a.js", {"Accept-Encoding": accepted}, count=10):
            assert (response.headers["content-encoding"], response.content) == ("gzip", TEXT)
            assert response.headers["content-type"].startswith("text/javascript")
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


@pytest.mark.parametrize(
    ("content", "accepted"),
    [
        (TEXT, "identity"),
        (TEXT, "br, gzip;q=0"),
        (TEXT, "gzip; q=0.000"),
        (TEXT[: COMPRESSED_FROM - 1], "gzip"),
        (random.Random(0).randbytes(2 * COMPRESSED_FROM), "gzip"),
    ],
)
def test_others_are_sent_as_they_are(tmp_path: Path, content: bytes, accepted: str) -> None:
    (tmp_path / "a.png").write_bytes(content)
    (response,) = ask(CompressedFiles(tmp_path), "a.png", {"Accept-Encoding": accepted})
    assert "content-encoding" not in response.headers
    assert (response.content, response.headers["vary"]) == (content, "Accept-Encoding")


def test_a_browser_asks_each_time_and_is_told_whether_the_file_has_changed(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_bytes(TEXT)
    files = CompressedFiles(tmp_path)
    (first,) = ask(files, "a.js", {"Accept-Encoding": "gzip"})
    assert first.headers["cache-control"] == "no-cache"
    known = {"Accept-Encoding": "gzip", "If-None-Match": first.headers["etag"]}
    (again,) = ask(files, "a.js", known)
    assert (again.status_code, again.content, again.headers["cache-control"]) == (304, b"", "no-cache")
    (tmp_path / "a.js").write_bytes(TEXT + b"changed")
    (changed,) = ask(files, "a.js", known)
    assert (changed.status_code, changed.content) == (200, TEXT + b"changed")


def test_both_forms_of_a_file_have_tags_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_bytes(TEXT)
    files = CompressedFiles(tmp_path)
    tags = {}
    for accepted in ("gzip", "identity"):
        (response,) = ask(files, "a.js", {"Accept-Encoding": accepted})
        tags[accepted] = response.headers["etag"]
    assert tags["gzip"] != tags["identity"]
    for accepted in tags:
        for known, tag in tags.items():
            (again,) = ask(files, "a.js", {"Accept-Encoding": accepted, "If-None-Match": f"W/{tag}"})
            assert again.status_code == (304 if known == accepted else 200)
            assert again.headers["etag"] == tags[accepted]
