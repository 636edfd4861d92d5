"""Query strings to operations."""

from collections.abc import Mapping

import pytest

from app.errors import ApiError
from app.routes.augmentation_query import parse_operations
from models.augmentations import create_augmentation


def test_operations_come_in_the_stated_order_with_their_defaults() -> None:
    parsed = parse_operations("random_crop, horizontal_flip", {})
    assert parsed.operations == (
        ("random_crop", create_augmentation("random_crop")),
        ("horizontal_flip", create_augmentation("horizontal_flip")),
    )


def test_no_operations() -> None:
    assert parse_operations("", {}).operations == ()


def test_values_get_the_type_of_their_field() -> None:
    given = {
        "random_crop.padding": "3",
        "random_crop.padding_mode": "reflect",
        "random_erasing.scale": "0.1,0.2",
        "random_erasing.value": "0.5",
    }
    parsed = dict(parse_operations("random_crop,random_erasing", given).operations)
    assert parsed["random_crop"] == create_augmentation("random_crop", padding=3, padding_mode="reflect")
    assert parsed["random_erasing"] == create_augmentation("random_erasing", scale=(0.1, 0.2), value=0.5)


@pytest.mark.parametrize(
    ("ops", "given", "field"),
    [
        ("sharpen", {}, "ops"),
        ("random_crop,random_crop", {}, "ops"),
        ("random_crop", {"random_crop.padding": "4.5"}, "random_crop.padding"),
        ("random_crop", {"random_crop.padding": "-1"}, "random_crop.padding"),
        ("random_crop", {"random_crop.paddding": "4"}, "random_crop.paddding"),
        ("random_crop", {"vertical_flip.probability": "1"}, "vertical_flip.probability"),
        ("random_erasing", {"random_erasing.scale": "0.1,0.2,0.3"}, "random_erasing.scale"),
        ("random_erasing", {"random_erasing.value": "inf"}, "random_erasing.value"),
    ],
)
def test_what_is_wrong_is_named(ops: str, given: Mapping[str, str], field: str) -> None:
    with pytest.raises(ApiError) as caught:
        parse_operations(ops, given)
    assert (caught.value.status, caught.value.field) == (422, field)
