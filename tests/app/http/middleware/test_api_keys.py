import asyncio
import pickle
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse

from app.errors import SettingsError
from app.http.middleware.api_keys import ApiKeys
from app.main import create_app
from app.settings import Settings, load_settings

KEY, OTHER = "0123456789abcdef", "fedcba9876543210"


def test_keys_come_from_the_environment_and_from_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert Settings().all_keys() == ()
    file = tmp_path / "keys"
    file.write_text(f"\n{OTHER}\n\n", encoding="utf-8")
    monkeypatch.setenv("RESNET_SERVE_API_KEYS", f" {KEY}, ,")
    monkeypatch.setenv("RESNET_SERVE_API_KEYS_FILE", str(file))
    settings = load_settings()
    assert settings.all_keys() == (KEY, OTHER)
    assert KEY not in repr(settings)
    assert KEY not in str(settings.model_dump())


@pytest.mark.parametrize("key", ["short", "with a space in it..", "0123456789abcdé", "0123456789abc\tdef"])
def test_an_unfit_key_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: str
) -> None:
    monkeypatch.setenv("RESNET_SERVE_API_KEYS", f"{KEY},{key}")
    with pytest.raises(
        SettingsError, match=r"^RESNET_SERVE_API_KEYS: key 2 must be of at least 16 visible"
    ) as caught:
        load_settings()
    assert key not in str(caught.value)
    monkeypatch.delenv("RESNET_SERVE_API_KEYS")
    (tmp_path / "keys").write_text(key, encoding="utf-8")
    monkeypatch.setenv("RESNET_SERVE_API_KEYS_FILE", str(tmp_path / "keys"))
    with pytest.raises(SettingsError, match=r"^RESNET_SERVE_API_KEYS_FILE: key 1 must be") as caught:
        load_settings()
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "the file cannot be read"), ("\n", "there is no key"), (b"\xff" * 20, "the file must be text")],
)
def test_a_file_without_keys_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "keys").write_bytes(content if isinstance(content, bytes) else content.encode())
    monkeypatch.setenv("RESNET_SERVE_API_KEYS_FILE", str(tmp_path / "keys"))
    with pytest.raises(SettingsError, match=f"^RESNET_SERVE_API_KEYS_FILE: {message}"):
        load_settings()


@pytest.mark.parametrize("keys", [",", " ", " , ,"])
def test_a_setting_that_names_no_key_lets_nobody_in_by_mistake(
    monkeypatch: pytest.MonkeyPatch, keys: str
) -> None:
    monkeypatch.setenv("RESNET_SERVE_API_KEYS", keys)
    with pytest.raises(SettingsError, match=r"^RESNET_SERVE_API_KEYS: there is no key"):
        load_settings()


def test_to_ask_for_none_of_no_keys_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="there must be a key"):
        ApiKeys(FastAPI(), ())


@pytest.mark.parametrize("change", ["emptied", "gone", "rotated"])
def test_keys_are_those_of_the_start_whatever_becomes_of_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: str
) -> None:
    """A worker that is started later has them with its settings, which are sent to it."""
    file = tmp_path / "keys"
    file.write_text(KEY, encoding="utf-8")
    monkeypatch.setenv("RESNET_SERVE_API_KEYS_FILE", str(file))
    settings = load_settings()
    if change == "gone":
        file.unlink()
    else:
        file.write_text(OTHER if change == "rotated" else "", encoding="utf-8")
    received = pickle.loads(ForkingPickler.dumps(settings))
    assert settings.all_keys() == received.all_keys() == (KEY,)
    document = create_app(received).openapi()
    assert document["paths"]["/predict"]["post"]["security"] == [{"bearer": []}, {"x_api_key": []}]


@pytest.mark.parametrize("origins", ["example.org", "https://example.org/path", "ftp://x", "https://a.org b"])
def test_what_is_no_origin_is_refused(monkeypatch: pytest.MonkeyPatch, origins: str) -> None:
    monkeypatch.setenv("RESNET_SERVE_CORS_ORIGINS", origins)
    with pytest.raises(SettingsError, match=r"^RESNET_SERVE_CORS_ORIGINS: must be origins such as"):
        load_settings()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-API-Key": KEY}, 200),
        ({"X-API-Key": OTHER}, 200),
        ({"Authorization": f"bearer {KEY}"}, 200),
        ({"X-API-Key": KEY[:-1]}, 401),
        ({"X-API-Key": f"{KEY}{OTHER}"}, 401),
        ({"Authorization": KEY}, 401),
        ({}, 401),
    ],
)
def test_only_a_key_lets_a_request_through(headers: dict[str, str], status: int) -> None:
    transport = httpx.ASGITransport(ApiKeys(PlainTextResponse("let in"), [KEY, OTHER]))

    async def scenario() -> int:
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return (await client.get("/models", headers=headers)).status_code

    assert asyncio.run(scenario()) == status
