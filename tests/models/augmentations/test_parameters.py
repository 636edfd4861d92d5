from typing import Annotated, Literal

import pytest
import torch
from pydantic import Field, ValidationError
from torch import Tensor

from models.augmentations.base import Augmentation, Params
from models.augmentations.parameters import ParameterError, Range, parameter_schemas


class Example(Augmentation):
    """An operation that does nothing and has one parameter of every type."""

    share: float = Field(0.5, ge=0, le=1, description="A share.")
    count: int = Field(2, ge=1, le=8, description="A count.")
    mode: Literal["zero", "reflect"] = Field("zero", description="A mode.")
    span: Range[Annotated[float, Field(ge=0.1, le=20)]] = Field((0.2, 0.8), description="A range.")
    steps: Range[Annotated[int, Field(ge=1, le=9)]] = Field((2, 3), description="A range of whole numbers.")

    def sample(self, n: int, image_size: tuple[int, int], generator: torch.Generator) -> Params:  # noqa: ARG002
        return {}

    def apply(self, images: Tensor, params: Params) -> Tensor:  # noqa: ARG002
        return images.clone()


def create(**parameters: object) -> Example:
    try:
        return Example.model_validate(parameters)
    except ValidationError as error:
        raise ParameterError.from_validation_error(error, Example, parameters) from error


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"share": 0.0, "count": 1, "span": (0.1, 20.0)},
        {"share": 1, "count": 8, "mode": "reflect", "span": (1, 1)},
    ],
)
def test_legal_values_are_kept(parameters: dict[str, object]) -> None:
    example = create(**parameters)
    assert all(getattr(example, name) == value for name, value in parameters.items())


@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan"), float("inf"), True, "0.5", None, (0.1, 0.2)])
def test_illegal_numbers_are_refused(value: object) -> None:
    with pytest.raises(ParameterError, match=r"^share must be a number in 0\.\.1, got ") as refusal:
        create(share=value)
    assert refusal.value.parameter == "share"
    assert str(refusal.value).endswith(repr(value))


@pytest.mark.parametrize("value", [0, 9, 2.0, 2.5, True, "2", None])
def test_illegal_whole_numbers_are_refused(value: object) -> None:
    with pytest.raises(ParameterError, match=r"^count must be a whole number in 1\.\.8, got ") as refusal:
        create(count=value)
    assert refusal.value.parameter == "count"


@pytest.mark.parametrize("value", ["", "Zero", 0, None])
def test_unknown_choices_are_refused(value: object) -> None:
    with pytest.raises(ParameterError, match=r"^mode must be one of zero, reflect, got ") as refusal:
        create(mode=value)
    assert refusal.value.parameter == "mode"


@pytest.mark.parametrize(
    "value",
    [
        (0.8, 0.2),
        (0.0, 0.5),
        (0.5, 20.5),
        (0.5, float("nan")),
        (0.5,),
        (0.2, 0.5, 0.8),
        [0.2, 0.8],
        ("0.2", "0.8"),
        0.5,
        None,
    ],
)
def test_illegal_ranges_are_refused(value: object) -> None:
    right = r"^span must be a pair of numbers \(low, high\) in 0\.1\.\.20, low not above high, got "
    with pytest.raises(ParameterError, match=right) as refusal:
        create(span=value)
    assert refusal.value.parameter == "span"


@pytest.mark.parametrize("value", [(3, 2), (0, 2), (2, 10), (2.0, 3.0), (1.5, 2.5), 2])
def test_illegal_ranges_of_whole_numbers_are_refused(value: object) -> None:
    right = r"^steps must be a pair of whole numbers \(low, high\) in 1\.\.9, low not above high, got "
    with pytest.raises(ParameterError, match=right):
        create(steps=value)


def test_a_declaration_can_be_read_from_the_schema() -> None:
    schemas = parameter_schemas(Example)
    assert list(schemas) == ["share", "count", "mode", "span", "steps"]
    expected = {"description": "A share.", "minimum": 0, "maximum": 1, "default": 0.5, "type": "number"}
    assert expected.items() <= schemas["share"].items()
    assert schemas["mode"]["enum"] == ["zero", "reflect"]
    assert schemas["span"]["default"] == [0.2, 0.8]
    assert schemas["span"]["prefixItems"] == [{"type": "number", "minimum": 0.1, "maximum": 20}] * 2
