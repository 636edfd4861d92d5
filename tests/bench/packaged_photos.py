"""A folder of photographs to measure a network on, made of what two packages ship.

    apt-get download tuxpaint-stamps-default && dpkg -x tuxpaint-stamps-default_*.deb packages
    pip download --no-deps --only-binary :all: --python-version 3.11 scikit-image==0.22.0
    unzip -q scikit_image-*.whl 'skimage/data/*' -d packages
    python -m tests.bench.packaged_photos packages photos

makes `photos/CLASS` for `python -m training photos --folder photos`, and beside them other things:
`photos/things` are photographs of animals, food, plants and objects, and `photos/skimage` holds 100 `faces`
and 20 `pictures` such as textures, coins and a galaxy, each whole and `CUTS` times cut at random.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

STAMPS = Path("usr/share/tuxpaint/stamps")
SKIMAGE = Path("skimage/data")

CLASSES: dict[str, tuple[str, ...]] = {
    "airplane": ("military/vehicles/f22_raptor.png", "vehicles/flight/planes/747.png"),
    "automobile": (
        "vehicles/auto/beetle.png",
        "vehicles/auto/sedan.png",
        "vehicles/auto/sportscar2.png",
    ),
    "bird": ("animals/birds/*.png",),
    "deer": ("animals/mammals/deer/*.png",),
    "dog": ("animals/mammals/dogs/dog.png",),
    "frog": ("animals/amphibians/*.png",),
    "horse": ("animals/mammals/equines/horse.png",),
    "ship": ("vehicles/ship/*.png",),
    "truck": (
        "vehicles/auto/truck.png",
        "vehicles/construction/dumper.png",
        "vehicles/emergency/firetruck.png",
        "vehicles/garbagetruck.png",
    ),
}
"""Stamps by the class that they show. The only cat is scikit-image's."""
CAT = "chelsea.png"

TOPICS = ("animals", "food", "hobbies", "household", "plants")
"""Of the other things; stamps of other topics are drawings for the most part."""
NEITHER = ("dingo.png", "hedgehog.png", "pizza.png")
"""A dog to some, and two drawings."""

FACES = 100
"""The first of `lfw_subset`; the others are none."""
PICTURES = (
    "astronaut.png",
    "brick.png",
    "camera.png",
    "cell.png",
    "clock_motion.png",
    "coffee.png",
    "coins.png",
    "color.png",
    "grass.png",
    "gravel.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "logo.png",
    "microaneurysms.png",
    "moon.png",
    "motorcycle_left.png",
    "page.png",
    "retina.jpg",
    "rocket.jpg",
    "text.png",
)
CUTS = 14
SHARES = (0.25, 0.75)
"""The side of a cut as a share of the picture's shorter side."""


def make(packages: Path, out: Path) -> dict[str, int]:
    """Write the folder `out`, which must not exist; how many images each of its folders got.

    Raises `FileNotFoundError` where a picture is missing from `packages`, and `FileExistsError`.
    """
    out.mkdir(parents=True)
    stamps, skimage = packages / STAMPS, packages / SKIMAGE
    known = {name: _found(stamps, patterns) for name, patterns in CLASSES.items()}
    for name, files in known.items():
        _copy(files, stamps, out / name)
    _copy(_found(skimage, (CAT,)), skimage, out / "cat")
    taken = {path for files in known.values() for path in files}
    others = [path for topic in TOPICS for path in _found(stamps / topic, ("**/*.png",))]
    _copy([path for path in others if path not in taken], stamps, out / "things")
    _write_faces(skimage / "lfw_subset.npy", out / "skimage" / "faces")
    _write_pictures(_found(skimage, PICTURES), out / "skimage" / "pictures")
    folders = (out / "skimage" / "faces", out / "skimage" / "pictures", *out.iterdir())
    counts = {str(path.relative_to(out)): sum(each.is_file() for each in path.iterdir()) for path in folders}
    return {name: count for name, count in sorted(counts.items()) if count}


def _found(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    files: list[Path] = []
    for pattern in patterns:
        matches = sorted(folder.glob(pattern))
        if not matches:
            raise FileNotFoundError(f"there is no {folder / pattern}")
        files += [path for path in matches if not _is_left_out(path)]
    return files


def _is_left_out(path: Path) -> bool:
    return path.name in NEITHER or path.stem.endswith("_mirror") or "cartoon" in path.parts


def _copy(files: list[Path], root: Path, folder: Path) -> None:
    folder.mkdir()
    for path in files:
        # Its topics are part of the name: files of the same name lie in several.
        shutil.copyfile(path, folder / "-".join(path.relative_to(root).parts))


def _write_faces(file: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    for index, face in enumerate(np.load(file)[:FACES]):
        Image.fromarray((face * 255).round().astype(np.uint8)).save(folder / f"{index:03}.png")


def _write_pictures(files: list[Path], folder: Path) -> None:
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for path in files:
        with Image.open(path) as opened:
            picture = opened.convert("RGB")
        picture.save(folder / f"{path.stem}.png")
        for index in range(CUTS):
            side = round(min(picture.size) * generator.uniform(*SHARES))
            left, top = (int(generator.integers(length - side + 1)) for length in picture.size)
            cut = picture.crop((left, top, left + side, top + side))
            cut.save(folder / f"{path.stem}-{index:02}.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("packages", type=Path, help="the folder into which the packages were unpacked")
    parser.add_argument("out", type=Path, help="a new folder for the photographs")
    arguments = parser.parse_args()
    for name, count in make(arguments.packages, arguments.out).items():
        print(f"{count:5} {name}")


if __name__ == "__main__":
    main()
