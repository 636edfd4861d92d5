"""Settings come from the environment, are checked at start, and all reach the container."""

import re
from pathlib import Path

import pytest

from app.settings import Settings, SettingsError, load_settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_defaults_without_environment() -> None:
    settings = load_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.model_dir == ROOT / "models" / "weights" / "resnet18-cifar10" / "1"


def test_environment_is_read_by_plain_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9000")
    monkeypatch.setenv("MODEL_DIR", "/models/mine/2")
    settings = load_settings()
    assert settings.port == 9000
    assert settings.model_dir == Path("/models/mine/2")


def test_overrides_win_and_none_is_no_override(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "10.0.0.1")
    monkeypatch.setenv("PORT", "9000")
    settings = load_settings(host=None, port="9001")
    assert (settings.host, settings.port) == ("10.0.0.1", 9001)


def test_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "")
    assert load_settings().port == 8000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "abc"),
        ("PORT", "65536"),
        ("LOG_LEVEL", "loud"),
        ("ENGINE", "triton"),
        ("DEVICE", "tpu"),
        ("REQUEST_SECONDS", "0"),
        ("MAX_BODY_BYTES", "0"),
        ("MAX_BATCH", "1.5"),
    ],
)
def test_illegal_value_is_one_line_that_names_variable_and_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    message = str(caught.value)
    assert message.startswith(f"{name}: ")
    assert repr(value) in message
    assert "\n" not in message


def test_every_number_has_a_range() -> None:
    for name, field in Settings.model_fields.items():
        if field.annotation is int:
            bounds = {type(constraint).__name__ for constraint in field.metadata}
            assert bounds == {"Ge", "Le"}, name


def test_compose_passes_every_setting_on_that_names_no_file() -> None:
    environment = re.search(r"environment:\n((?: +- \w+\n)+)", (ROOT / "docker-compose.yml").read_text())
    assert environment is not None
    passed = re.findall(r"\w+", environment[1])
    of_the_image = {"HOST", "PORT"}
    files = {"MODEL_DIR", "MODEL_REPOSITORY", "API_KEYS_FILE"}
    assert set(passed) | of_the_image | files == {name.upper() for name in Settings.model_fields}
    assert len(set(passed)) == len(passed)
