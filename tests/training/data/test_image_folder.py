import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.artifact.store import read_metadata
from models.preprocessing.decode import decode
from models.preprocessing.transform import Preprocessing
from tests.support.image_files import hostile_files, saved
from training.data import image_folder, memory
from training.data.cifar10 import CIFAR10_NAME, DataError, channel_statistics
from training.data.image_folder import class_counts, load_image_folder
from training.export.destination import slugified
from training.report.training_command import training_command

SIZE = 12
NOISE = np.random.default_rng(0)


def picture(size: tuple[int, int] = (20, 16), mode: str = "RGB") -> Image.Image:
    """Noise: no two of them have the same content."""
    return Image.fromarray(NOISE.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).convert(mode)


def fill(folder: Path, **classes: int) -> Path:
    """A sub-folder for each class with so many PNG files."""
    for name, count in classes.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            (folder / name / f"{number}.png").write_bytes(saved(picture(), "PNG"))
    return folder


def roles(folder: Path) -> dict[str, list[bytes]]:
    """Of each role the images' bytes behind their labels, sorted."""
    data = load_image_folder(folder, SIZE).data
    return {
        name: sorted(
            bytes([int(label)]) + image.numpy().tobytes()
            for image, label in zip(part.images, part.labels, strict=True)
        )
        for name, part in (("train", data.train), ("held_out", data.held_out), ("test", data.test))
    }


def test_images_of_any_size_and_kind_are_scaled_as_the_service_scales_them(tmp_path: Path) -> None:
    fill(tmp_path, cat=3, dog=3)
    files = {
        "cat/wide.jpg": saved(picture((640, 200)), "JPEG", quality=95),
        "cat/grey.PNG": saved(picture((7, 90), "L"), "PNG"),
        "dog/deep/down/without-extension": saved(picture((5, 5)), "WEBP", lossless=True),
        "dog/photo.jpeg": saved(picture((1200, 900)), "JPEG"),
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    data = load_image_folder(tmp_path, SIZE).data
    assert data.classes == ("cat", "dog")
    assert len(data.train) + len(data.held_out) + len(data.test) == 10
    parts = (data.train, data.held_out, data.test)
    found = {
        (data.classes[int(label)], image.numpy().tobytes())
        for part in parts
        for image, label in zip(part.images, part.labels, strict=True)
    }
    preprocessing = Preprocessing(
        input_size=SIZE, in_channels=3, interpolation="bilinear", mean=(0.0,) * 3, std=(1.0,) * 3
    )
    for name, content in files.items():
        decoded = decode(content, 50_000_000, SIZE)
        served = preprocessing.resize(decoded.image, decoded.box)
        assert (name.split("/")[0], served.tobytes()) in found, name


def test_statistics_and_counts_are_of_the_training_images(tmp_path: Path) -> None:
    data = load_image_folder(fill(tmp_path, a=20, b=8), SIZE).data
    assert (data.mean, data.std) == channel_statistics(data.train.images)
    assert class_counts(data.train, data.classes) == {"a": 14, "b": 6}
    assert class_counts(data.held_out, data.classes) == {"a": 3, "b": 1}
    assert class_counts(data.test, data.classes) == {"a": 3, "b": 1}
    assert data.name == tmp_path.name


def test_the_split_follows_contents_and_not_names(tmp_path: Path) -> None:
    folder = fill(tmp_path / "one", a=12, b=9)
    before = roles(folder)
    for path in sorted((folder / "a").iterdir()):
        path.rename(path.with_name(f"renamed-{99 - int(path.stem)}.png"))
    assert roles(folder.rename(tmp_path / "two")) == before


def test_the_digest_follows_images_classes_and_size(tmp_path: Path) -> None:
    folder = fill(tmp_path, a=6, b=6)
    digest = load_image_folder(folder, SIZE).data.sha256
    assert load_image_folder(folder, SIZE).data.sha256 == digest
    assert load_image_folder(folder, SIZE + 1).data.sha256 != digest
    (folder / "b" / "more.png").write_bytes(saved(picture(), "PNG"))
    assert load_image_folder(folder, SIZE).data.sha256 != digest


def test_a_name_that_is_not_utf8_is_left_out_or_read_like_any_other(tmp_path: Path) -> None:
    folder = fill(tmp_path / os.fsdecode(b"caf\xe9"), a=4, b=4)
    (folder / "a" / os.fsdecode(b"\xff.png")).write_bytes(saved(picture(), "PNG"))
    (folder / "a" / os.fsdecode(b"\xfe.txt")).write_text("no image")
    loaded = load_image_folder(folder, SIZE)
    assert loaded.data.name == r"caf\xe9"
    assert len(loaded.data.train) + len(loaded.data.held_out) + len(loaded.data.test) == 9
    assert [os.fsencode(each.path) for each in loaded.skipped] == [b"a/\xfe.txt"]


@pytest.mark.parametrize("given", [("val",), ("test",), ("val", "test"), ()])
def test_folders_for_roles_are_used_and_the_others_split_off(tmp_path: Path, given: tuple[str, ...]) -> None:
    fill(tmp_path / "train", a=20, b=20)
    for name in given:
        fill(tmp_path / name, a=5, b=4)
    data = load_image_folder(tmp_path, SIZE).data
    assert len(data.held_out) == (9 if "val" in given else 6)
    assert len(data.test) == (9 if "test" in given else 6)
    assert len(data.train) == 40 - 6 * (2 - len(given))


def test_broken_and_hostile_files_are_listed_and_left_out(tmp_path: Path) -> None:
    fill(tmp_path, a=4, b=4)
    (tmp_path / "a" / "notes.txt").write_text("no image")
    (tmp_path / "a" / "empty.png").touch()
    for name, (content, _) in hostile_files().items():
        (tmp_path / "b" / f"hostile-{name}").write_bytes(content)
    loaded = load_image_folder(tmp_path, SIZE)
    sound = len(loaded.data.train) + len(loaded.data.held_out) + len(loaded.data.test)
    assert sound == 8
    left_out = {each.path for each in loaded.skipped}
    assert left_out == {"a/notes.txt", "a/empty.png", *(f"b/hostile-{name}" for name in hostile_files())}
    assert all(each.reason for each in loaded.skipped)


def test_a_copy_is_left_out_and_never_both_learned_and_tested(tmp_path: Path) -> None:
    fill(tmp_path / "train", a=5, b=5)
    fill(tmp_path / "test", a=2, b=2)
    copied = (tmp_path / "test" / "a" / "0.png").read_bytes()
    (tmp_path / "train" / "a" / "copy.png").write_bytes(copied)
    loaded = load_image_folder(tmp_path, SIZE)
    (skipped,) = loaded.skipped
    assert (skipped.path, skipped.reason) == ("train/a/copy.png", "the same content as test/a/0.png")
    assert len(loaded.data.test) == 4


def empty_class(folder: Path) -> str:
    fill(folder, a=5, b=0)
    return r"class 'b' has too few readable images.*at least 3 images are needed, got 0"


def only_broken_files(folder: Path) -> str:
    fill(folder, a=5, b=0)
    (folder / "b" / "broken.png").write_bytes(b"\x89PNG broken")
    return r"class 'b' has too few readable images .* got 0; left out are 1, first b/broken.png: not an image"


def in_two_classes(folder: Path) -> str:
    fill(folder, a=4, b=4)
    (folder / "b" / "x.png").write_bytes((folder / "a" / "0.png").read_bytes())
    return r"the same image is in two classes: a/0.png, b/x.png"


def several_things(folder: Path) -> str:
    fill(folder / "train", a=3, b=3, c=0)
    fill(folder / "Validation", a=2, b=0)
    for name in ("0.png", "1.png"):
        (folder / "train" / "b" / f"x{name}").write_bytes((folder / "train" / "a" / name).read_bytes())
    return (
        r"the same image is in two classes: train/a/0.png, train/b/x0.png; "
        r"the same image is in two classes: train/a/1.png, train/b/x1.png; "
        r"class 'b' has no readable image in Validation/; "
        r"class 'c' has too few readable images .*; class 'c' has no readable image in Validation/$"
    )


def empty_in_val(folder: Path) -> str:
    fill(folder / "train", a=5, b=5)
    fill(folder / "val", a=2)
    return r"class 'b' has no readable image in val/"


def constant(folder: Path) -> str:
    for name, colour in (("a", (1, 2, 3)), ("b", (9, 9, 3))):
        (folder / name).mkdir()
        for side in range(8, 14):
            (folder / name / f"{side}.png").write_bytes(saved(Image.new("RGB", (side, 8), colour), "PNG"))
    return r"all training images have the same value in one channel"


@pytest.mark.parametrize(
    "make",
    [
        empty_class,
        only_broken_files,
        in_two_classes,
        several_things,
        empty_in_val,
        constant,
    ],
)
def test_an_unfit_folder_is_refused_with_its_reason(tmp_path: Path, make: object) -> None:
    assert callable(make)
    message = make(tmp_path)
    with pytest.raises(DataError, match=message):
        load_image_folder(tmp_path, SIZE)


def test_more_than_the_memory_holds_is_refused_before_reading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Size and limit are told; the limit is that of a container, where there is one."""
    monkeypatch.setattr(memory, "usable_memory", lambda: 2.4e7)
    monkeypatch.setattr(image_folder, "decode", lambda *_: pytest.fail("an image was read"))
    said = (
        r"8 images of 512 pixels take 0\.01 GB, more than 50% of the 0\.02 GB of memory that "
        r"this process may use: choose a smaller --image-size"
    )
    with pytest.raises(DataError, match=said):
        load_image_folder(fill(tmp_path, a=4, b=4), 512)


def test_labels_are_the_places_of_the_classes(tmp_path: Path) -> None:
    for name, level in (("bright", 250), ("dark", 5)):
        (tmp_path / name).mkdir()
        for number in range(6):
            image = Image.effect_noise((16, 16), 4).convert("RGB").point(lambda _, v=level: v)
            image.putpixel((number, 0), (level, 128, level))
            (tmp_path / name / f"{number}.png").write_bytes(saved(image, "PNG"))
    data = load_image_folder(tmp_path, SIZE).data
    for part in (data.train, data.held_out, data.test):
        bright = part.images.float().mean((1, 2, 3)) > 128
        assert torch.equal(part.labels, (~bright).long())


def test_a_folder_that_is_called_as_cifar10_is_not_taken_for_it(tmp_path: Path, exported: Path) -> None:
    data = load_image_folder(fill(tmp_path / CIFAR10_NAME, cat=5, dog=5), SIZE).data
    assert data.name == f"./{CIFAR10_NAME}"
    assert slugified(data.name) == CIFAR10_NAME
    metadata = read_metadata(exported)
    described = metadata.model_copy(
        update={"dataset": metadata.dataset.model_copy(update={"name": data.name})}
    )
    assert f"--data ./{CIFAR10_NAME}" in training_command(described)
