from dataclasses import dataclass, fields

import pytest
import torch
from torch import Tensor

from models.augmentations.base import Params
from models.augmentations.parameters import ParameterError, check_parameters, parameter


@dataclass(frozen=True)
class Example:
    """An operation that does nothing and has one parameter of every type."""

    share: float = parameter(0.5, "A share.", minimum=0, maximum=1)
    count: int = parameter(2, "A count.", minimum=1, maximum=8)
    mode: str = parameter("zero", "A mode.", choices=("zero", "reflect"))
    span: tuple[float, float] = parameter((0.2, 0.8), "A range.", minimum=0.1, maximum=20)

    def __post_init__(self) -> None:
        check_parameters(self)

    def sample(self, n: int, image_size: tuple[int, int], generator: torch.Generator) -> Params:  # noqa: ARG002
        return {}

    def apply(self, images: Tensor, params: Params) -> Tensor:  # noqa: ARG002
        return images.clone()


def create(**parameters: object) -> Example:
    return Example(**parameters)  # type: ignore[arg-type]  # wrong types are what is tested


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


def test_a_declaration_can_be_read_from_the_field() -> None:
    share, _, mode, _ = fields(Example)
    assert dict(share.metadata) == {"description": "A share.", "minimum": 0, "maximum": 1, "choices": None}
    assert dict(mode.metadata) == {
        "description": "A mode.",
        "minimum": None,
        "maximum": None,
        "choices": ("zero", "reflect"),
    }
