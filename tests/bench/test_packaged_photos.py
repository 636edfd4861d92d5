"""What packages ship becomes a folder of photographs by class, and of other things beside them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.bench.packaged_photos import CLASSES, CUTS, FACES, PICTURES, SKIMAGE, STAMPS, TOPICS, make


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """One small picture for every pattern, and two that must be left out."""
    folder = tmp_path / "packages"
    stamps = [pattern.replace("*", "some") for patterns in CLASSES.values() for pattern in patterns]
    stamps += [f"{topic}/sorts/some.png" for topic in TOPICS]
    stamps += ["animals/birds/some_mirror.png", "animals/mammals/dogs/dingo.png"]
    generator = np.random.default_rng(1)
    for name in (*(STAMPS / stamp for stamp in stamps), *(SKIMAGE / each for each in PICTURES)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (20, 30, 3), np.uint8)).save(folder / name)
    Image.new("RGB", (20, 30)).save(folder / SKIMAGE / "chelsea.png")
    np.save(folder / SKIMAGE / "lfw_subset.npy", generator.random((FACES + 5, 25, 25)))
    return folder


def test_every_class_and_the_others_get_their_pictures(packages: Path, tmp_path: Path) -> None:
    counts = make(packages, tmp_path / "photos")
    assert counts == {
        **{name: len(patterns) for name, patterns in CLASSES.items()},
        "cat": 1,
        "things": len(TOPICS),
        "skimage/faces": FACES,
        "skimage/pictures": len(PICTURES) * (1 + CUTS),
    }
    names = {path.name for path in (tmp_path / "photos").rglob("*.png")}
    assert not [name for name in names if "mirror" in name or "dingo" in name]


def test_cuts_are_squares_within_the_picture_and_the_same_every_time(packages: Path, tmp_path: Path) -> None:
    for out in ("one", "two"):
        make(packages, tmp_path / out)
    cuts = sorted((tmp_path / "one/skimage/pictures").glob("coins-*.png"))
    assert len(cuts) == CUTS
    for cut in cuts:
        with Image.open(cut) as image:
            assert image.width == image.height
            assert 5 <= image.width <= 15
        assert cut.read_bytes() == (tmp_path / "two/skimage/pictures" / cut.name).read_bytes()


def test_a_missing_picture_is_named(packages: Path, tmp_path: Path) -> None:
    (packages / SKIMAGE / "coins.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"coins\.png"):
        make(packages, tmp_path / "photos")
