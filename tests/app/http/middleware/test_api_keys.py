from pathlib import Path

import pytest

from app.errors import SettingsError
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
    ("content", "message"), [(None, "the file cannot be read"), ("\n", "there is no key")]
)
def test_a_file_without_keys_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "keys").write_text(content, encoding="utf-8")
    monkeypatch.setenv("RESNET_SERVE_API_KEYS_FILE", str(tmp_path / "keys"))
    with pytest.raises(SettingsError, match=f"^RESNET_SERVE_API_KEYS_FILE: {message}"):
        load_settings()


@pytest.mark.parametrize("origins", ["example.org", "https://example.org/path", "ftp://x", "https://a.org b"])
def test_what_is_no_origin_is_refused(monkeypatch: pytest.MonkeyPatch, origins: str) -> None:
    monkeypatch.setenv("RESNET_SERVE_CORS_ORIGINS", origins)
    with pytest.raises(SettingsError, match=r"^RESNET_SERVE_CORS_ORIGINS: must be origins such as"):
        load_settings()
