"""One's own photographs: read by folder, measured by class, and told from other things."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from models.artifact.store import load_artifact
from models.engines.base import Floats, Images, Precision
from models.features import last_linear
from models.preprocessing.transform import Preprocessing
from models.unfamiliarity import SCORES
from tests.support.tiny_run import CLASSES, RECIPE, tiny_data
from tests.training.conftest import QUIET
from training.__main__ import main
from training.data.cifar10 import DataError
from training.evaluation.engines import load_engine
from training.evaluation.photos import CONFIDENT, measure_photos, read_photos
from training.export.export import export_run
from training.loop.train import train


@pytest.fixture(scope="module")
def artifact_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tiny")
    data = tiny_data()
    state = train(RECIPE, data, folder / "run")
    export_run(state, data, folder / "1", name="tiny", version="1", console=QUIET, with_int8=False)
    return folder / "1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Noise of the brightness of two classes, stripes of nothing known, and a file that is no image."""
    random = np.random.default_rng(0)
    for name, base in (("dark", 0), ("bright", 160)):
        (tmp_path / name / "deeper").mkdir(parents=True)
        for number in range(6):
            pixels = random.integers(base, base + 80, (24, 30, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(
                tmp_path / name / ("deeper" if number % 2 else ".") / f"{number}.png"
            )
    (tmp_path / "stripes").mkdir()
    for number in range(8):
        stripes = random.integers(0, 256, (1, 24, 3), dtype=np.uint8).repeat(20, axis=0)
        Image.fromarray(stripes).save(tmp_path / "stripes" / f"{number}.png")
    (tmp_path / "dark" / "notes.txt").write_text("no image")
    return tmp_path


class Answering:
    """An engine for `model` that gives `answers`, each (N, 3), to its calls in turn."""

    name, version, device = "answering", "1", "cpu"
    precision: Precision = "float32"
    concurrency = 1
    max_batch: int | None = None

    def __init__(self, model: nn.Module, *answers: Floats) -> None:
        self.dimensions = last_linear(model).in_features
        self.answers = list(answers)

    def predict(self, images: Images) -> Floats:
        return self.predict_with_features(images)[0]

    def predict_with_features(self, images: Images) -> tuple[Floats, Floats]:
        answer = self.answers.pop(0)
        assert len(answer) == len(images)
        return answer, np.random.default_rng(0).random((len(images), self.dimensions), np.float32)

    def for_throughput(self) -> None:
        """Nothing to gain."""


def test_folders_that_are_no_class_are_others(artifact_folder: Path, folder: Path) -> None:
    preprocessing = Preprocessing.from_metadata(load_artifact(artifact_folder).metadata)
    photos = read_photos(folder, CLASSES, preprocessing)
    assert photos.labels.tolist() == [CLASSES.index("bright")] * 6 + [CLASSES.index("dark")] * 6
    assert [path.relative_to(folder).parts[0] for path in photos.files] == ["bright"] * 6 + ["dark"] * 6
    assert (len(photos.known), len(photos.others), photos.other_names) == (12, 8, ["stripes"])
    assert [path.name for path in photos.left_out] == ["notes.txt"]
    for path, image in zip(photos.files, photos.known, strict=True):
        assert np.array_equal(image, preprocessing.resize(Image.open(path)))


def test_a_class_is_known_in_every_form_of_unicode(tmp_path: Path, artifact_folder: Path) -> None:
    """Some systems store names decomposed: the e and its accent apart."""
    preprocessing = Preprocessing.from_metadata(load_artifact(artifact_folder).metadata)
    classes = ("caf\u00e9", "tea")
    (tmp_path / "cafe\u0301").mkdir()
    Image.new("RGB", (20, 20)).save(tmp_path / "cafe\u0301" / "1.png")
    photos = read_photos(tmp_path, classes, preprocessing)
    assert (photos.labels.tolist(), photos.other_names) == ([0], [])


def test_what_systems_leave_in_folders_is_no_photograph(artifact_folder: Path, folder: Path) -> None:
    preprocessing = Preprocessing.from_metadata(load_artifact(artifact_folder).metadata)
    before = read_photos(folder, CLASSES, preprocessing)
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "._1.png").write_bytes(b"no image")
    (folder / "dark" / "@eaDir").mkdir()
    Image.new("RGB", (20, 20)).save(folder / "dark" / "@eaDir" / "thumbnail.png")
    (folder / "dark" / ".DS_Store").write_bytes(b"no image")
    after = read_photos(folder, CLASSES, preprocessing)
    assert (after.files, after.other_names, after.left_out) == (
        before.files,
        before.other_names,
        before.left_out,
    )
    assert torch.equal(after.known, before.known)


def test_figures_are_those_of_the_logits(artifact_folder: Path, folder: Path) -> None:
    artifact = load_artifact(artifact_folder)
    photos = read_photos(folder, CLASSES, Preprocessing.from_metadata(artifact.metadata))
    sure = 20.0 * artifact.metadata.temperature
    logits = np.zeros((12, 3), np.float32)
    logits[range(12), photos.labels] = sure
    wrong = (CLASSES.index("bright") + 1) % 3
    logits[0] = 0
    logits[0, wrong] = sure  # a mistake that misleads
    logits[1] = 0
    logits[1, wrong] = 0.1  # and one that does not
    others = np.zeros((8, 3), np.float32)
    others[:2, 0] = sure
    report = measure_photos(artifact, Answering(artifact.model, logits, others), photos)
    assert report.engine == "answering in float32"
    assert report.evaluation.accuracy == pytest.approx(10 / 12)
    assert report.per_class == {"dark": (6, 1.0), "bright": (6, pytest.approx(4 / 6))}
    assert report.wrong == 2
    [mistake] = report.confident_mistakes
    assert (mistake.file, mistake.true_class) == (str(photos.files[0]), "bright")
    assert mistake.answer == CLASSES[wrong]
    assert mistake.probability > CONFIDENT
    assert (report.others, report.other_confident) == (8, 0.25)
    # Of eight others two are as sure as the ten right ones: ties count half.
    assert report.auroc["max_softmax"] == pytest.approx(6 / 8 + 2 / 8 / 2)


def test_the_command_prints_all_figures(
    artifact_folder: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["photos", "--artifact", str(artifact_folder), "--folder", str(folder), "--device", "cpu"]
    main([*command, "--json"])
    report = json.loads(capsys.readouterr().out)
    assert report["evaluation"]["images"] == 12
    assert set(report["auroc"]) == {"max_softmax", "max_logit", "energy"}
    assert [Path(path).name for path in report["left_out"]] == ["notes.txt"]
    main(command)
    text = capsys.readouterr().out
    for words in ("accuracy ", "dark", "reliability", "wrong answers", "AUROC", "notes.txt"):
        assert words in text


def test_with_the_training_data_every_score_is_measured(artifact_folder: Path, folder: Path) -> None:
    artifact = load_artifact(artifact_folder)
    photos = read_photos(folder, CLASSES, Preprocessing.from_metadata(artifact.metadata))
    report = measure_photos(
        artifact, load_engine(artifact, "torch", torch.device("cpu")), photos, tiny_data()
    )
    assert list(report.auroc) == list(SCORES)
    assert all(0 <= value <= 1 for value in report.auroc.values())
    assert report.served is not None
    assert report.served.score in SCORES


def test_the_command_takes_the_artifacts_own_data_alone(
    artifact_folder: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.cli_serving.load", lambda *_: replace(tiny_data(), sha256="0" * 64))
    command = ["photos", "--artifact", str(artifact_folder), "--folder", str(folder), "--device", "cpu"]
    with pytest.raises(SystemExit, match=r"--data: must be what tiny 1 was trained on, .* is another"):
        main([*command, "--data", "other"])


def test_without_others_nothing_is_said_of_them(artifact_folder: Path, folder: Path) -> None:
    artifact = load_artifact(artifact_folder)
    for file in (folder / "stripes").iterdir():
        file.unlink()
    (folder / "stripes").rmdir()
    photos = read_photos(folder, CLASSES, Preprocessing.from_metadata(artifact.metadata))
    report = measure_photos(
        artifact, Answering(artifact.model, np.random.default_rng(0).random((12, 3), np.float32)), photos
    )
    assert (report.others, report.other_confident, report.auroc) == (0, None, {})
    assert report.served is None


def test_a_folder_without_classes_is_refused(tmp_path: Path, artifact_folder: Path) -> None:
    (tmp_path / "unicorn").mkdir()
    preprocessing = Preprocessing.from_metadata(load_artifact(artifact_folder).metadata)
    with pytest.raises(DataError, match="no sub-folder is named as a class: dark, middle, bright"):
        read_photos(tmp_path, CLASSES, preprocessing)
