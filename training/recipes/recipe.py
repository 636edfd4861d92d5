"""A recipe: everything that decides the outcome of a training run, as one frozen value."""

from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Literal

from pydantic import JsonValue

from models import ARCHITECTURES
from models.architectures.initialization import INITIALIZATIONS
from models.augmentations import Compose, to_spec


@dataclass(frozen=True)
class Stage:
    """`epochs` epochs on images of `image_size` × `image_size` pixels. Small images first cost less."""

    epochs: int
    image_size: int


@dataclass(frozen=True)
class Restart:
    """From `epoch`, counted from 0, the schedule begins anew and rises to `learning_rate`.

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017,
    https://arxiv.org/abs/1608.03983; here with this recipe's schedule in place of their cosine.
    """

    epoch: int
    learning_rate: float


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that decides a run, apart from its data, its seed and the machine.

    Raises `ValueError` naming the field for a value outside its range.
    """

    name: str
    """What `--recipe` takes."""
    architecture: str
    """A key of `models.ARCHITECTURES`."""
    norm_layer: Literal["ours", "torch"]
    """`models.batch_norm.layer.BatchNorm`, or the same from `nn.BatchNorm2d`, fused and so faster."""
    initialization: str
    """A key of `models.architectures.initialization.INITIALIZATIONS`."""
    whiten_stem: bool = False
    """Start the first convolution from the whitening filters of the training images' patches, and keep it."""
    zero_init_residual: bool = False
    """Start every residual block as its shortcut: the scale of its last batch norm is 0 at first."""
    stages: tuple[Stage, ...]
    """Progressive resolution: run in this order; the last one gives the artifact's input size."""
    batch_size: int
    optimizer: Literal["sgd", "adam"]
    """SGD with Nesterov momentum, or Adam."""
    learning_rate: float
    """The peak of the schedule."""
    schedule: Literal["constant", "linear"]
    """`linear` rises over `warmup` and then falls to 0 at the last step; `constant` stays at the peak."""
    warmup: float = 0.0
    """Share of all steps in which the rate rises from 0, 0..1; with restarts, of the steps of each cycle."""
    restarts: tuple[Restart, ...] = ()
    """Where the schedule begins anew, in order."""
    momentum: float = 0.9
    weight_decay: float = 0.0
    """On convolution and linear weights; on batch norm with `decay_batch_norm`, never on other biases."""
    batch_norm_rate_scale: float = 1.0
    """The learning rate of batch norm's scale and shift, as a multiple of that of everything else."""
    decay_batch_norm: bool = False
    """Shrink batch norm's parameters too, by the same share a step as the weights, whatever their rate."""
    label_smoothing: float = 0.0
    gradient_clip: float | None = None
    """Largest norm of the gradient of all parameters together; None leaves it alone."""
    ema_decay: float | None = None
    """Exponential moving average of the weights over steps; its weights are the result. None: no average."""
    reestimate_batch_norm: int = 0
    """Batches of the training images, augmented as in training, over which the finished weights' running
    statistics are taken anew; 0 keeps those that were gathered on the way."""
    lookahead: int | None = None
    """Steps after which the weights go back to slower ones (see `training.loop.lookahead`). None: never."""
    augmentation: Compose
    """Applied in its order to images (N, 3, H, W) in 0..1."""
    alternating_flip: bool = False
    """Flip each image in every other epoch, a random half of them first, in place of a random flip.

    Source: Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024, https://arxiv.org/abs/2404.00498.
    """
    mixup_alpha: float | None = None
    """Mix whole images with shares from Beta(alpha, alpha); see `training.loop.mixing`. None: no MixUp."""
    cutmix_alpha: float | None = None
    """Put a box of another image in, with shares from Beta(alpha, alpha). With both, either in each batch."""
    balance: Literal["none", "loss", "sampling"] = "none"
    """Of unequal classes: leave them so, weight the loss by a class's inverse frequency, or draw an epoch's
    images with replacement so that all classes are as frequent."""
    init: str | None = None
    """The artifact whose weights the run starts from: name, version and digest. None: random weights."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Autocast type; `auto` is bfloat16 where the device computes it natively, float32 elsewhere."""
    compile: bool = False
    """Whether the network runs through `torch.compile`."""
    compile_mode: Literal["default", "reduce-overhead", "max-autotune"] = "default"
    """Of `torch.compile`; all but the default replay CUDA graphs, so that kernels need no launch each."""
    sync_batch_norm: bool = False
    """Of several processes: normalise by the batch of all of them, as one process with that batch would, and
    not each by its own share, of which the first one's running statistics are then kept."""
    held_out: int = 0
    """Training images kept apart to make choices on. Without any, epochs are watched on the test set."""

    def __post_init__(self) -> None:
        checks = {
            "architecture": (self.architecture in ARCHITECTURES, f"one of {', '.join(ARCHITECTURES)}"),
            "initialization": (
                self.initialization in INITIALIZATIONS,
                f"one of {', '.join(INITIALIZATIONS)}",
            ),
            "stages": (
                len(self.stages) > 0 and all(s.epochs >= 0 and s.image_size >= 1 for s in self.stages),
                "at least one stage of 0 or more epochs at 1 or more pixels",
            ),
            "epochs": (self.epochs >= 1, "at least 1"),
            "batch_size": (self.batch_size >= 2, "at least 2, for batch norm needs a batch"),
            "learning_rate": (self.learning_rate > 0, "greater than 0"),
            "warmup": (0 <= self.warmup < 1, "at least 0 and less than 1"),
            "restarts": (
                all(r.learning_rate > 0 for r in self.restarts)
                and all(a < b for a, b in pairwise((0, *(r.epoch for r in self.restarts), self.epochs))),
                "at rising epochs between the first and the last, with learning rates greater than 0",
            ),
            "momentum": (0 <= self.momentum < 1, "at least 0 and less than 1"),
            "weight_decay": (self.weight_decay >= 0, "at least 0"),
            "label_smoothing": (0 <= self.label_smoothing < 1, "at least 0 and less than 1"),
            "gradient_clip": (
                self.gradient_clip is None or self.gradient_clip > 0,
                "greater than 0, or None",
            ),
            "ema_decay": (self.ema_decay is None or 0 < self.ema_decay < 1, "between 0 and 1, or None"),
            "batch_norm_rate_scale": (self.batch_norm_rate_scale > 0, "greater than 0"),
            "reestimate_batch_norm": (self.reestimate_batch_norm >= 0, "at least 0"),
            "lookahead": (self.lookahead is None or self.lookahead >= 1, "at least 1, or None"),
            "mixup_alpha": (self.mixup_alpha is None or self.mixup_alpha > 0, "greater than 0, or None"),
            "cutmix_alpha": (self.cutmix_alpha is None or self.cutmix_alpha > 0, "greater than 0, or None"),
            "held_out": (self.held_out >= 0, "at least 0"),
        }
        for field, (fine, expected) in checks.items():
            if not fine:
                raise ValueError(f"recipe {self.name!r}: {field} must be {expected}")

    @property
    def epochs(self) -> int:
        return sum(stage.epochs for stage in self.stages)

    def image_size_at(self, epoch: int) -> int:
        """The image size of `epoch`, counted from 0."""
        for stage in self.stages:
            if epoch < stage.epochs:
                return stage.image_size
            epoch -= stage.epochs
        return self.stages[-1].image_size

    def with_epochs(self, epochs: int) -> "Recipe":
        """The same recipe over `epochs` epochs, every stage and cycle keeping its share.

        A restart for which too few epochs are left falls away.
        """
        stages, before, given = [], 0, 0
        for stage in self.stages:
            before += stage.epochs
            until = round(epochs * before / self.epochs)
            stages.append(Stage(until - given, stage.image_size))
            given = until
        restarts: dict[int, Restart] = {}
        for restart in self.restarts:
            epoch = round(epochs * restart.epoch / self.epochs)
            if 0 < epoch < epochs:
                restarts[epoch] = replace(restart, epoch=epoch)
        return replace(self, stages=tuple(stages), restarts=tuple(restarts.values()))

    def to_json(self) -> dict[str, JsonValue]:
        """The recipe as JSON values, as the checkpoint and the artifact carry it."""
        values = asdict(self)
        del values["augmentation"]
        augmentation: list[JsonValue] = list(to_spec(self.augmentation))
        return {
            **values,
            "stages": list(values["stages"]),
            "restarts": list(values["restarts"]),
            "augmentation": augmentation,
        }
