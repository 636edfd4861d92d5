"""Peers are only compared while they give the same answers."""

import pytest

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
