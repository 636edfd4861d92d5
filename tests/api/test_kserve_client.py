"""The Open Inference Protocol as KServe's own client speaks it, against the real server.

The client runs in an environment of its own, which `make setup` makes; kserve_client.py is what runs there.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.client import Client
from models.artifact.store import load_artifact
from tests.support.server_process import ROOT, running

INTERPRETER = ROOT / ".venv-kserve" / "bin" / "python"
SCRIPT = Path(__file__).parents[1] / "support" / "kserve_client.py"
IMAGE = ROOT / "app" / "static" / "samples" / "cat.png"
FORMS = ("json", "binary")

pytestmark = pytest.mark.skipif(
    not (INTERPRETER.parents[1] / ".installed").is_file(),
    reason="no KServe client: run `make setup`, with a Python that it is released for (up to 3.13)",
)


@pytest.fixture(scope="module")
def served(model_dir: Path) -> Iterator[str]:
    with running(model_dir) as (_, address, _):
        yield address


@pytest.fixture(scope="module")
def given(served: str, model_dir: Path) -> dict[str, Any]:
    about = load_artifact(model_dir).metadata
    command = [str(INTERPRETER), str(SCRIPT), served, about.name, str(IMAGE), str(about.input_size)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers


def test_health_and_readiness(given: dict[str, Any]) -> None:
    """The first three are read from the bodies, the last from the status."""
    assert (given["live"], given["ready"], given["model_ready"]) == (True, True, True)
    assert given["other_ready"] is False


@pytest.mark.parametrize("form", FORMS)
def test_a_file_gets_the_answer_of_predict(given: dict[str, Any], served: str, form: str) -> None:
    answer = given[f"image_bytes_{form}"]
    with Client(served) as client:
        prediction = client.predict(IMAGE, top_k=10).predictions[0]
    assert (answer["id"], answer["model"]) == ("my-request", "lenet-test")
    assert answer["label"] == [prediction.top[0].label]
    assert answer["shape"] == [1, 10]
    assert sorted(answer["probabilities"], reverse=True) == pytest.approx(
        [entry.probability for entry in prediction.top], abs=1e-6
    )


@pytest.mark.parametrize("datatype", ["uint8", "float32"])
def test_pixels_get_the_same_answer_in_json_and_as_binary_data(given: dict[str, Any], datatype: str) -> None:
    as_json, as_binary = (given[f"{datatype}_{form}"] for form in FORMS)
    assert as_json["shape"] == [3, 10]
    assert len(as_json["label"]) == 3
    assert as_json["label"] == as_binary["label"]
    assert as_json["probabilities"] == pytest.approx(as_binary["probabilities"], abs=1e-5)


def test_errors_arrive_in_words(given: dict[str, Any]) -> None:
    assert given["damaged"].startswith("400: the PNG image is damaged or cut off, '400 Bad Request'")
    assert given["unknown"].startswith("404: there is no model 'other'; choose from lenet-test")
