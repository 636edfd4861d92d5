from collections import OrderedDict
from itertools import combinations

import pytest
import torch

from training.loop.checkpoint_digest import digest

DIFFERENT = [
    {},
    [],
    (),
    None,
    0,
    0.0,
    -0.0,
    False,
    "",
    "0",
    {"a": 1},
    {"a": 1.0},
    {"b": 1},
    {1: "a"},
    {"a": [1]},
    [[1], 2],
    [[1, 2]],
    ["ab", "c"],
    ["a", "bc"],
    torch.zeros(2),
    torch.zeros(1, 2),
    torch.zeros(2).int(),
    torch.tensor([0.0, -0.0]),
    torch.tensor([0.0, 2**-149]),
    torch.zeros(0),
    torch.tensor(0.0),
    torch.tensor([0.0, 0.0], dtype=torch.bfloat16),
    torch.tensor([False, False]),
]


def test_different_values_have_different_digests() -> None:
    for first, second in combinations(DIFFERENT, 2):
        assert digest(first) != digest(second), (first, second)


def test_a_tensors_layout_in_memory_does_not_count() -> None:
    images = torch.arange(24.0).reshape(1, 2, 3, 4)
    assert digest(images) == digest(images.to(memory_format=torch.channels_last))
    assert digest({"a": images}) == digest(OrderedDict(a=images.clone().requires_grad_()))


def test_what_a_checkpoint_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="a checkpoint cannot hold a set"):
        digest({"a": {1}})
