"""What every registered augmentation keeps to; a new entry is tested as soon as it is registered."""

import pytest
import torch
from pydantic import ValidationError

from models.augmentations import (
    AUGMENTATIONS,
    ParameterError,
    create_augmentation,
)
from tests.support.augmentation_parameters import each_parameter, extremes, random_images, sample

SIZES = [(32, 32), (24, 40), (41, 17)]

each_augmentation = pytest.mark.parametrize("name", AUGMENTATIONS)
each_size = pytest.mark.parametrize("size", SIZES, ids=str)
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU")


@each_augmentation
@each_size
def test_params_depend_on_the_generator_alone(name: str, size: tuple[int, int]) -> None:
    augmentation = create_augmentation(name)
    torch.manual_seed(1)
    first = sample(augmentation, 64, size)
    torch.manual_seed(2)
    again = sample(augmentation, 64, size)
    other = sample(augmentation, 64, size, seed=1)
    assert list(first) == list(again) == list(other)
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not all(torch.equal(first[key], other[key]) for key in first)


@each_augmentation
def test_sampling_leaves_the_global_generator_alone(name: str) -> None:
    state = torch.random.get_rng_state()
    sample(create_augmentation(name), 8, (32, 32))
    assert torch.equal(torch.random.get_rng_state(), state)


@each_parameter
def test_as_many_numbers_are_drawn_whatever_the_parameters(name: str, parameter: str) -> None:
    states = []
    for value in extremes(name, parameter):
        generator = torch.Generator().manual_seed(0)
        create_augmentation(name, **{parameter: value}).sample(16, (80, 70), generator)
        states.append(generator.get_state())
    assert all(torch.equal(state, states[0]) for state in states)
    assert not torch.equal(states[0], torch.Generator().manual_seed(0).get_state())


@each_augmentation
@pytest.mark.parametrize("n", [0, 1, 5])
def test_every_image_has_its_own_params(name: str, n: int) -> None:
    params = sample(create_augmentation(name), n, (24, 40))
    assert params
    assert all(value.shape[0] == n for value in params.values())


@each_augmentation
@each_size
@pytest.mark.parametrize("n", [0, 1, 16])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16], ids=str)
def test_shape_type_and_value_range_are_kept(
    name: str, size: tuple[int, int], n: int, dtype: torch.dtype
) -> None:
    augmentation = create_augmentation(name)
    images = random_images(n, size).round(decimals=1).to(dtype)
    result = augmentation.apply(images, sample(augmentation, n, size))
    assert result.shape == images.shape
    assert result.dtype == dtype
    assert ((result >= 0) & (result <= 1)).all()


@each_augmentation
def test_images_in_another_memory_layout_give_the_same(name: str) -> None:
    augmentation = create_augmentation(name)
    images = random_images(16, (24, 40))
    params = sample(augmentation, 16, (24, 40))
    result = augmentation.apply(images.contiguous(memory_format=torch.channels_last), params)
    torch.testing.assert_close(result, augmentation.apply(images, params), atol=1e-6, rtol=0)


@each_augmentation
def test_the_input_is_left_as_it_is(name: str) -> None:
    augmentation = create_augmentation(name)
    images = random_images(16, (32, 32))
    params = sample(augmentation, 16, (32, 32))
    kept_params = {key: value.clone() for key, value in params.items()}
    result = augmentation.apply(images, params)
    result.zero_()
    assert torch.equal(images, random_images(16, (32, 32)))
    assert all(torch.equal(params[key], kept_params[key]) for key in params)


@each_augmentation
def test_some_images_change(name: str) -> None:
    augmentation = create_augmentation(name)
    images = random_images(16, (32, 32))
    assert not torch.equal(augmentation.apply(images, sample(augmentation, 16, (32, 32))), images)


@each_augmentation
def test_the_result_has_no_gradient(name: str) -> None:
    augmentation = create_augmentation(name)
    images = random_images(4, (32, 32)).requires_grad_()
    result = augmentation.apply(images, sample(augmentation, 4, (32, 32)))
    assert not result.requires_grad
    assert torch.is_grad_enabled()


@each_augmentation
def test_an_images_result_does_not_depend_on_the_others(name: str) -> None:
    augmentation = create_augmentation(name)
    images = random_images(8, (24, 40))
    params = sample(augmentation, 8, (24, 40))
    together = augmentation.apply(images, params)
    for i in range(8):
        own = {key: value[i : i + 1] for key, value in params.items()}
        alone = augmentation.apply(images[i : i + 1], own)
        torch.testing.assert_close(alone, together[i : i + 1], atol=1e-6, rtol=0)


@each_augmentation
def test_images_of_another_shape_or_number_are_refused(name: str) -> None:
    augmentation = create_augmentation(name)
    params = sample(augmentation, 3, (32, 32))
    with pytest.raises(ValueError, match=r"images must have the shape \(N, C, H, W\), got \(3, 32, 32\)"):
        augmentation.apply(torch.rand(3, 32, 32), params)
    with pytest.raises(ValueError, match=r"\w+ is for 3 images, got 2"):
        augmentation.apply(random_images(2, (32, 32)), params)


@needs_gpu
@each_augmentation
def test_a_gpu_gives_what_the_cpu_gives(name: str) -> None:
    augmentation = create_augmentation(name)
    images = random_images(16, (24, 40))
    params = sample(augmentation, 16, (24, 40))
    result = augmentation.apply(images.cuda(), params)
    assert result.is_cuda
    torch.testing.assert_close(result.cpu(), augmentation.apply(images, params), atol=1e-5, rtol=0)


@needs_gpu
@each_augmentation
def test_params_are_drawn_on_the_generators_device(name: str) -> None:
    params = create_augmentation(name).sample(16, (24, 40), torch.Generator("cuda").manual_seed(0))
    assert all(value.is_cuda for value in params.values())


@each_augmentation
def test_operations_cannot_be_changed_and_changed_copies_are_checked(name: str) -> None:
    augmentation = create_augmentation(name)
    parameter = next(iter(AUGMENTATIONS[name].model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(augmentation, parameter, 1)
    with pytest.raises(ParameterError):
        create_augmentation(name, **{**dict(augmentation), parameter: None})
