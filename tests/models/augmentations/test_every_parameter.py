"""What every parameter of every augmentation keeps to: its range, its texts, and its place in a spec."""

import json
from typing import Any

import pytest

from models.augmentations import (
    AUGMENTATIONS,
    Compose,
    ParameterError,
    create_augmentation,
    from_spec,
    parse_augmentation,
    to_spec,
)
from models.augmentations.horizontal_flip import HorizontalFlip
from tests.support.augmentation_parameters import (
    PARAMETERS,
    each_parameter,
    extremes,
    illegal,
    limits,
    random_images,
    sample,
    schema_of,
)


@each_parameter
def test_every_parameter_says_what_it_is(name: str, parameter: str) -> None:
    schema = schema_of(name, parameter)
    assert schema["type"] in ("number", "integer", "string", "array")
    assert schema["description"].endswith(".")
    if schema["type"] == "string":
        assert schema["enum"]
    else:
        low, high = limits(schema)
        assert low < high


@each_parameter
def test_at_its_extremes_every_parameter_gives_images(name: str, parameter: str) -> None:
    for value in extremes(name, parameter):
        augmentation = create_augmentation(name, **{parameter: value})
        result = augmentation.apply(random_images(8, (32, 24)), sample(augmentation, 8, (32, 24)))
        assert result.shape == (8, 3, 32, 24)
        assert ((result >= 0) & (result <= 1)).all(), value


@each_parameter
def test_illegal_values_are_refused_by_name(name: str, parameter: str) -> None:
    for value in illegal(name, parameter):
        with pytest.raises(ParameterError, match=f"^{parameter} must be ") as refusal:
            create_augmentation(name, **{parameter: value})
        assert refusal.value.parameter == parameter


@each_parameter
def test_texts_are_parsed_to_what_they_say(name: str, parameter: str) -> None:
    for value in extremes(name, parameter):
        text = ",".join(str(number) for number in value) if isinstance(value, tuple) else str(value)
        assert parse_augmentation(name, {parameter: text}) == create_augmentation(name, **{parameter: value})


@each_parameter
@pytest.mark.parametrize("text", ["nonsense", "", ",", "nan", "1,2,3", "True"])
def test_illegal_texts_are_refused_by_name(name: str, parameter: str, text: str) -> None:
    with pytest.raises(ParameterError, match=f"^{parameter} must be .*, got '{text}'$") as refusal:
        parse_augmentation(name, {parameter: text})
    assert refusal.value.parameter == parameter


@each_parameter
def test_the_spec_survives_json(name: str, parameter: str) -> None:
    for value in extremes(name, parameter):
        compose = Compose(((name, create_augmentation(name, **{parameter: value})),))
        assert from_spec(json.loads(json.dumps(to_spec(compose)))) == compose


def test_the_spec_of_all_names_every_parameter_in_order() -> None:
    everything = Compose(tuple((name, create_augmentation(name)) for name in reversed(AUGMENTATIONS)))
    spec = to_spec(everything)
    assert [entry["name"] for entry in spec] == list(reversed(AUGMENTATIONS))
    assert {(entry["name"], key) for entry in spec for key in entry if key != "name"} == set(PARAMETERS)
    assert from_spec(json.loads(json.dumps(spec))) == everything


def test_a_spec_may_leave_out_defaults() -> None:
    assert from_spec([{"name": "horizontal_flip"}]) == Compose((("horizontal_flip", HorizontalFlip()),))
    assert from_spec([]) == Compose()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"padding": 4}, "name must be one of horizontal_flip, .*, got None"),
        ({"name": 3}, "name must be one of horizontal_flip, .*, got 3"),
        ({"name": "mixup"}, "unknown augmentation 'mixup': choose from horizontal_flip, "),
        (
            {"name": "random_crop", "margin": 4},
            "unknown parameter 'margin' of random_crop: choose from padding",
        ),
        ({"name": "random_crop", "padding": -1}, "padding must be a whole number in 0..64, got -1"),
    ],
)
def test_a_wrong_spec_is_refused(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_spec([entry])


def test_an_unknown_parameter_is_refused_by_name() -> None:
    with pytest.raises(ParameterError, match="unknown parameter 'margin' of random_crop") as refusal:
        create_augmentation("random_crop", margin=4)
    assert refusal.value.parameter == "margin"


def test_an_operation_under_another_name_has_no_spec() -> None:
    with pytest.raises(ValueError, match="HorizontalFlip has no entry 'mirror' among the augmentations"):
        to_spec(Compose((("mirror", HorizontalFlip()),)))
