"""Our batch norm against PyTorch's: the same numbers, gradients and statistics, and what it refuses."""

import copy

import pytest
import torch
from torch import Tensor, nn

from models.batch_norm.layer import BatchNorm
from tests.support.batch_norm_layers import SHAPES, assert_same_state, ours_like, random, reference


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("training", [True, False])
def test_forward_equals_pytorchs(shape: tuple[int, ...], training: bool) -> None:
    theirs = reference(shape).train(training)
    ours = ours_like(theirs)
    torch.testing.assert_close(ours(random(shape)), theirs(random(shape)))
    assert_same_state(ours, theirs)


def test_a_batch_comes_out_with_mean_0_and_variance_1() -> None:
    """From the definition, without PyTorch's: the variance is the biased one, eps keeps it just below 1."""
    normalised = BatchNorm(3).double()(random((4, 3, 5, 2)))
    over = (0, 2, 3)
    torch.testing.assert_close(normalised.mean(over), torch.zeros(3, dtype=torch.float64))
    variance = random((4, 3, 5, 2)).var(over, correction=0)
    torch.testing.assert_close(normalised.var(over, correction=0), variance / (variance + 1e-5))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("training", [True, False])
def test_gradients_of_input_scale_and_shift_equal_pytorchs(shape: tuple[int, ...], training: bool) -> None:
    theirs = reference(shape).train(training)
    ours = ours_like(theirs)
    towards = random(shape, seed=1)
    gradients = []
    for norm in (ours, theirs):
        x = random(shape).requires_grad_()
        gradients.append(torch.autograd.grad(norm(x), (x, norm.weight, norm.bias), towards))
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("shape", [(4, 2), (2, 2, 2, 3)])
@pytest.mark.parametrize("training", [True, False])
def test_gradients_equal_finite_differences(shape: tuple[int, ...], training: bool) -> None:
    norm = ours_like(reference(shape).train(training))

    def forward(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        result: Tensor = torch.func.functional_call(norm, {"weight": scale, "bias": shift}, (x,))
        return result

    inputs = (random(shape), norm.weight.detach().clone(), norm.bias.detach().clone())
    assert torch.autograd.gradcheck(forward, tuple(tensor.requires_grad_() for tensor in inputs))


@pytest.mark.parametrize(
    ("shape", "momentum"), [*((shape, 0.1) for shape in SHAPES), ((6, 3), 0.0), ((6, 3), 0.9), ((6, 3), 1.0)]
)
def test_running_statistics_equal_pytorchs_after_many_batches(
    shape: tuple[int, ...], momentum: float
) -> None:
    theirs = reference(shape, momentum=momentum)
    ours = ours_like(theirs)
    for seed in range(50):
        batch = random(shape, seed=seed)
        ours(batch)
        theirs(batch)
    assert_same_state(ours, theirs)
    assert int(ours.num_batches_tracked) == 50
    torch.testing.assert_close(ours.eval()(random(shape)), theirs.eval()(random(shape)))


def test_momentum_weighs_the_new_statistic_and_the_running_variance_is_unbiased() -> None:
    """By hand: the batch 1, 3 has mean 2, biased variance 1 and unbiased variance 2."""
    norm = BatchNorm(1, momentum=0.1)
    norm(torch.tensor([[1.0], [3.0]]))
    torch.testing.assert_close(norm.running_mean, torch.tensor([0.9 * 0 + 0.1 * 2]))
    torch.testing.assert_close(norm.running_var, torch.tensor([0.9 * 1 + 0.1 * 2]))


def test_without_momentum_the_statistics_are_the_mean_over_all_batches_since_the_last_reset() -> None:
    ours, theirs = BatchNorm(3, momentum=None).double(), nn.BatchNorm2d(3, momentum=None).double()
    for reset_first in (False, True):
        if reset_first:
            ours.reset_running_stats()
            theirs.reset_running_stats()
            assert_same_state(ours, theirs)
        for seed in range(4):
            ours(random((4, 3, 5, 2), seed=seed))
            theirs(random((4, 3, 5, 2), seed=seed))
        assert_same_state(ours, theirs)
    means = torch.stack([random((4, 3, 5, 2), seed=seed).mean((0, 2, 3)) for seed in range(4)])
    torch.testing.assert_close(ours.running_mean, means.mean(0))


@pytest.mark.parametrize("training", [True, False])
def test_without_a_scale_it_equals_pytorchs_without(training: bool) -> None:
    theirs = reference((4, 3, 5, 2)).train(training)
    ours = ours_like(theirs)
    for norm in (ours, theirs):
        norm.register_parameter("weight", None)
    torch.testing.assert_close(ours(random((4, 3, 5, 2))), theirs(random((4, 3, 5, 2))))
    assert_same_state(ours, theirs)


def test_running_statistics_converge_to_those_of_the_data() -> None:
    norm = BatchNorm(3)
    for seed in range(60):
        norm(random((1024, 3), torch.float32, seed))
    torch.testing.assert_close(norm.running_mean, torch.full((3,), 2.0), rtol=0, atol=0.2)
    torch.testing.assert_close(norm.running_var, torch.full((3,), 9.0), rtol=0, atol=0.8)


def test_eval_mode_changes_no_statistic() -> None:
    norm = ours_like(reference((4, 3))).eval()
    before = copy.deepcopy(norm.state_dict())
    norm(random((4, 3)))
    assert all(torch.equal(value, before[name]) for name, value in norm.state_dict().items())


def test_the_mode_is_not_a_question_of_gradients() -> None:
    norm = BatchNorm(3)
    with torch.no_grad():
        norm(random((4, 3), torch.float32))
    assert int(norm.num_batches_tracked) == 1
    norm.eval()(random((4, 3), torch.float32).requires_grad_())
    assert int(norm.num_batches_tracked) == 1


def test_in_eval_mode_a_result_does_not_depend_on_the_rest_of_the_batch() -> None:
    norm = ours_like(reference((8, 3, 4, 4))).eval()
    batch = random((8, 3, 4, 4))
    together = norm(batch)
    for image in range(8):
        assert torch.equal(norm(batch[image : image + 1])[0], together[image])


def test_a_batch_of_one_works_in_eval_mode() -> None:
    theirs = reference((1, 3)).eval()
    torch.testing.assert_close(ours_like(theirs)(random((1, 3))), theirs(random((1, 3))))


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1, 1)])
def test_a_single_value_per_channel_is_refused_in_training_mode_as_by_pytorch(shape: tuple[int, ...]) -> None:
    theirs = reference(shape)
    ours = ours_like(theirs)
    for norm in (ours, theirs):
        with pytest.raises(ValueError, match="more than 1 value per channel"):
            norm(random(shape))
    assert int(ours.num_batches_tracked) == 0
    assert_same_state(ours, reference(shape))


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4), (1, 2, 3, 4, 5)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected an input of shape \(N, C\) or \(N, C, H, W\), got"):
        BatchNorm(3)(torch.zeros(shape))


def test_another_number_of_channels_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected 3 channels, got an input of shape \(2, 4\)"):
        BatchNorm(3)(torch.zeros(2, 4))


def test_an_empty_batch_is_refused_in_training_mode_and_empty_in_eval_mode() -> None:
    norm = BatchNorm(3)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        norm(torch.zeros(0, 3))
    assert norm.eval()(torch.zeros(0, 3)).shape == (0, 3)


def test_parameters_out_of_range_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="num_features must be at least 1, got 0"):
        BatchNorm(0)
    with pytest.raises(ValueError, match="eps must be greater than 0, got 0"):
        BatchNorm(3, eps=0)
    for momentum in (-0.1, 1.1):
        with pytest.raises(ValueError, match=rf"momentum must be in 0\.\.1, or None, got {momentum}"):
            BatchNorm(3, momentum=momentum)


def test_its_repr_tells_its_parameters() -> None:
    assert repr(BatchNorm(3, momentum=0.2)) == "BatchNorm(3, eps=1e-05, momentum=0.2)"
