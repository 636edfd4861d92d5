from pathlib import Path

import pytest

from training.data import memory
from training.data.cifar10 import DataError, load_cifar10
from training.data.memory import lack_of_memory


def test_what_fits_by_the_byte_is_taken_and_what_does_not_is_told_with_its_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    needed = 2 * 1000 * 3 * 64 * 64
    monkeypatch.setattr(memory, "usable_memory", lambda: float(2 * needed))
    assert lack_of_memory(1000, 64) is None
    monkeypatch.setattr(memory, "usable_memory", lambda: float(2 * needed - 1))
    assert lack_of_memory(1000, 64) == (
        "1,000 images of 64 pixels take 0.02 GB, more than 50% of the 0.05 GB of memory "
        "that this process may use"
    )


def test_cifar10_is_not_read_where_it_does_not_fit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "usable_memory", lambda: 5e8)
    with pytest.raises(
        DataError, match=r"60,000 images of 32 pixels take 0\.37 GB, more than 50% of the 0\.50"
    ):
        load_cifar10(tmp_path, 0)
