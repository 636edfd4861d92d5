"""Tiles and grids."""

import io

import numpy as np
import torch
from PIL import Image

from app.drawing.tiles import GAP, grid_png, grid_size, make_tiles, network_inputs, to_png
from models.augmentations import AUGMENTATIONS, Compose, create_augmentation
from models.preprocessing.decode import decode
from models.preprocessing.transform import Preprocessing

IMAGE = torch.randint(256, (3, 20, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
EVERYTHING = Compose(tuple((name, create_augmentation(name)) for name in AUGMENTATIONS))


def _decoded(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def test_no_operation_leaves_every_pixel_as_it_is() -> None:
    tiles = make_tiles(IMAGE, Compose(), count=3, seed=0)
    assert all(torch.equal(tile, IMAGE) for tile in tiles.images)
    assert tiles.parameters == [{}, {}, {}]


def test_tiles_differ_from_each_other_and_depend_on_the_seed_alone() -> None:
    first, again = make_tiles(IMAGE, EVERYTHING, 4, seed=1), make_tiles(IMAGE, EVERYTHING, 4, seed=1)
    assert torch.equal(first.images, again.images)
    assert first.parameters == again.parameters
    assert not torch.equal(first.images[0], first.images[1])
    assert not torch.equal(first.images, make_tiles(IMAGE, EVERYTHING, 4, seed=2).images)


def test_every_tile_has_the_parameters_it_was_made_with() -> None:
    flip = Compose((("horizontal_flip", create_augmentation("horizontal_flip")),))
    tiles = make_tiles(IMAGE, flip, 16, seed=0)
    for tile, parameters in zip(tiles.images, tiles.parameters, strict=True):
        assert torch.equal(tile, IMAGE.flip(2) if parameters["horizontal_flip.flip"] else IMAGE)
    assert {tile["horizontal_flip.flip"] for tile in tiles.parameters} == {True, False}


def test_one_tile_is_drawn_with_square_pixels() -> None:
    expected = IMAGE.permute(1, 2, 0).numpy().repeat(3, axis=0).repeat(3, axis=1)
    assert (_decoded(to_png(IMAGE, 3)) == expected).all()


def test_grid_goes_row_by_row_and_has_the_size_foretold() -> None:
    shades = torch.arange(6, dtype=torch.uint8).mul(40).view(6, 1, 1, 1).expand(6, 3, 20, 24)
    grid = _decoded(grid_png(shades, rows=2, cols=3, scale=2))
    width, height = grid_size((20, 24), rows=2, cols=3, scale=2)
    assert grid.shape == (height, width, 3)
    centres = grid[[GAP + 20, 2 * GAP + 60]][:, [GAP + 24, 2 * GAP + 72, 3 * GAP + 120]]
    assert centres[..., 0].tolist() == [[0, 40, 80], [120, 160, 200]]


def test_network_inputs_are_those_of_the_tiles_uploaded_as_png() -> None:
    images = torch.stack([IMAGE, IMAGE.flip(2)])
    for size, channels in ((20, 3), (16, 3), (16, 1)):
        preprocessing = Preprocessing(size, channels, "bilinear", (0.5,) * channels, (0.25,) * channels)
        inputs = network_inputs(images, preprocessing)
        for tile, given in zip(images, inputs, strict=True):
            decoded = decode(to_png(tile, 1), max_pixels=10_000)
            assert np.array_equal(given, preprocessing.resize(decoded.image, decoded.box))
    square = images[:, :, :, :20]
    same = network_inputs(square, Preprocessing(20, 3, "bilinear", (0.5,) * 3, (0.25,) * 3))
    assert np.array_equal(np.stack(same), square.numpy())
