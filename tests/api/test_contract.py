"""The OpenAPI document against the service: what it promises holds for whatever is sent."""

import base64
import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from PIL import Image
from schemathesis import Case
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import negative_data_rejection

from app.main import create_app
from app.settings import BUNDLED_MODEL, Settings
from tests.support.acceptable import acceptable
from tests.support.server_process import running

EXAMPLES = int(os.environ.get("CONTRACT_EXAMPLES", "0"))
"""Random requests to each operation, others each time; without, the same few. Always those at every bound."""

UNKNOWN_HEADER = "x-schemathesis-unknown-property"
KEY = "0123456789abcdef"

CONFIG = SchemathesisConfig.from_dict(
    {
        "phases": {"coverage": {"generate-duplicate-query-parameters": True}},
        "generation": {"max-examples": EXAMPLES or 10, "deterministic": EXAMPLES == 0},
        "auth": {"openapi": {"x_api_key": {"api_key": KEY}}},
    }
)
SCHEMA = schemathesis.openapi.from_dict(create_app(Settings(api_keys=KEY)).openapi(), config=CONFIG)


def _encoded(kind: str, color: tuple[int, int, int], size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, kind)
    return buffer.getvalue()


def _images(kind: str) -> st.SearchStrategy[bytes]:
    byte, side = st.integers(0, 255), st.integers(1, 40)
    return st.builds(_encoded, st.just(kind), st.tuples(byte, byte, byte), st.tuples(side, side))


# What the document calls binary are images; random bytes would only ever be refused.
for _kind in ("JPEG", "PNG", "WebP", "GIF", "BMP", "AVIF"):
    schemathesis.openapi.media_type(f"image/{_kind.lower()}", _images(_kind))
# HEIC needs a package that need not be there; the content counts and not the type.
schemathesis.openapi.media_type("image/heic", _images("PNG"))
schemathesis.openapi.format("binary", _images("PNG"))
schemathesis.openapi.format("byte", _images("PNG").map(lambda content: base64.b64encode(content).decode()))


@pytest.fixture(scope="module")
def address(model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("repository")
    for version in (model_dir, BUNDLED_MODEL):
        shutil.copytree(version, folder / version.parent.name / version.name)
    models = {
        "RESNET_SERVE_MODEL_REPOSITORY": str(folder),
        "RESNET_SERVE_DEFAULT_MODEL": model_dir.parent.name,
    }
    with running(
        model_dir,
        {
            **models,
            "RESNET_SERVE_ENGINE": "torch",
            "RESNET_SERVE_API_KEYS": KEY,
            "RESNET_SERVE_MAX_BATCH": "8",
        },
    ) as (
        _,
        address,
        _,
    ):
        yield address


@SCHEMA.parametrize()
@settings(suppress_health_check=list(HealthCheck), deadline=None)
def test_what_is_documented_holds(case: Case[Any], address: str) -> None:
    """Statuses, types, headers and forms of answers are as documented, never 5xx, and refusals are right."""
    acceptable(case)
    # A header that nobody knows is no error, as HTTP has it.
    excluded: list[Any] = [negative_data_rejection] if UNKNOWN_HEADER in case.headers else []
    case.call_and_validate(base_url=address, excluded_checks=excluded)
