"""A recipe that compiles its network, where that cannot be done."""

from pathlib import Path

import pytest
from torch._inductor import config
from torch._inductor.exc import InductorError, InvalidCxxCompiler

from tests.support.tiny_run import RECIPE, tiny_data
from training.failures import explain
from training.loop.compilation import CompilationError, explained_compilation
from training.loop.train import train


def test_without_a_compiler_training_ends_with_one_sentence(tmp_path: Path) -> None:
    without = config.patch({"cpp.cxx": (None, "no-such-compiler"), "fx_graph_cache": False})
    with without, pytest.raises(CompilationError) as refused:
        train(RECIPE.changed(compile=True), tiny_data(), tmp_path)
    said = explain(refused.value)
    assert said is not None
    assert said.startswith("recipe 'tiny' compiles the network, but PyTorch cannot do that: ")
    assert "No working C++ compiler found" in said
    assert said.endswith("(it needs a C++ compiler such as g++; or choose a recipe that does not compile)")
    assert not list(tmp_path.iterdir())


def test_only_the_compilers_errors_are_explained_so() -> None:
    with pytest.raises(CompilationError, match="No working"), explained_compilation("fast"):
        raise InductorError(InvalidCxxCompiler(), None)
    with pytest.raises(RuntimeError, match="out of patience"), explained_compilation("fast"):
        raise RuntimeError("out of patience")
