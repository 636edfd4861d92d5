import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
import torch
from PIL import Image
from rich.console import Console

from models import create_model
from models.artifact.metadata import MODEL_FILE
from models.artifact.save import save_artifact
from models.artifact.store import ArtifactError, load_artifact
from models.engines import ENGINES, EngineError
from models.engines.conversion import float32_network
from models.engines.quiet_openvino import CORE
from models.preprocessing.transform import Preprocessing
from tests.conftest import REPOSITORY
from tests.support.small_model import CLASSES, DESCRIPTION, lenet, random_images
from tests.support.tiny_run import tiny_data
from training.data.cifar10 import ImageData, Split, build
from training.evaluation.engines import ENGINE_CHOICES, files_read, load_engine
from training.evaluation.measure import as_served, measure

CPU = torch.device("cpu")
NATIVE_BFLOAT16 = "BF16" in CORE.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
COMPUTED_HERE = [choice for choice in ENGINE_CHOICES if choice != "openvino-bfloat16" or NATIVE_BFLOAT16]
BUNDLED = REPOSITORY / "models" / "weights" / "resnet18-cifar10" / "1"

each_engine = pytest.mark.parametrize("engine", COMPUTED_HERE)


def noise(channels: int = 3, classes: tuple[str, ...] = CLASSES) -> ImageData:
    def split(n: int) -> Split:
        return Split(random_images(n, channels), torch.arange(n) % len(classes))

    return build("noise", classes, split(6), split(12), held_out=0)


@each_engine
def test_every_engine_gives_the_figures_of_the_artifact(exported: Path, engine: str) -> None:
    artifact = load_artifact(exported)
    measured = measure(artifact, engine, tiny_data(), CPU)
    metadata = artifact.metadata
    assert metadata.int8 is not None
    stated = metadata.int8.metrics if engine == "int8" else metadata.metrics
    tolerance = 0.05 if engine.endswith("bfloat16") else 1e-5
    assert measured.evaluation.negative_log_likelihood == pytest.approx(
        stated.negative_log_likelihood, abs=tolerance
    )
    assert measured.evaluation.images == 30
    assert measured.same_data


@each_engine
def test_the_bundled_model_knows_real_images_by_every_engine(engine: str) -> None:
    artifact = load_artifact(BUNDLED)
    classes = artifact.metadata.classes
    images, labels = [], []
    preprocessing = Preprocessing.from_metadata(artifact.metadata)
    for label, name in enumerate(classes):
        with Image.open(REPOSITORY / "app" / "static" / "samples" / f"{name}.png") as image:
            images.append(torch.from_numpy(preprocessing.resize(image)))
        labels.append(label)
    split = Split(torch.stack(images), torch.tensor(labels))
    measured = measure(artifact, engine, build("samples", classes, split, split, held_out=0), CPU)
    assert measured.evaluation.accuracy >= 0.8
    assert not measured.same_data


@pytest.mark.parametrize("engine", [choice for choice in COMPUTED_HERE if choice != "int8"])
def test_a_greyscale_artifact_is_measured_on_colour_as_the_service_would(tmp_path: Path, engine: str) -> None:
    torch.manual_seed(0)
    model = create_model("lenet", len(CLASSES), in_channels=1)
    model(torch.randn(8, 1, 16, 16))
    grey = DESCRIPTION.model_copy(update={"in_channels": 1, "mean": (0.5,), "std": (0.25,)})
    save_artifact(tmp_path / "grey", model.eval(), grey, {})
    artifact = load_artifact(tmp_path / "grey")
    colour = noise()
    preprocessing = Preprocessing.from_metadata(artifact.metadata)
    with torch.inference_mode():
        expected = torch.cat(
            [
                artifact.model(preprocessing(Image.fromarray(pixels.permute(1, 2, 0).numpy())).unsqueeze(0))
                for pixels in colour.test.images
            ]
        )
    tolerance = 0.05 if engine.endswith("bfloat16") else 1e-4
    measured = measure(artifact, engine, colour, CPU)
    torch.testing.assert_close(measured.logits, expected, rtol=0, atol=tolerance)
    assert measure(artifact, engine, noise(channels=1), CPU).logits.shape == (12, len(CLASSES))


def test_every_engine_of_the_registry_can_be_chosen() -> None:
    assert set(ENGINES) <= set(ENGINE_CHOICES)
    assert {name for name, _ in ENGINE_CHOICES.values()} == set(ENGINES)


@each_engine
def test_what_measures_is_the_engine_of_the_service(exported: Path, engine: str) -> None:
    artifact = load_artifact(exported)
    loaded = load_engine(artifact, engine, CPU)
    assert (loaded.name, loaded.precision) == ENGINE_CHOICES[engine]
    assert all((exported / file).is_file() for file in files_read(artifact, engine))


def test_the_engine_reads_the_network_that_is_stored_for_it(tmp_path: Path) -> None:
    model = lenet().eval()
    network = float32_network(model, Preprocessing.from_metadata(DESCRIPTION), "small")
    save_artifact(tmp_path / "a", model, DESCRIPTION, network)
    artifact = load_artifact(tmp_path / "a")
    assert files_read(artifact, "openvino") == tuple(network)
    assert files_read(artifact, "torch") == (MODEL_FILE,)


def test_images_are_scaled_only_where_they_must_be() -> None:
    preprocessing = Preprocessing(8, 1, "bilinear", (0.5,), (0.5,))
    fitting = torch.randint(0, 256, (2, 1, 8, 8), dtype=torch.uint8)
    assert as_served(fitting, preprocessing) is fitting
    larger = as_served(random_images(3, channels=1), preprocessing)
    assert (larger.shape, larger.dtype) == ((3, 1, 8, 8), torch.uint8)


def test_int8_of_an_artifact_without_it_is_refused(tmp_path: Path) -> None:
    save_artifact(tmp_path / "a", lenet(), DESCRIPTION, {})
    with pytest.raises(EngineError, match="the model was exported without int8"):
        measure(load_artifact(tmp_path / "a"), "int8", noise(), CPU)


def test_other_classes_are_refused(tmp_path: Path) -> None:
    save_artifact(tmp_path / "a", lenet(), DESCRIPTION, {})
    with pytest.raises(
        ArtifactError, match=r"classes: the artifact knows \('cat', .*the data set \('x', 'y', 'z'\)"
    ):
        measure(load_artifact(tmp_path / "a"), "torch", noise(classes=("x", "y", "z")), CPU)


def test_figures_are_printed_and_given_as_json(exported: Path) -> None:
    measured = measure(load_artifact(exported), "torch", tiny_data(), CPU)
    values = json.loads(measured.to_json())
    assert (values["name"], values["engine"], values["images"]) == ("tiny", "torch", 30)
    assert values["accuracy"] == measured.evaluation.accuracy
    shown = StringIO()
    replace(measured, same_data=False).show(Console(file=shown, width=200))
    assert f"accuracy {measured.evaluation.accuracy:.2%} on 30 test images, torch" in shown.getvalue()
    assert "not the one that the artifact was trained on" in shown.getvalue()
