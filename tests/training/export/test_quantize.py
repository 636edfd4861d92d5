"""int8 networks: ranges from training images alone, and none is exported that loses more than it may."""

import ctypes
import io
from dataclasses import replace

import pytest
import torch
from rich.console import Console
from torch import Tensor, nn
from torch.nn import functional as F

from models.engines.quiet_openvino import CORE
from models.preprocessing.transform import Preprocessing
from tests.support.small_model import CLASSES, DESCRIPTION, lenet, random_images
from training.data.cifar10 import ImageData, Split
from training.evaluation.engines import engine_logits
from training.evaluation.evaluate import predict
from training.export.quantize import CALIBRATION_IMAGES, Quantized, Samples, calibration_images, quantize

PREPROCESSING = Preprocessing.from_metadata(DESCRIPTION)


def data_labelled_by(
    model: nn.Module, held_out: int, preprocessing: Preprocessing = PREPROCESSING
) -> ImageData:
    """Noise that `model` in float32 gets right: of four times as many images, those it is surest of."""

    def split(count: int, seed: int) -> Split:
        images = random_images(4 * count, seed=seed)
        logits = predict(model, images, preprocessing)
        best, second = logits.topk(2).values.unbind(1)
        surest = (best - second).argsort(descending=True)[:count]
        return Split(images[surest], logits[surest].argmax(1))

    return ImageData(
        "noise", CLASSES, split(40, 1), split(held_out, 2), split(10, 3), (0.5,) * 3, (0.25,) * 3, "0" * 64
    )


def run(
    model: nn.Module, data: ImageData, logits: Tensor, preprocessing: Preprocessing = PREPROCESSING
) -> tuple[Quantized | None, str]:
    """The result, and what the console showed."""
    shown = io.StringIO()
    console = Console(file=shown, width=200)
    quantized = quantize(model, preprocessing, data, logits, name="small", console=console)
    return quantized, shown.getvalue()


def signal_stack() -> tuple[int | None, int]:
    """Where this thread's stack for signal handlers lies, and its size in bytes."""

    class Stack(ctypes.Structure):
        _fields_ = (("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))

    stack = Stack()
    assert ctypes.CDLL(None).sigaltstack(None, ctypes.byref(stack)) == 0
    return stack.start, stack.size


def relabel(split: Split, count: int) -> None:
    """Turn the first `count` labels into others, which the network then gets wrong."""
    split.labels[:count] = (split.labels[:count] + 1) % len(CLASSES)


def right_logits(labels: Tensor) -> Tensor:
    """Logits of a float32 network that gets every image right, as no rounding of ours does."""
    return F.one_hot(labels, len(CLASSES)).float()


def int8_weights(quantized: Quantized) -> int:
    """How many arrays of the network are stored in 8 bits."""
    return quantized.ir.xml.count(b'<data element_type="i8"')


@pytest.fixture(scope="module")
def quantized_lenet() -> tuple[Quantized | None, str]:
    return run_lenet()


def run_lenet() -> tuple[Quantized | None, str]:
    data = data_labelled_by(lenet(), held_out=60)
    return run(lenet(), data, predict(lenet(), data.held_out.images, PREPROCESSING))


def test_a_network_is_quantised_and_stays_as_good(quantized_lenet: tuple[Quantized | None, str]) -> None:
    quantized, shown = quantized_lenet
    assert quantized is not None
    assert (quantized.method, quantized.calibration_images) == ("post-training", 40)
    assert quantized.held_out_accuracy == quantized.held_out_accuracy_float32 == 1
    assert shown == "int8, post-training: 60 of 60 validation images right, float32 60\n"

    assert int8_weights(quantized) == 4  # all but the first convolution
    images = random_images(10, seed=4)
    logits, float32 = engine_logits(quantized.engine, images), predict(lenet(), images, PREPROCESSING)
    assert not torch.equal(logits, float32)
    torch.testing.assert_close(logits, float32, rtol=0, atol=0.1)


def test_the_same_run_gives_the_same_bytes(quantized_lenet: tuple[Quantized | None, str]) -> None:
    first, second = quantized_lenet[0], run_lenet()[0]
    assert first is not None
    assert second is not None
    assert (first.ir.xml, first.ir.weights) == (second.ir.xml, second.ir.weights)


class OneLoudChannel(nn.Module):
    """Two convolutions; a channel between them is loud but unheard, and takes the 8 bits from all others."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.first = nn.Conv2d(3, 8, 3, stride=2)
            self.second = nn.Conv2d(8, 16, 3, stride=2)
            self.classifier = nn.Linear(16, len(CLASSES))
            with torch.no_grad():
                self.first.weight[0] *= 1e5
                self.second.weight[:, 0] = 0

    def forward(self, images: Tensor) -> Tensor:
        features = F.relu(self.second(F.relu(self.first(images))))
        logits: Tensor = self.classifier(features.mean((2, 3)))
        return logits


def test_a_network_that_is_ruined_gets_single_layers_back_in_float32() -> None:
    model = OneLoudChannel().eval()
    data = data_labelled_by(model, held_out=40)
    CORE.get_versions("CPU")
    before = signal_stack()
    quantized, shown = run(model, data, predict(model, data.held_out.images, PREPROCESSING))
    assert signal_stack() == before, "a signal to this thread would end the process"
    ruined, rescued = shown.splitlines()
    assert ruined.startswith("int8, post-training: ")
    assert int(ruined.split()[2]) < 40
    assert rescued == "int8, accuracy-controlled: 40 of 40 validation images right, float32 40"
    assert quantized is not None
    assert quantized.method == "accuracy-controlled"
    assert 0 < int8_weights(quantized) < 3


class DeafToRed(nn.Module):
    """One linear layer, which hears nothing of the first channel."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.classifier = nn.Linear(3 * 16 * 16, len(CLASSES))
            with torch.no_grad():
                self.classifier.weight[:, : 16 * 16] = 0

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.classifier(images.flatten(1))
        return logits


def test_a_network_of_which_no_layer_stays_in_int8_is_not_exported() -> None:
    loud_red = replace(PREPROCESSING, std=(1e-6, 0.25, 0.25))
    model = DeafToRed().eval()
    data = data_labelled_by(model, held_out=40, preprocessing=loud_red)
    quantized, shown = run(model, data, predict(model, data.held_out.images, loud_red), loud_red)
    assert quantized is None
    assert shown.splitlines()[1:] == [
        "int8, accuracy-controlled: no layer of the network is left in int8",
        "no int8: it may lose at most 0 of 40 validation images",
    ]


@pytest.mark.parametrize(("lost", "fit"), [(1, True), (2, False)])
def test_one_validation_image_in_a_thousand_may_be_lost(lost: int, fit: bool) -> None:
    model = lenet()
    data = data_labelled_by(model, held_out=1000)
    relabel(data.held_out, lost)
    quantized, shown = run(model, data, right_logits(data.held_out.labels))
    assert f"int8, post-training: {1000 - lost} of 1,000 validation images right, float32 1,000\n" in shown
    assert (quantized is not None) == fit


def test_a_network_that_cannot_be_kept_as_good_is_not_exported() -> None:
    model = lenet()
    data = data_labelled_by(model, held_out=30)
    relabel(data.held_out, 2)
    quantized, shown = run(model, data, right_logits(data.held_out.labels))
    assert quantized is None
    assert shown.splitlines() == [
        "int8, post-training: 28 of 30 validation images right, float32 30",
        "int8, accuracy-controlled: 28 of 30 validation images right, float32 30",
        "no int8: it may lose at most 0 of 30 validation images",
    ]


def test_without_a_validation_set_there_is_none_and_the_reason_is_told() -> None:
    model = lenet()
    data = data_labelled_by(model, held_out=0)
    quantized, shown = run(model, data, torch.empty(0, len(CLASSES)))
    assert quantized is None
    assert shown == "no int8: there is no validation set to judge it on\n"


def test_calibration_takes_some_of_the_images_once_each_normalised_as_for_serving() -> None:
    images = random_images(CALIBRATION_IMAGES + 200)
    chosen = calibration_images(images, PREPROCESSING)
    assert len(chosen) == CALIBRATION_IMAGES
    assert {image.shape for image in chosen} == {(1, 3, 16, 16)}
    normalised = {image.numpy().tobytes() for image in PREPROCESSING.normalize(images)}
    assert {image.tobytes() for image in chosen} < normalised
    assert len({image.tobytes() for image in chosen}) == CALIBRATION_IMAGES


def test_calibration_takes_the_same_images_every_time_and_not_the_first_ones() -> None:
    images = random_images(CALIBRATION_IMAGES + 200)
    first, second = (calibration_images(images, PREPROCESSING) for _ in range(2))
    assert all((a == b).all() for a, b in zip(first, second, strict=True))
    beginning = PREPROCESSING.normalize(images[:1]).numpy()
    assert not (first[0] == beginning).all()


def test_calibration_takes_all_images_where_there_are_few() -> None:
    assert len(calibration_images(random_images(7), PREPROCESSING)) == 7


def test_validation_images_are_normalised_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    split = Split(random_images(5), torch.tensor([2, 0, 1, 1, 0]))
    expected = PREPROCESSING.normalize(split.images).numpy()
    counts: list[int] = []
    normalize = Preprocessing.normalize

    def counted(self: Preprocessing, images: Tensor) -> Tensor:
        counts.append(len(images))
        return normalize(self, images)

    monkeypatch.setattr(Preprocessing, "normalize", counted)
    samples = Samples(split, PREPROCESSING)
    assert (len(samples), counts) == (5, [])
    for number, (image, label) in enumerate(samples):
        assert (image == expected[number : number + 1]).all()
        assert label == split.labels[number] == samples[number][1]
    assert set(counts) == {1}
