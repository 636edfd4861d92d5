"""Settings: their sources, what is told of illegal ones, and that all of them reach the container."""

import argparse
import re
from pathlib import Path

import pytest
from pydantic_settings import CliSettingsSource

from app.errors import SettingsError
from app.settings import Settings, load_settings
from app.settings.environment import variable

ROOT = Path(__file__).parents[3]


def command_line(*arguments: str) -> CliSettingsSource[argparse.ArgumentParser]:
    source = CliSettingsSource[argparse.ArgumentParser](Settings, root_parser=argparse.ArgumentParser())
    return source(args=list(arguments))


def test_defaults_without_environment() -> None:
    settings = load_settings()
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.model_dir == ROOT / "models" / "weights" / "resnet18-cifar10" / "1"


def test_the_command_line_beats_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESNET_SERVE_HOST", "10.0.0.1")
    monkeypatch.setenv("RESNET_SERVE_PORT", "9000")
    monkeypatch.setenv("RESNET_SERVE_TORCH_COMPILE", "true")
    settings = load_settings(command_line("--port", "9001", "--no-torch-compile"))
    assert (settings.host, settings.port, settings.torch_compile) == ("10.0.0.1", 9001, False)


def test_every_setting_is_an_option_with_its_description() -> None:
    parser = argparse.ArgumentParser()
    CliSettingsSource[argparse.ArgumentParser](Settings, root_parser=parser)
    told = " ".join(parser.format_help().split()).replace("- ", "-")
    for name, field in Settings.model_fields.items():
        assert f" --{name.replace('_', '-')}" in told
        assert field.description
        assert field.description.replace("- ", "-") in told, name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--max-batch", "many"), "--max-batch: .+, got 'many'"),
        (("--port", "70000"), "--port: .+, got '70000'"),
        (("--api-keys", "short"), "--api-keys: key 1 must be of at least 16 [^']+$"),
    ],
)
def test_an_illegal_option_is_one_line_that_names_it(options: tuple[str, ...], message: str) -> None:
    with pytest.raises(SettingsError, match=f"^{message}"):
        load_settings(command_line(*options))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "abc"),
        ("WORKERS", "0"),
        ("RESNET_SERVE_PORT", "abc"),
        ("PORT", "65536"),
        ("RESNET_SERVE_LOG_LEVEL", "loud"),
        ("RESNET_SERVE_ENGINE", "triton"),
        ("RESNET_SERVE_DEVICE", "tpu"),
        ("RESNET_SERVE_REQUEST_SECONDS", "0"),
        ("RESNET_SERVE_MAX_BODY_BYTES", "0"),
        ("RESNET_SERVE_MAX_BATCH", "1.5"),
        ("RESNET_SERVE_PINNED_VERSIONS", "photos"),
        ("RESNET_SERVE_PINNED_VERSIONS", "photos="),
        ("RESNET_SERVE_PINNED_VERSIONS", "=1"),
        ("RESNET_SERVE_PINNED_VERSIONS", "photos=1 other=3"),
        ("RESNET_SERVE_PINNED_VERSIONS", "photos=1/2"),
        ("RESNET_SERVE_PINNED_VERSIONS", "photos=1, photos=2"),
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--views", "2", "--max-files", "1"),
            "--views: needs RESNET_SERVE_MAX_FILES of 2 or more, which is 1: each view of an image counts as"
            " an image, got '2'",
        ),
        (
            ("--views", "4", "--max-queue", "3"),
            "--views: needs RESNET_SERVE_MAX_QUEUE of 4 or more, which is 3: each view of an image counts as"
            " an image, got '4'",
        ),
        (
            ("--feedback-images",),
            "--feedback-images: needs RESNET_SERVE_FEEDBACK=true, without which no correction is accepted,"
            " got True",
        ),
        (
            ("--feedback", "--feedback-images", "--max-feedback-bytes", "0"),
            "--max-feedback-bytes: must be more than 0 with RESNET_SERVE_FEEDBACK_IMAGES=true: no image"
            " fits, got '0'",
        ),
        (
            ("--engine", "openvino", "--torch-compile"),
            "--torch-compile: needs RESNET_SERVE_ENGINE=torch or auto, as openvino has no use for it, got"
            " True",
        ),
        (
            ("--pinned-versions", "photos=1"),
            "--pinned-versions: needs RESNET_SERVE_MODEL_REPOSITORY, the folder of the versions, got"
            " 'photos=1'",
        ),
        (
            ("--management",),
            "--management: needs RESNET_SERVE_MODEL_REPOSITORY, the folder that models are loaded from, got"
            " True",
        ),
    ],
)
def test_settings_that_cannot_work_together_are_one_line_that_names_both(
    options: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(command_line(*options))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "options",
    [
        ("--views", "4", "--max-files", "4", "--max-queue", "4"),
        ("--max-files", "1", "--max-queue", "1"),
        ("--feedback", "--feedback-images", "--max-feedback-bytes", "1"),
        ("--feedback", "--max-feedback-bytes", "0"),
        ("--no-feedback", "--no-feedback-images"),
        ("--engine", "openvino", "--no-torch-compile"),
        ("--torch-compile",),
    ],
)
def test_settings_that_just_work_together_are_accepted(options: tuple[str, ...]) -> None:
    load_settings(command_line(*options))


def test_versions_are_pinned_by_name() -> None:
    settings = load_settings(
        command_line("--model-repository", "models", "--pinned-versions", "photos=1, my-other.model=2.10")
    )
    assert settings.versions() == {"photos": "1", "my-other.model": "2.10"}
    assert load_settings().versions() == {}


def test_every_number_has_a_range() -> None:
    for name, field in Settings.model_fields.items():
        if field.annotation is int:
            bounds = {type(constraint).__name__ for constraint in field.metadata}
            assert bounds == {"Ge", "Le"}, name


OF_TRACES = {
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
    "OTEL_SERVICE_NAME",
    "OTEL_RESOURCE_ATTRIBUTES",
}
"""Where traces go, with which key, how many of them, and what the service is called in them."""


def test_compose_passes_every_setting_on_that_names_no_file() -> None:
    environment = re.search(r"environment:\n((?: +- \w+\n)+)", (ROOT / "docker-compose.yml").read_text())
    assert environment is not None
    passed = re.findall(r"\w+", environment[1])
    of_the_image = {"host", "port"}
    files = {"model_dir", "model_repository", "api_keys_file"}
    settings = {*map(variable, Settings.model_fields.keys() - of_the_image - files), "WORKERS"}
    assert set(passed) == settings | OF_TRACES
    assert len(set(passed)) == len(passed)


def test_compose_passes_on_the_variables_of_traces_that_are_documented() -> None:
    documented = set(re.findall(r"`(OTEL_[A-Z_]+[A-Z])`", (ROOT / "app" / "README.md").read_text()))
    assert documented == OF_TRACES
