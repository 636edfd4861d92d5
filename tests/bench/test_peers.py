"""Peers are only compared while they give the same answers."""

import pytest
import torch

from app.settings import BUNDLED_MODEL
from models.artifact.store import load_artifact
from models.engines import Precision
from tests.bench.peer_servers.classifier import describe
from tests.bench.peers import PEERS, Answers
from tests.bench.program import BenchError


def _answer(label: str, probability: float) -> dict[str, object]:
    return {"predictions": [{"top": [{"label": label, "probability": probability}]}]}


def test_servers_of_one_engine_must_agree_on_a_picture() -> None:
    answers = Answers()
    answers.require_same(PEERS["ours"], "a", _answer("cat", 0.80))
    answers.require_same(PEERS["litserve"], "a", _answer("cat", 0.81))
    answers.require_same(PEERS["litserve"], "b", _answer("dog", 0.30))
    answers.require_same(PEERS["ours-torch"], "a", _answer("dog", 0.30))
    with pytest.raises(BenchError, match=r"takes a for dog \(0\.800\), .* for cat \(0\.800\)"):
        answers.require_same(PEERS["mosec"], "a", _answer("dog", 0.80))
    with pytest.raises(BenchError, match=r"takes a for cat \(0\.900\)"):
        answers.require_same(PEERS["mosec"], "a", _answer("cat", 0.90))


def test_each_network_answers_with_its_own_temperature() -> None:
    artifact = load_artifact(BUNDLED_MODEL)
    assert artifact.metadata.int8 is not None
    logits = torch.eye(len(artifact.metadata.classes))[:1] * 3
    temperatures: dict[Precision, float | None] = {
        "float32": artifact.metadata.temperature,
        "int8": artifact.metadata.int8.temperature,
    }
    for precision, temperature in temperatures.items():
        assert temperature is not None
        (answer,) = describe(artifact, precision).answers(logits)
        expected = torch.softmax(logits / temperature, dim=1)[0, 0].item()
        assert answer["predictions"][0]["top"][0]["probability"] == pytest.approx(expected)
