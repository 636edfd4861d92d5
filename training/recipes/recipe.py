"""A recipe: everything that decides the outcome of a training run, as one frozen value."""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    field_validator,
    model_validator,
)

from models import ARCHITECTURES
from models.architectures.initialization import INITIALIZATIONS
from models.artifact.store import ArtifactError, ModelDescription
from models.augmentations import Spec

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
BelowOne = Annotated[float, Field(ge=0, lt=1)]


class Checked(BaseModel):
    """A record whose fields are checked when it is made, and which never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


class Stage(Checked):
    """`epochs` epochs on images of `image_size` × `image_size` pixels. Small images first cost less."""

    epochs: int = Field(ge=0)
    image_size: int = Field(ge=1)


class Restart(Checked):
    """From `epoch`, counted from 0, the schedule begins anew and rises to `learning_rate`.

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017,
    https://arxiv.org/abs/1608.03983; here with this recipe's schedule in place of their cosine.
    """

    epoch: int
    learning_rate: Positive


class Recipe(Checked):
    """All that decides a run, apart from its data, its seed and the machine.

    A new one is a file in this folder and one line in `RECIPES`. Raises pydantic's `ValidationError`, a
    `ValueError` that names the field, for a value outside its range.
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
    stages: Annotated[tuple[Stage, ...], Field(min_length=1)]
    """Progressive resolution: run in this order; the last one gives the artifact's input size."""
    batch_size: int = Field(ge=2)
    optimizer: Literal["sgd", "adam"]
    """SGD with Nesterov momentum, or Adam."""
    learning_rate: Positive
    """The peak of the schedule."""
    schedule: Literal["constant", "linear"]
    """`linear` rises over `warmup` and then falls to 0 at the last step; `constant` stays at the peak."""
    warmup: BelowOne = 0.0
    """Share of all steps in which the rate rises from 0, 0..1; with restarts, of the steps of each cycle."""
    restarts: tuple[Restart, ...] = ()
    """Where the schedule begins anew, in order."""
    momentum: BelowOne = 0.9
    weight_decay: NotNegative = 0.0
    """On convolution and linear weights; on batch norm with `decay_batch_norm`, never on other biases."""
    batch_norm_rate_scale: Positive = 1.0
    """The learning rate of batch norm's scale and shift, as a multiple of that of everything else."""
    decay_batch_norm: bool = False
    """Shrink batch norm's parameters too, by the same share a step as the weights, whatever their rate."""
    label_smoothing: BelowOne = 0.0
    gradient_clip: Positive | None = None
    """Largest norm of the gradient of all parameters together; None leaves it alone."""
    ema_decay: Annotated[float, Field(gt=0, lt=1)] | None = None
    """Exponential moving average of the weights over steps; its weights are the result. None: no average."""
    reestimate_batch_norm: int = Field(0, ge=0)
    """Batches of the training images, augmented as in training, over which the finished weights' running
    statistics are taken anew; 0 keeps those that were gathered on the way."""
    lookahead: Annotated[int, Field(ge=1)] | None = None
    """Steps after which the weights go back to slower ones (see `training.loop.lookahead`). None: never."""
    alternating_flip: bool = False
    """Flip each image in every other epoch, a random half of them first, in place of a random flip.

    Source: Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU", 2024, https://arxiv.org/abs/2404.00498.
    """
    mixup_alpha: Positive | None = None
    """Mix whole images with shares from Beta(alpha, alpha); see `training.loop.mixing`. None: no MixUp."""
    cutmix_alpha: Positive | None = None
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
    held_out: int = Field(0, ge=0)
    """Training images kept apart as the validation set, to make choices on. Without any, epochs are watched
    on the test set."""
    augmentation: Spec
    """Applied in its order to images (N, 3, H, W) in 0..1."""

    @field_validator("architecture")
    @classmethod
    def _architecture_is_known(cls, value: str) -> str:
        return _one_of(ARCHITECTURES, value)

    @field_validator("initialization")
    @classmethod
    def _initialization_is_known(cls, value: str) -> str:
        return _one_of(INITIALIZATIONS, value)

    @model_validator(mode="after")
    def _epochs_fit(self) -> Self:
        if self.epochs < 1:
            raise ValueError("stages must have at least 1 epoch together")
        starts = [0, *(restart.epoch for restart in self.restarts), self.epochs]
        if any(before >= after for before, after in pairwise(starts)):
            raise ValueError("restarts must be at rising epochs between the first and the last")
        return self

    @classmethod
    def from_json(cls, values: Mapping[str, JsonValue]) -> Self:
        """Read back what `to_json` gave, perhaps long ago.

        A field that recipes did not have yet counts as its default, one that they have no more is left out.
        Raises pydantic's `ValidationError`.
        """
        return cls.model_validate({name: value for name, value in values.items() if name in cls.model_fields})

    def to_json(self) -> dict[str, JsonValue]:
        """The recipe as JSON values, as the checkpoint and the artifact carry it."""
        return self.model_dump(mode="json")

    def changed(self, **values: object) -> Self:
        """The same recipe with other `values`, checked like a new one."""
        return type(self).model_validate({**dict(self), **values})

    @property
    def epochs(self) -> int:
        """Of all stages together."""
        return sum(stage.epochs for stage in self.stages)

    def image_size_at(self, epoch: int) -> int:
        """The image size of `epoch`, counted from 0."""
        for stage in self.stages:
            if epoch < stage.epochs:
                return stage.image_size
            epoch -= stage.epochs
        return self.stages[-1].image_size

    def with_epochs(self, epochs: int) -> Self:
        """The same recipe over `epochs` epochs, every stage and cycle keeping its share.

        A restart for which too few epochs are left falls away.
        """
        stages, before, given = [], 0, 0
        for stage in self.stages:
            before += stage.epochs
            until = round(epochs * before / self.epochs)
            stages.append(Stage(epochs=until - given, image_size=stage.image_size))
            given = until
        restarts: dict[int, Restart] = {}
        for restart in self.restarts:
            epoch = round(epochs * restart.epoch / self.epochs)
            if 0 < epoch < epochs:
                restarts[epoch] = Restart(epoch=epoch, learning_rate=restart.learning_rate)
        return self.changed(stages=tuple(stages), restarts=tuple(restarts.values()))


class RecordedRecipe(Recipe):
    """A recipe as an artifact records it, with the seed of the run."""

    seed: int
    extended_after: tuple[int, ...] = ()
    """Epochs after which the run was finished and then given more."""

    @classmethod
    def of(cls, description: ModelDescription) -> Self:
        """That of an artifact. Raises `ArtifactError`."""
        try:
            return cls.from_json(description.recipe)
        except ValidationError as error:
            raise ArtifactError(
                f"the recipe of {description.name}, version {description.version}, cannot be read: {error}"
            ) from error


def _one_of(names: Iterable[str], value: str) -> str:
    if value not in names:
        raise ValueError(f"must be one of {', '.join(names)}, got {value!r}")
    return value
