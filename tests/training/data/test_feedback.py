"""Corrections become a folder of images by class."""

import io
import json
import sys
import unicodedata
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from models.feedback.database import FeedbackDatabase
from models.feedback.records import Bounds, Correction, Entry, Prediction
from training.__main__ import main
from training.data.cifar10 import DataError
from training.data.feedback import Exported, export_corrections, of_model
from training.data.folder_layout import class_name, training_part
from training.data.image_folder import load_image_folder


def _image(shade: int, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30), (shade, 255 - shade, shade // 2)).save(buffer, kind)
    return buffer.getvalue()


class Kept:
    """Corrections in memory, the oldest first."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.images: dict[str, bytes] = {}

    def add(
        self, request_id: str, label: str, image: bytes | None, item: int = 0, model: str | None = None
    ) -> str:
        known = f"{len(self.entries):032x}"
        self.entries.append(
            Entry(
                known,
                float(len(self.entries)),
                request_id,
                item,
                label,
                None if model is None else Prediction("cat", 0.5, model, "1"),
                len(image or b""),
            )
        )
        if image is not None:
            self.images[known] = image
        return known

    def export(self, folder: Path) -> Exported:
        return export_corrections(self.entries, self.images.get, folder)


@pytest.fixture
def kept() -> Kept:
    return Kept()


def _files(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()
    }


def test_each_image_goes_into_the_folder_of_its_right_class(kept: Kept, tmp_path: Path) -> None:
    cat = kept.add("a", "cat", _image(1))
    dog = kept.add("b", "dog", _image(2, "JPEG"))
    kept.add("c", "dog", None)
    assert kept.export(tmp_path) == Exported({"cat": 1, "dog": 1}, 1, 0, 0, 0)
    assert _files(tmp_path) == {
        f"cat/feedback-{cat}.png": _image(1),
        f"dog/feedback-{dog}.jpg": _image(2, "JPEG"),
    }


def test_of_several_corrections_of_an_image_the_last_one_counts(kept: Kept, tmp_path: Path) -> None:
    kept.add("a", "cat", _image(1))
    kept.add("b", "cat", _image(2))
    other_item = kept.add("b", "frog", _image(3), item=1)
    same_request = kept.add("a", "dog", _image(1))
    other_request = kept.add("c", "ship", _image(2))
    assert kept.export(tmp_path) == Exported({"dog": 1, "frog": 1, "ship": 1}, 0, 2, 0, 0)
    assert sorted(_files(tmp_path)) == [
        f"dog/feedback-{same_request}.png",
        f"frog/feedback-{other_item}.png",
        f"ship/feedback-{other_request}.png",
    ]


def test_the_last_one_counts_of_several_requests_too(kept: Kept, tmp_path: Path) -> None:
    kept.add("a", "cat", _image(1))
    later = kept.add("b", "dog", _image(1))
    kept.add("a", "bird", None)
    assert kept.export(tmp_path) == Exported({"bird": 1}, 1, 1, 0, 0)
    assert sorted(_files(tmp_path)) == [f"bird/feedback-{later}.png"]


def test_a_request_id_that_is_used_again_mixes_no_images_up(kept: Kept, tmp_path: Path) -> None:
    first = kept.add("a", "cat", _image(1))
    kept.add("a", "frog", None)
    kept.export(tmp_path)
    assert sorted(_files(tmp_path)) == [f"frog/feedback-{first}.png"]
    second = kept.add("a", "truck", _image(2))
    kept.add("a", "bird", None)  # which of the two is it?
    assert kept.export(tmp_path) == Exported({"cat": 1, "truck": 1}, 2, 0, 0, 2, ("cat", "truck"))
    assert sorted(_files(tmp_path)) == [f"cat/feedback-{first}.png", f"truck/feedback-{second}.png"]


def test_corrections_go_to_the_images_to_train_on(tmp_path: Path) -> None:
    for part in ("Train", "test"):
        for name in ("cat", "dog"):
            (tmp_path / part / name).mkdir(parents=True)
    assert training_part(tmp_path) == tmp_path / "Train"
    assert training_part(tmp_path / "Train") == tmp_path / "Train"
    assert training_part(tmp_path / "new") == tmp_path / "new"


def test_another_export_into_the_same_folder_brings_it_up_to_date(kept: Kept, tmp_path: Path) -> None:
    first = kept.add("a", "cat", _image(1))
    own = tmp_path / "cat" / "own.png"
    own.parent.mkdir()
    own.write_bytes(_image(9))
    kept.export(tmp_path)
    assert sorted(_files(tmp_path)) == [f"cat/feedback-{first}.png", "cat/own.png"]
    later = kept.add("a", "dog", _image(1))
    kept.export(tmp_path)
    assert sorted(_files(tmp_path)) == ["cat/own.png", f"dog/feedback-{later}.png"]


@pytest.mark.parametrize("present", [unicodedata.normalize("NFD", "café"), "café", "Café"])
@pytest.mark.parametrize("label", [unicodedata.normalize("NFD", "café"), "café", "CAFÉ"])
def test_a_label_goes_to_the_folder_of_its_class_in_any_form(
    kept: Kept, tmp_path: Path, present: str, label: str
) -> None:
    for name in (present, "tea"):
        (tmp_path / name).mkdir()
        for number in range(4):
            (tmp_path / name / f"{number}.png").write_bytes(_image(10 * len(name) + number))
    known = kept.add("a", label, _image(1))
    name = class_name(tmp_path / present)
    assert kept.export(tmp_path) == Exported({name: 1}, 0, 0, 0, 0)
    assert (tmp_path / present / f"feedback-{known}.png").is_file()
    assert load_image_folder(tmp_path, 16).data.classes == tuple(sorted((name, "tea")))


def test_labels_that_differ_in_case_make_one_new_folder(kept: Kept, tmp_path: Path) -> None:
    kept.add("a", "cat", _image(1))
    kept.add("b", "Cat", _image(2))
    assert kept.export(tmp_path) == Exported({"Cat": 2}, 0, 0, 0, 0)


def test_a_class_that_is_new_beside_others_is_told(kept: Kept, tmp_path: Path) -> None:
    kept.add("a", "cat", _image(1))
    kept.add("b", "airplane", _image(2))
    (tmp_path / "cat").mkdir()
    exported = kept.export(tmp_path)
    assert exported == Exported({"airplane": 1, "cat": 1}, 0, 0, 0, 0, ("airplane",))
    console = Console(record=True, width=200)
    exported.show(tmp_path, console)
    assert "new beside the classes that the folder had: airplane" in console.export_text()
    assert kept.export(tmp_path).new_classes == ()


def test_of_several_models_one_is_chosen(kept: Kept) -> None:
    for number, model in enumerate(("pets", "pets", "cifar", None)):
        kept.add(str(number), "cat", _image(number), model=model)
    console = Console(record=True, width=200)
    assert of_model(kept.entries, None, console) == kept.entries
    told = "the corrections are of several models: cifar (1), pets (2); --model exports those of one\n"
    assert console.export_text() == told
    assert of_model(kept.entries, "pets", console) == kept.entries[:2]
    assert console.export_text() == "2 corrections are of other models, or of none that is known\n"
    with pytest.raises(DataError, match=r"--model: no correction is of owls; .* of cifar \(1\), pets \(2\)"):
        of_model(kept.entries, "owls", console)
    of_model(kept.entries[:2], None, console)
    assert of_model([], "pets", console) == []
    assert console.export_text() == ""


def test_a_correction_without_its_image_counts_for_an_earlier_one_s(kept: Kept, tmp_path: Path) -> None:
    first = kept.add("a", "cat", _image(1))
    other_item = kept.add("a", "frog", _image(2), item=1)
    kept.export(tmp_path)
    for label in ("dog", "ship"):
        kept.add("a", label, None)
        exported = kept.export(tmp_path)
        assert exported.written == {label: 1, "frog": 1}
        assert _files(tmp_path) == {
            f"{label}/feedback-{first}.png": _image(1),
            f"frog/feedback-{other_item}.png": _image(2),
        }
    assert exported == Exported({"frog": 1, "ship": 1}, 2, 0, 0, 0, ("ship",))
    later = kept.add("a", "truck", _image(1))
    assert kept.export(tmp_path) == Exported({"frog": 1, "truck": 1}, 2, 1, 0, 0, ("truck",))
    assert sorted(_files(tmp_path)) == [f"frog/feedback-{other_item}.png", f"truck/feedback-{later}.png"]


def test_an_image_whose_last_label_is_unfit_is_not_written(kept: Kept, tmp_path: Path) -> None:
    kept.add("a", "cat", _image(1))
    kept.add("b", "cat", _image(2))
    kept.add("c", "cat", _image(3))
    kept.export(tmp_path)
    kept.add("a", "a/b", None)
    kept.add("b", "a/b", _image(2))
    kept.add("d", "a/b", _image(3))
    assert kept.export(tmp_path) == Exported({}, 1, 2, 3, 0)
    assert _files(tmp_path) == {}


def test_a_damaged_image_does_not_keep_its_label_from_an_earlier_one(kept: Kept, tmp_path: Path) -> None:
    first = kept.add("a", "cat", _image(1))
    kept.add("a", "dog", b"no image")
    assert kept.export(tmp_path) == Exported({"dog": 1}, 0, 0, 1, 0)
    assert sorted(_files(tmp_path)) == [f"dog/feedback-{first}.png"]


def test_what_cannot_be_trained_on_is_counted_and_not_written(kept: Kept, tmp_path: Path) -> None:
    kept.add("a", "cat", b"no image")
    kept.add("b", "../outside", _image(1))
    kept.add("c", ".hidden", _image(2))
    kept.add("d", "a/b", _image(3))
    folder = tmp_path / "inner"
    assert kept.export(folder) == Exported({}, 0, 0, 4, 0)
    assert _files(tmp_path) == {}


def test_the_folder_is_one_that_training_reads(kept: Kept, tmp_path: Path) -> None:
    for number in range(8):
        kept.add(f"cat{number}", "cat", _image(number))
        kept.add(f"dog{number}", "dog", _image(100 + number))
    kept.export(tmp_path)
    data = load_image_folder(tmp_path, 16).data
    assert data.classes == ("cat", "dog")
    assert len(data.train) + len(data.held_out) + len(data.test) == 16


def test_the_command_exports_a_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"sqlite:///{tmp_path / 'feedback.db'}"
    database = FeedbackDatabase(url)
    database.prepare()
    of_pets = Prediction("dog", 0.5, "pets", "1")
    known = database.add(1.0, Correction("a", 0, "cat", _image(1)), of_pets, Bounds(10, 10_000))
    database.add(2.0, Correction("b", 0, "dog"), None, Bounds(10, 10_000))
    database.close()
    command = ["export-feedback", "--database", url, "--out", str(tmp_path / "out")]
    main(command)
    assert "1 corrections have no image" in capsys.readouterr().out
    assert _files(tmp_path / "out") == {f"cat/feedback-{known}.png": _image(1)}
    for name in ("cat", "dog"):
        (tmp_path / "out" / "train" / name).mkdir(parents=True)
    main([*command, "--json"])
    assert (tmp_path / "out" / "train" / "cat" / f"feedback-{known}.png").is_file()
    assert json.loads(capsys.readouterr().out) == {
        "written": {"cat": 1},
        "without_image": 1,
        "superseded": 0,
        "unfit": 0,
        "ambiguous": 0,
        "new_classes": [],
    }

    main([*command, "--model", "pets", "--json"])
    shown = capsys.readouterr()
    assert json.loads(shown.out)["without_image"] == 0
    assert shown.err == "1 corrections are of other models, or of none that is known\n"


@pytest.mark.parametrize(
    ("url", "words"),
    [("nonsense", "must be such as sqlite:///"), ("sqlite:////missing/feedback.db", "there is no such file")],
)
def test_a_database_that_is_not_there_is_an_error(
    tmp_path: Path, url: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["export-feedback", "--database", url, "--out", str(tmp_path / "out")])
    assert str(ended.value.code).startswith("error: --database: ")
    assert words in str(ended.value.code)
    assert capsys.readouterr().out == ""


def test_a_file_without_the_tables_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    with pytest.raises(SystemExit, match="no such table"):
        main(["export-feedback", "--database", f"sqlite:///{tmp_path / 'empty.db'}", "--out", str(tmp_path)])


def test_without_the_extra_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "models.feedback.database", None)
    told = r"needs the extra `feedback`: pip install '\.\[feedback\]' in the project's folder, or build the "
    with pytest.raises(SystemExit, match=told):
        main(["export-feedback", "--database", "sqlite:///feedback.db", "--out", "out"])
