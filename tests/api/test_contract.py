"""The OpenAPI document against the service: what it promises holds for whatever is sent."""

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from schemathesis import Case, GenerationMode, HookContext
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from app.main import create_app
from app.settings import Settings
from tests.api.server_process import running

EXAMPLES = int(os.environ.get("CONTRACT_EXAMPLES", "10"))
"""Requests of each kind; to look deeper, ask for more."""


def _encoded(kind: str, color: tuple[int, int, int], size: tuple[int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, kind)
    return buffer.getvalue()


def images(kind: str) -> st.SearchStrategy[bytes]:
    byte, side = st.integers(0, 255), st.integers(1, 40)
    return st.builds(_encoded, st.just(kind), st.tuples(byte, byte, byte), st.tuples(side, side))


for _kind in ("JPEG", "PNG", "WebP", "GIF", "BMP"):
    schemathesis.openapi.media_type(f"image/{_kind.lower()}", images(_kind))
schemathesis.openapi.format("binary", images("PNG"))


SCHEMA = schemathesis.openapi.from_dict(create_app(Settings()).openapi())
OPERATIONS = {
    operation.label: operation
    for operation in (each.ok() for each in SCHEMA.get_all_operations() if isinstance(each, Ok))
}

NOT_IN_THE_DOCUMENT = {
    "GET /augment-preview": "a parameter of an operation is refused unless `ops` names that operation",
    "POST /augment-preview": "the same",
    "POST /explain": "which classes there are, and whether there is a map at all, depends on the model",
    "POST /predict": "how large top_k may be depends on the model",
    "GET /models/{name}/batch-norm": "which layers and channels there are depends on the model",
    "POST /models/{name}/batch-norm": "the same",
    "POST /v2/models/{name}/infer": "a tensor has as many elements as its shape says",
    "POST /v2/models/{name}/versions/{version}/infer": "the same",
}
"""Where data that fit the document may be refused all the same, and why."""

KNOWN = {"name": "lenet-test", "version": "1"}


def _with_what_there_is(_: HookContext, values: dict[str, Any] | None) -> dict[str, Any] | None:
    """Mostly ask for the model that is served: of the names that may be, hardly any would be its."""
    return values and {
        key: KNOWN.get(key, value) if len(str(value)) % 4 else value for key, value in values.items()
    }


SCHEMA.hook("map_path_parameters")(_with_what_there_is)


def _cases() -> Iterator[tuple[str, GenerationMode]]:
    for label, operation in OPERATIONS.items():
        yield label, GenerationMode.POSITIVE
        if operation.path_parameters or operation.query or operation.body:
            yield label, GenerationMode.NEGATIVE


@pytest.fixture(scope="module")
def address(model_dir: Path) -> Iterator[str]:
    with running(model_dir, {"ENGINE": "torch"}) as (_, address, _):
        yield address


@pytest.mark.parametrize(("label", "mode"), list(_cases()))
def test_what_is_documented_holds(label: str, mode: GenerationMode, address: str) -> None:
    """Statuses, types, headers and forms of answers are as documented, never 5xx, and refusals are right."""
    excluded: list[Any] = [positive_data_acceptance] if label in NOT_IN_THE_DOCUMENT else []

    @given(case=OPERATIONS[label].as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    def check(case: Case[Any]) -> None:
        case.call_and_validate(base_url=address, excluded_checks=excluded)

    check()
