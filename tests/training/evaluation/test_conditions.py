import numpy as np
import pytest
from PIL import Image

from training.evaluation.conditions import (
    CONDITIONS,
    FILL,
    SIZES,
    Perturbation,
    encoded,
    rotated,
    scaled,
    shifted,
)

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))


@pytest.mark.parametrize("perturbation", CONDITIONS, ids=lambda each: f"{each.name} {each.level}")
def test_every_condition_gives_another_picture_in_colour(perturbation: Perturbation) -> None:
    result = perturbation.apply(PICTURE)
    assert result.mode == "RGB"
    assert result.size != PICTURE.size or result.tobytes() != PICTURE.tobytes()


def test_each_has_a_name_and_level_of_its_own() -> None:
    assert len({(each.name, each.level) for each in CONDITIONS}) == len(CONDITIONS)


def test_a_better_quality_is_nearer_to_the_picture() -> None:
    def error(kind: str, **options: object) -> float:
        result = encoded(kind, **options)(PICTURE)
        return float(np.square(np.asarray(result, float) - np.asarray(PICTURE, float)).mean())

    for kind in ("JPEG", "WEBP"):
        errors = [error(kind, quality=quality) for quality in (95, 50, 10)]
        assert errors == sorted(errors)
    whole, halved = (error("JPEG", quality=95, subsampling=number) for number in (0, 2))
    assert whole < halved


@pytest.mark.parametrize("side", SIZES)
def test_the_shorter_side_is_scaled_and_the_shape_kept(side: int) -> None:
    assert scaled(side)(PICTURE).size == (side, side)
    assert scaled(side)(PICTURE.resize((64, 32))).size == (2 * side, side)


def test_quarter_turns_and_shifts_are_exact() -> None:
    pixels = np.asarray(PICTURE)
    assert (np.asarray(rotated(90)(PICTURE)) == np.rot90(pixels)).all()
    assert (np.asarray(rotated(180)(PICTURE)) == np.rot90(pixels, 2)).all()
    moved = np.asarray(shifted(1 / 8, -1 / 16)(PICTURE))
    assert (moved[:30, 4:] == pixels[2:, :28]).all()
    assert (moved[30:] == FILL).all()
    assert (moved[:, :4] == FILL).all()
