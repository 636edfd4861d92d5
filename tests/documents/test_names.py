"""Whatever the documents name is there: variables, files, modules, commands."""

import re

import pytest

from app.settings import Settings
from app.settings.environment import variable
from tests.documents.documents import DOCUMENTS, ROOT, blocks, code_spans

OTHER_VARIABLES = {
    "ARGS",
    "CIFAR10_DIR",
    "COVERAGE",
    "EXTRAS",  # of the Dockerfile
    "GLOO_SOCKET_IFNAME",
    "NCCL_SOCKET_IFNAME",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_SERVICE_NAME",
    "OTEL_TRACES_SAMPLER",
    "OTEL_TRACES_SAMPLER_ARG",
    "PROCESSES",
    "RAY_AUTH_MODE",
    "RAY_AUTH_TOKEN",
    "RAY_AUTH_TOKEN_PATH",
    "RECIPE",  # of the Makefile
    "SECONDS",  # of the Makefile
    "PORT",  # of hosting platforms
    "RESNET_SERVE_API_KEY",  # of the commands that ask a service
    "TMPDIR",
    "TORCH_DISABLE_SHARE_RDZV_TCP_STORE",  # of torchrun
    "TORCH_INDEX_URL",
    "TRAIN_USER",  # of docker-compose.yml
    "WORKERS",
}
CODE_NAMES = {
    "ARCHITECTURES",
    "AUGMENTATIONS",
    "COMMANDS",
    "ENGINES",
    "PANELS",
    "PARTS",
    "QUICK",
    "RECIPES",
    "ROOMS",
    "ROUTERS",
    "SCORES",
    "VIEWS",
    "SLOW",
    "STAGES",
}
VARIABLE = re.compile(r"(?<![\w.-])([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)=")
ALONE = re.compile(r"[A-Z][A-Z0-9]{3,}(?:_[A-Z0-9]+)*|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
PATH = re.compile(r"(?<![\w./])(?:app|models|training|tests)/[\w./-]+")
WITHOUT_HISTORY = [document for document in DOCUMENTS if document not in {"CHANGELOG.md", "training/LOG.md"}]
"""The other two tell of what was."""


def code_in(document: str) -> list[str]:
    return [*code_spans(document), *(line for block in blocks(document) for line in block.code.splitlines())]


@pytest.mark.parametrize("document", WITHOUT_HISTORY)
def test_every_variable_that_is_named_is_one(document: str) -> None:
    named = {name for code in code_in(document) for name in VARIABLE.findall(code)}
    named |= {span for span in code_spans(document) if ALONE.fullmatch(span)}
    settings = {variable(name) for name in Settings.model_fields}
    assert named - settings - OTHER_VARIABLES - CODE_NAMES == set()


@pytest.mark.parametrize("document", WITHOUT_HISTORY)
def test_every_file_of_the_project_that_is_named_is_there(document: str) -> None:
    named = {path.rstrip("./") for span in code_spans(document) for path in PATH.findall(span)}
    assert [path for path in sorted(named) if "NAME" not in path and not (ROOT / path).exists()] == []


@pytest.mark.parametrize("document", WITHOUT_HISTORY)
def test_every_target_of_make_that_is_named_is_there(document: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", text_of_makefile(), re.MULTILINE))
    spans = (span for span in code_in(document) if re.match(r"(\w+=\S+ )?make [a-z]", span))
    named = {re.split(r"\bmake ", span)[1].split()[0] for span in spans}
    assert named <= targets


def text_of_makefile() -> str:
    return (ROOT / "Makefile").read_text(encoding="utf-8")
