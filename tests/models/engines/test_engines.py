"""What holds for every engine of the registry, and the choice among them."""

import inspect
from pathlib import Path
from typing import get_args

import pytest
import torch

from app.settings import Settings
from models import engines
from models.artifact.store import Artifact, load_artifact
from models.engines import ENGINES, Engine, EngineError, EngineOptions, create_engine
from models.features import last_linear
from tests.support.artifacts import save_small_artifact

IMAGES = torch.randn(6, 3, 32, 32, generator=torch.Generator().manual_seed(0))
CPU = EngineOptions(device="cpu", precision="float32", threads=2)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return load_artifact(save_small_artifact(tmp_path_factory.mktemp("models") / "lenet-test" / "1"))


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest, artifact: Artifact) -> Engine:
    return ENGINES[request.param](artifact, CPU)


def test_logits_are_the_networks_own(engine: Engine, artifact: Artifact) -> None:
    with torch.no_grad():
        expected = artifact.model(IMAGES)
    logits = engine.predict(IMAGES)
    assert (logits.dtype, logits.device.type, logits.requires_grad) == (torch.float32, "cpu", False)
    assert torch.allclose(logits, expected, atol=1e-4)


def test_features_come_with_the_same_logits(engine: Engine, artifact: Artifact) -> None:
    logits, features = engine.predict_with_features(IMAGES)
    assert torch.allclose(logits, engine.predict(IMAGES), atol=1e-6)
    classifier = last_linear(artifact.model)
    assert (features.dtype, features.device.type) == (torch.float32, "cpu")
    assert features.shape == (len(IMAGES), classifier.in_features)
    with torch.no_grad():
        assert torch.allclose(classifier(features), logits, atol=1e-4)


def test_an_images_logits_do_not_depend_on_its_batch(engine: Engine) -> None:
    together = engine.predict(IMAGES)
    for index in range(len(IMAGES)):
        alone = engine.predict(IMAGES[index : index + 1])[0]
        assert torch.allclose(together[index], alone, rtol=1e-5, atol=1e-5)


def test_images_in_any_memory_layout_are_taken(engine: Engine) -> None:
    expected = engine.predict(IMAGES)
    assert torch.allclose(engine.predict(IMAGES.contiguous(memory_format=torch.channels_last)), expected)
    backwards = engine.predict(IMAGES.flip(3).permute(0, 1, 3, 2))
    assert torch.allclose(backwards, engine.predict(IMAGES.flip(3).permute(0, 1, 3, 2).contiguous()))


def test_earlier_logits_stay_when_the_engine_goes_on(engine: Engine) -> None:
    first = engine.predict(IMAGES[:2])
    kept = first.clone()
    engine.predict(IMAGES[2:4])
    assert torch.equal(first, kept)


def test_an_engine_says_what_it_is(engine: Engine) -> None:
    assert engine.name in ENGINES
    assert engine.version
    assert (engine.device, engine.precision) == ("cpu", "float32")
    assert engine.concurrency >= 1
    assert engine.max_batch is None or engine.max_batch >= 1


@pytest.mark.parametrize("name", ENGINES)
def test_int8_needs_a_model_that_brings_it(name: str, artifact: Artifact) -> None:
    with pytest.raises(EngineError, match="int8"):
        ENGINES[name](artifact, EngineOptions(device="cpu", precision="int8"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a CUDA device")
@pytest.mark.parametrize("name", [*ENGINES, "auto"])
def test_missing_cuda_is_refused(name: str, artifact: Artifact) -> None:
    with pytest.raises(EngineError, match="CUDA device"):
        create_engine(artifact, name, EngineOptions(device="cuda"))


@pytest.mark.parametrize(
    ("name", "options", "has_cuda", "chosen", "reason"),
    [
        ("torch", EngineOptions("cpu"), True, "torch", "engine=torch"),
        ("openvino", EngineOptions("auto"), True, "openvino", "engine=openvino"),
        ("auto", EngineOptions("auto"), True, "torch", "a CUDA device was found"),
        ("auto", EngineOptions("cuda"), True, "torch", "device=cuda"),
        ("auto", EngineOptions("cpu"), True, "openvino", "device=cpu"),
        ("auto", EngineOptions("auto"), False, "openvino", "no CUDA device was found"),
        ("auto", EngineOptions("auto", compile=True), False, "torch", "torch_compile is on"),
    ],
)
def test_auto_takes_the_fastest_for_the_machine(
    monkeypatch: pytest.MonkeyPatch,
    artifact: Artifact,
    name: str,
    options: EngineOptions,
    has_cuda: bool,
    chosen: str,
    reason: str,
) -> None:
    created: list[str] = []
    for key in ("torch", "openvino"):
        monkeypatch.setitem(ENGINES, key, lambda *_, key=key: created.append(key))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_cuda)
    _, why = create_engine(artifact, name, options)
    assert created == [chosen]
    assert why.startswith(reason)


def test_every_engine_file_is_in_the_registry() -> None:
    folder = Path(inspect.getfile(engines)).parent
    files = {file.stem.removesuffix("_engine") for file in folder.glob("*_engine.py")}
    assert files == set(ENGINES)


def test_the_setting_names_exactly_the_registrys_engines() -> None:
    assert set(get_args(Settings.model_fields["engine"].annotation)) == {"auto", *ENGINES}
