"""What holds for every engine of the registry, and the choice among them."""

import inspect
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from app.settings import Settings
from models import engines
from models.artifact.store import Artifact, load_artifact
from models.engines import (
    ENGINES,
    Engine,
    EngineError,
    EngineOptions,
    Floats,
    Images,
    create_engine,
    load_engine,
)
from models.features import last_linear
from models.preprocessing.transform import Preprocessing
from tests.support.artifacts import save_small_artifact

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 3, 32, 32), np.uint8)
CPU = EngineOptions(device="cpu", precision="float32", threads=2)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return load_artifact(save_small_artifact(tmp_path_factory.mktemp("models") / "lenet-test" / "1"))


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest, artifact: Artifact) -> Engine:
    return load_engine(artifact, request.param, CPU)


def _networks_own(artifact: Artifact, images: Images) -> Floats:
    preprocessing = Preprocessing.from_metadata(artifact.metadata)
    with torch.no_grad():
        logits: torch.Tensor = artifact.model(preprocessing.normalize(torch.from_numpy(images)))
    return logits.numpy()


def test_logits_are_the_networks_own(engine: Engine, artifact: Artifact) -> None:
    logits = engine.predict(IMAGES)
    assert isinstance(logits, np.ndarray)
    assert logits.dtype == np.float32
    assert np.allclose(logits, _networks_own(artifact, IMAGES), atol=1e-4)


def test_pixels_as_floats_give_the_logits_of_the_same_as_bytes(engine: Engine, artifact: Artifact) -> None:
    floats = IMAGES.astype(np.float32)
    floats /= 255
    of_floats = engine.predict(floats)
    assert of_floats.dtype == np.float32
    assert np.allclose(of_floats, engine.predict(IMAGES), atol=1e-5)
    between = np.random.default_rng(1).random((3, 3, 32, 32), np.float32)
    assert np.allclose(engine.predict(between), _networks_own(artifact, between), atol=1e-4)


def test_features_come_with_the_same_logits(engine: Engine, artifact: Artifact) -> None:
    logits, features = engine.predict_with_features(IMAGES)
    assert np.allclose(logits, engine.predict(IMAGES), atol=1e-6)
    classifier = last_linear(artifact.model)
    assert isinstance(features, np.ndarray)
    assert features.dtype == np.float32
    assert features.shape == (len(IMAGES), classifier.in_features)
    with torch.no_grad():
        expected = classifier(torch.from_numpy(features.copy())).numpy()
    assert np.allclose(expected, logits, atol=1e-4)


def test_an_images_logits_do_not_depend_on_its_batch(engine: Engine) -> None:
    together = engine.predict(IMAGES)
    for index in range(len(IMAGES)):
        alone = engine.predict(IMAGES[index : index + 1])[0]
        assert np.allclose(together[index], alone, rtol=1e-5, atol=1e-5)


def test_images_in_any_memory_layout_are_taken(engine: Engine) -> None:
    expected = engine.predict(IMAGES)
    channels_last = np.ascontiguousarray(IMAGES.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    assert np.allclose(engine.predict(channels_last), expected, rtol=1e-5, atol=1e-8)
    backwards = np.ascontiguousarray(IMAGES[:, :, :, ::-1]).transpose(0, 1, 3, 2)
    contiguous = engine.predict(np.ascontiguousarray(backwards))
    assert np.allclose(engine.predict(backwards), contiguous, rtol=1e-5, atol=1e-8)


def test_earlier_logits_stay_when_the_engine_goes_on(engine: Engine) -> None:
    first = engine.predict(IMAGES[:2])
    kept = first.copy()
    engine.predict(IMAGES[2:4])
    assert np.array_equal(first, kept)


def test_an_engine_says_what_it_is(engine: Engine) -> None:
    assert engine.name in ENGINES
    assert engine.version
    assert (engine.device, engine.precision) == ("cpu", "float32")
    assert engine.concurrency >= 1
    assert engine.max_batch is None or engine.max_batch >= 1


@pytest.mark.parametrize("name", ENGINES)
def test_int8_needs_a_model_that_brings_it(name: str, artifact: Artifact) -> None:
    with pytest.raises(EngineError, match="int8"):
        load_engine(artifact, name, EngineOptions(device="cpu", precision="int8"))


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
    monkeypatch.setattr(engines, "load_engine", lambda _artifact, key, _options: created.append(key))
    monkeypatch.setattr(engines, "has_cuda_device", lambda: has_cuda)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_cuda)
    _, why = create_engine(artifact, name, options)
    assert created == [chosen]
    assert why.startswith(reason)


@pytest.mark.parametrize("is_usable", [True, False])
def test_a_gpu_that_pytorch_cannot_use_is_none(
    monkeypatch: pytest.MonkeyPatch, artifact: Artifact, is_usable: bool
) -> None:
    created: list[str] = []
    monkeypatch.setattr(engines, "load_engine", lambda _artifact, key, _options: created.append(key))
    monkeypatch.setattr(engines, "has_cuda_device", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: is_usable)
    create_engine(artifact, "auto", EngineOptions("auto"))
    assert created == ["torch" if is_usable else "openvino"]


def test_an_engine_whose_library_is_not_installed_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, artifact: Artifact
) -> None:
    monkeypatch.setitem(ENGINES, "torch", "models.engines.no_such_engine:Engine")
    with pytest.raises(EngineError, match=r"needs models\.engines\.no_such_engine, which is not"):
        load_engine(artifact, "torch", CPU)


def test_every_engine_file_is_in_the_registry() -> None:
    folder = Path(inspect.getfile(engines)).parent
    files = {file.stem.removesuffix("_engine") for file in folder.glob("*_engine.py")}
    assert files == set(ENGINES)


def test_the_setting_names_exactly_the_registrys_engines() -> None:
    assert set(get_args(Settings.model_fields["engine"].annotation)) == {"auto", *ENGINES}
