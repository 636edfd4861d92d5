"""Our batch norm against PyTorch's: the same numbers, gradients, statistics and state dict."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from models.batch_norm.layer import BatchNorm

SHAPES = [(6, 3), (2, 3), (4, 3, 5, 2), (1, 3, 4, 4), (2, 3, 1, 1)]


def random(shape: tuple[int, ...], dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    """Values around 2 with a deviation of 3, far from what is already normalised."""
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(seed)) * 3 + 2


def reference(shape: tuple[int, ...], momentum: float = 0.1) -> nn.BatchNorm1d | nn.BatchNorm2d:
    """PyTorch's batch norm for `shape` with scale, shift and statistics that are not the initial ones."""
    theirs = (nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d)(shape[1], momentum=momentum).double()
    with torch.no_grad():
        theirs.weight.copy_(torch.linspace(0.5, 2, shape[1]))
        theirs.bias.copy_(torch.linspace(-1, 1, shape[1]))
        theirs.running_mean = torch.linspace(-2, 3, shape[1], dtype=torch.float64)
        theirs.running_var = torch.linspace(0.3, 4, shape[1], dtype=torch.float64)
    return theirs


def ours_like(theirs: nn.BatchNorm1d | nn.BatchNorm2d) -> BatchNorm:
    assert theirs.momentum is not None
    ours = BatchNorm(theirs.num_features, theirs.eps, theirs.momentum).to(theirs.weight.dtype)
    ours.load_state_dict(theirs.state_dict())
    return ours.train(theirs.training)


def assert_same_state(ours: nn.Module, theirs: nn.Module) -> None:
    torch.testing.assert_close(dict(ours.state_dict()), dict(theirs.state_dict()))


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


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(16, 3), (4, 3, 5, 2)])
def test_half_precision_is_normalised_in_float32_as_by_pytorch(
    shape: tuple[int, ...], training: bool, dtype: torch.dtype
) -> None:
    theirs = reference(shape).float().train(training)
    ours = ours_like(theirs)
    batch = random(shape, dtype)
    result = ours(batch)
    assert result.dtype == dtype
    # Both round a float32 value once, so they may differ by one step of the half type, and around 0 by what
    # float32 leaves of a difference of nearly equal numbers.
    torch.testing.assert_close(result, theirs(batch), rtol=2 * torch.finfo(dtype).eps, atol=1e-5)
    assert ours.running_mean.dtype == torch.float32
    assert_same_state(ours, theirs)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_large_half_precision_values_do_not_overflow(dtype: torch.dtype) -> None:
    """The square of 1000 is beyond float16."""
    norm = BatchNorm(1)
    result = norm(torch.tensor([[-1000.0], [1000.0]], dtype=dtype))
    assert result.flatten().tolist() == [-1, 1]
    torch.testing.assert_close(norm.running_var, torch.tensor([0.9 + 0.1 * 2e6]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_module_itself_can_be_moved_to_another_type(dtype: torch.dtype) -> None:
    norm = ours_like(reference((4, 3)).float()).to(dtype)
    assert norm.num_batches_tracked.dtype == torch.long
    batch = random((4, 3), dtype)
    for training in (True, False):
        assert norm.train(training)(batch).dtype == dtype
    assert norm.running_mean.dtype == norm.running_var.dtype == norm.weight.dtype == dtype


@pytest.mark.parametrize("make", [nn.BatchNorm1d, nn.BatchNorm2d])
def test_the_state_dict_goes_to_pytorch_and_back(
    make: Callable[[int], nn.BatchNorm1d | nn.BatchNorm2d],
) -> None:
    shape = (4, 3) if make is nn.BatchNorm1d else (4, 3, 2, 2)
    ours = ours_like(reference(shape)).float()
    ours(random(shape, torch.float32))

    theirs = make(3)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    assert_same_state(theirs, ours)
    theirs(random(shape, torch.float32, seed=1))

    again = BatchNorm(3)
    again.load_state_dict(theirs.state_dict(), strict=True)
    assert_same_state(again, theirs)
    assert int(again.num_batches_tracked) == 2


def test_a_copy_shares_no_statistics() -> None:
    norm = BatchNorm(3)
    copied = copy.deepcopy(norm)
    norm(random((4, 3), torch.float32))
    assert int(copied.num_batches_tracked) == 0
    assert torch.equal(copied.running_mean, torch.zeros(3))


def test_everything_moves_to_another_device() -> None:
    """The meta device is a device that every machine has; it holds shapes only."""
    norm = BatchNorm(3).to("meta")
    assert {value.device.type for value in norm.state_dict().values()} == {"meta"}
    for training in (True, False):
        assert norm.train(training)(torch.empty(4, 3, 2, 2, device="meta")).shape == (4, 3, 2, 2)
    assert {value.device.type for value in norm.state_dict().values()} == {"meta"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("training", [True, False])
def test_on_a_gpu_results_equal_those_on_the_cpu(training: bool) -> None:
    on_cpu = ours_like(reference((4, 3, 5, 2)).train(training))
    on_gpu = copy.deepcopy(on_cpu).cuda()
    batch = random((4, 3, 5, 2))
    torch.testing.assert_close(on_gpu(batch.cuda()).cpu(), on_cpu(batch))
    assert_same_state(on_gpu.cpu(), on_cpu)


def test_channels_last_gives_the_same_and_stays_channels_last() -> None:
    norm = ours_like(reference((2, 3, 4, 4))).eval()
    batch = random((2, 3, 4, 4))
    result = norm(batch.to(memory_format=torch.channels_last))
    assert result.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(result, norm(batch))


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
