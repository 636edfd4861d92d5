"""Which environment variables are settings, and what is said of names that are not read."""

import pytest

from app.errors import SettingsError
from app.settings import Settings, load_settings
from app.settings.environment import name_warnings


def test_a_setting_has_the_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESNET_SERVE_MAX_QUEUE", "7")
    monkeypatch.setenv("MAX_FILES", "7")
    settings = load_settings()
    assert (settings.max_queue, settings.max_files) == (7, 256)


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESNET_SERVE_PORT", "")
    monkeypatch.setenv("PORT", "")
    assert load_settings().port == 8000


def test_platforms_set_port_and_workers_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9000")
    monkeypatch.setenv("WORKERS", "3")
    settings = load_settings()
    assert (settings.port, settings.workers) == (9000, 3)
    assert name_warnings(Settings.model_fields) == []


def test_the_name_with_the_prefix_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9000")
    monkeypatch.setenv("RESNET_SERVE_PORT", "9001")
    assert load_settings().port == 9001


@pytest.mark.parametrize(("plain", "port"), [("", 8000), ("9000", 9000)])
def test_the_variables_of_a_kubernetes_service_are_no_settings(
    monkeypatch: pytest.MonkeyPatch, plain: str, port: int
) -> None:
    monkeypatch.setenv("RESNET_SERVE_PORT", "tcp://10.0.0.1:80")
    monkeypatch.setenv("RESNET_SERVE_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("RESNET_SERVE_SERVICE_PORT_HTTP", "80")
    monkeypatch.setenv("RESNET_SERVE_PORT_80_TCP_ADDR", "10.0.0.1")
    monkeypatch.setenv("PORT", plain)
    assert load_settings().port == port


def test_an_unknown_name_with_the_prefix_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESNET_SERVE_API_KEYES", "0123456789abcdef")
    with pytest.raises(SettingsError, match=r"^RESNET_SERVE_API_KEYES: there is no such setting; "):
        load_settings()


def test_the_key_of_the_client_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESNET_SERVE_API_KEY", "0123456789abcdef")
    assert load_settings().all_keys() == ()


@pytest.mark.parametrize(
    ("name", "value", "setting"),
    [
        ("HOST", "0.0.0.0", "RESNET_SERVE_HOST"),
        ("HOST", "::1", "RESNET_SERVE_HOST"),
        ("MAX_WAITING", "8", "RESNET_SERVE_MAX_CONCURRENT_REQUESTS"),
        ("MODEL_DIR", "/models/mine/2", "RESNET_SERVE_MODEL_DIR"),
    ],
)
def test_a_former_name_is_told_once(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, setting: str
) -> None:
    monkeypatch.setenv(name, value)
    assert load_settings() == Settings()
    assert name_warnings(Settings.model_fields) == [f"{name} is not read any more: name it {setting}"]
    monkeypatch.setenv(setting, value)
    assert name_warnings(Settings.model_fields) == []


@pytest.mark.parametrize("value", ["my-machine", "x86_64-conda-linux-gnu", ""])
def test_the_host_that_shells_and_conda_set_is_none_of_them(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("HOST", value)
    assert name_warnings(Settings.model_fields) == []


@pytest.mark.parametrize("name", ["API_KEYS", "API_KEYS_FILE", "TRUSTED_HOSTS", "RATE_LIMIT"])
def test_what_protected_the_service_under_its_former_name_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "0123456789abcdef")
    with pytest.raises(SettingsError, match=f"^{name} is not read any more: name it RESNET_SERVE_{name}$"):
        load_settings()
