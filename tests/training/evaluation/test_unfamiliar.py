import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from sklearn.metrics import roc_auc_score

from models.artifact.store import ArtifactError, load_artifact
from models.preprocessing.transform import Preprocessing
from models.unfamiliarity import SCORES
from tests.support.tiny_run import RECIPE, tiny_data
from tests.training.conftest import QUIET
from training.__main__ import main
from training.data.cifar10 import DataError, ImageData, Split
from training.evaluation.outputs import answer_of_network
from training.evaluation.unfamiliar import auroc, measure_separation, read_pictures, show
from training.export.export import export_run
from training.loop.train import train


@pytest.fixture(scope="module")
def artifact_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    data = tiny_data()
    state = train(RECIPE, data, folder / "run")
    export_run(state, data, folder / "1", name="tiny", version="1", console=QUIET, with_int8=False)
    return folder / "1"


def pictures(folder: Path, n: int) -> Path:
    """Stripes of wild colours, of many sizes, which no class has; and a file that is no picture."""
    random = np.random.default_rng(0)
    (folder / "deeper").mkdir(parents=True)
    for number in range(n):
        stripes = random.integers(0, 256, (1, 24 + number, 3), dtype=np.uint8).repeat(20 + number, axis=0)
        Image.fromarray(stripes).save(folder / ("deeper" if number % 2 else ".") / f"{number}.png")
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_every_score_is_measured(artifact_folder: Path, tmp_path: Path) -> None:
    artifact = load_artifact(artifact_folder)
    preprocessing = Preprocessing.from_metadata(artifact.metadata)
    others, _, left_out = read_pictures(pictures(tmp_path, 30), preprocessing)
    assert (others.shape, others.dtype) == ((30, 3, 20, 20), torch.uint8)
    assert [path.name for path in left_out] == ["notes.txt"]
    answer = answer_of_network(artifact.model, Preprocessing.from_metadata(artifact.metadata))
    separations = measure_separation(artifact, answer, tiny_data(), others)
    assert [each.score for each in separations] == list(SCORES)
    assert all(0 <= share <= 1 for each in separations for share in (each.auroc, each.others, each.right))
    assert max(each.auroc for each in separations) > 0.8
    console = Console(record=True, width=120)
    show(separations, console)
    shown = console.export_text()
    assert all(name in shown for name in SCORES)


def test_the_command_prints_them(
    artifact_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("training.cli.load", lambda *_: tiny_data())
    others = pictures(tmp_path / "others", 6)
    main(["unfamiliar", "--artifact", str(artifact_folder), "--others", str(others), "--json"])
    printed = capsys.readouterr()
    assert [each["score"] for each in json.loads(printed.out)] == list(SCORES)
    assert "1 files are no images" in printed.err
    monkeypatch.setattr("training.cli.load", lambda *_: replace(tiny_data(), sha256="0" * 64))
    with pytest.raises(SystemExit, match="--data: must be what tiny 1 was trained on, tiny, and is another"):
        main(["unfamiliar", "--artifact", str(artifact_folder), "--others", str(others)])


def test_the_area_is_scikit_learns_with_ties_too() -> None:
    random = np.random.default_rng(0)
    positive, negative = (random.integers(0, 9, n).astype(np.float32) for n in (40, 70))
    expected = roc_auc_score([1] * 40 + [0] * 70, np.concatenate([positive, negative]))
    assert auroc(positive, negative) == pytest.approx(expected)


def test_what_cannot_be_measured_is_refused(artifact_folder: Path, tmp_path: Path) -> None:
    artifact = load_artifact(artifact_folder)
    answer = answer_of_network(artifact.model, Preprocessing.from_metadata(artifact.metadata))
    with pytest.raises(DataError, match="there is no image below it"):
        read_pictures(tmp_path, Preprocessing.from_metadata(artifact.metadata))
    data = tiny_data()
    nothing = Split(data.held_out.images[:0], data.held_out.labels[:0])
    whole = ImageData(
        data.name, data.classes, data.train, nothing, data.test, data.mean, data.std, data.sha256
    )
    with pytest.raises(ValueError, match="held_out must be at least 1"):
        measure_separation(artifact, answer, whole, data.test.images)
    with pytest.raises(ValueError, match="--images must be at most the 30 test images"):
        measure_separation(artifact, answer, data, data.test.images, 31)
    others = replace(data, classes=("x", "y", "z"))
    with pytest.raises(ArtifactError, match="classes: the artifact knows"):
        measure_separation(artifact, answer, others, data.test.images)


def test_without_a_right_answer_nothing_is_measured(artifact_folder: Path) -> None:
    artifact, data = load_artifact(artifact_folder), tiny_data()
    answer = answer_of_network(artifact.model, Preprocessing.from_metadata(artifact.metadata))
    answers = torch.from_numpy(answer(data.test.images).logits).argmax(1)
    wrong = replace(data, test=Split(data.test.images, (answers + 1) % 3))
    with pytest.raises(ValueError, match="none of 30 test images is answered right"):
        measure_separation(artifact, answer, wrong, data.test.images)
