import numpy as np
import pytest

from models.artifact.report import AugmentationSample
from models.augmentations import Compose
from tests.support.tiny_run import RECIPE, tiny_data
from training.data.cifar10 import Split
from training.report.augmentation_samples import EPOCHS, augmentation_samples
from training.report.thumbnail import decode_thumbnail, thumbnail


def samples(**changes: object) -> list[AugmentationSample]:
    data = tiny_data()
    return augmentation_samples(RECIPE.changed(**changes), data.train, data.classes)


def test_there_is_a_row_for_each_class_with_an_image_for_each_epoch() -> None:
    data, rows = tiny_data(), samples()
    assert [row.true_class for row in rows] == list(data.classes)
    assert [len(row.augmented) for row in rows] == [EPOCHS] * 3
    assert rows[0].original == thumbnail(data.train.images[data.train.labels == 0][0])
    assert len(set(rows[0].augmented)) > 1
    assert rows == samples()


@pytest.mark.parametrize("alternating", [True, False])
def test_an_alternating_flip_mirrors_every_other_epoch(alternating: bool) -> None:
    row = samples(augmentation=Compose(), alternating_flip=alternating)[0]
    original = np.asarray(decode_thumbnail(row.original))
    for epoch, picture in enumerate(row.augmented):
        mirrored = alternating and epoch % 2 == 1
        assert np.array_equal(
            np.asarray(decode_thumbnail(picture)), original[:, ::-1] if mirrored else original
        )


def test_greyscale_images_can_be_shown() -> None:
    data = tiny_data()
    grey = Split(data.train.images[:, :1], data.train.labels)
    (row, *_) = augmentation_samples(RECIPE, grey, data.classes)
    assert decode_thumbnail(row.augmented[0]).size == (20, 20)
