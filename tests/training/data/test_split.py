import pytest

from training.data.split import Role, split

BOTH: tuple[Role, ...] = ("held_out", "test")


def digests(count: int) -> list[str]:
    return [f"{number:064x}" for number in range(count)]


@pytest.mark.parametrize(("count", "each"), [(3, 1), (4, 1), (10, 2), (20, 3), (100, 15), (1001, 150)])
def test_each_wanted_role_gets_its_share_and_at_least_one(count: int, each: int) -> None:
    roles = split(digests(count), BOTH)
    assert (roles.count("held_out"), roles.count("test")) == (each, each)
    assert roles.count("train") == count - 2 * each


def test_only_wanted_roles_are_given() -> None:
    assert set(split(digests(50), ["test"])) == {"train", "test"}
    assert set(split(digests(50), [])) == {"train"}


def test_an_image_keeps_its_role_wherever_it_stands() -> None:
    files = digests(60)
    roles = dict(zip(files, split(files, BOTH), strict=True))
    backwards = files[::-1]
    assert dict(zip(backwards, split(backwards, BOTH), strict=True)) == roles


def test_one_more_image_changes_the_role_of_few() -> None:
    before, after = split(digests(200), BOTH), split(digests(201), BOTH)
    assert sum(old != new for old, new in zip(before, after, strict=False)) <= 2


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_images_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"at least 3 images are needed, got {count}"):
        split(digests(count), BOTH)
