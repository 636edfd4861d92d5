"""What a stored model says about itself: one JSON, in which no field has a default."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from models import ARCHITECTURES
from models.preprocessing.transform import Preprocessing

MODEL_FILE = "model.safetensors"
INT8_NETWORK_FILE = "int8.xml"
INT8_WEIGHTS_FILE = "int8.bin"

SCHEMA_VERSION: Literal[2] = 2

Text = Annotated[str, Field(min_length=1, max_length=1000)]
Label = Annotated[str, Field(min_length=1, max_length=200)]
Count = Annotated[int, Field(ge=1, le=10**12)]
LEAST_STD = 1e-4
"""Of values in 0..1 in 256 steps; less would make of a rounding error a colour."""

Share = Annotated[float, Field(ge=0, le=1)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
# Names and versions become folder names and parts of addresses.
Slug = Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class Strict(BaseModel):
    """A record that takes its fields as they are, all of them and no others, and never changes."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class ModelMetrics(Strict):
    """What a network reaches on the test set, in one forward pass per image.

    `accuracy` and `per_class_accuracy` are shares in 0..1, `images` the number of test images,
    `negative_log_likelihood` the mean in nats, `expected_calibration_error` a share in 0..1.
    """

    accuracy: Share
    images: Count
    negative_log_likelihood: Annotated[float, Field(ge=0, le=1e6)]
    expected_calibration_error: Share
    per_class_accuracy: dict[str, Share]


class Dataset(Strict):
    """What the model was trained on; `sha256` is the digest of the data, the counts are images."""

    name: Text
    sha256: Sha256
    train_images: Count
    held_out_images: Annotated[int, Field(ge=0)]
    test_images: Annotated[int, Field(ge=0)]


class Int8(Strict):
    """The int8 network that lies beside the weights, and what rounding them so far cost.

    It is an OpenVINO IR in the files `INT8_NETWORK_FILE` and `INT8_WEIGHTS_FILE`: normalised images, float32
    (N, C, S, S) with any N, to logits, float32 (N, classes). `calibration_images` is the number of training
    images that its ranges were taken from. The accuracies of int8 and of the stored weights in float32 are
    shares in 0..1 of the same held-out images. `metrics` are those of the int8 network on the test set.
    """

    method: Literal["post-training", "accuracy-controlled"]
    calibration_images: Count
    held_out_accuracy: Share
    held_out_accuracy_float32: Share
    held_out_images: Count
    metrics: ModelMetrics


class ModelDescription(Strict):
    """Everything about a model but the digests of its files.

    `temperature` divides the logits before the softmax, so that probabilities are calibrated. `weights_dtype`
    is the type of the stored tensors of two or more dimensions. `metrics` are those of the stored weights on
    the test set, in float32 arithmetic. `int8` is None where no int8 network was exported. `created` is a
    time in ISO 8601, UTC.
    """

    schema_version: Literal[2]
    name: Slug
    version: Slug
    architecture: str
    in_channels: int
    classes: Annotated[tuple[Label, ...], Field(min_length=1, max_length=100_000)]
    input_size: Annotated[int, Field(ge=1, le=2048)]
    interpolation: str
    mean: tuple[Annotated[float, Field(ge=-10, le=10)], ...]
    std: tuple[Annotated[float, Field(le=10)], ...]
    temperature: Annotated[float, Field(ge=0.001, le=1000)]
    weights_dtype: Literal["float32", "float16", "bfloat16"]
    metrics: ModelMetrics
    int8: Int8 | None
    recipe: dict[str, JsonValue]
    dataset: Dataset
    hardware: Text
    training_seconds: Annotated[float, Field(ge=0, le=1e12)]
    library_versions: dict[str, str]
    created: str

    @field_validator("architecture")
    @classmethod
    def _architecture_is_known(cls, value: str) -> str:
        if value not in ARCHITECTURES:
            raise ValueError(f"unknown architecture {value!r}: choose from {', '.join(ARCHITECTURES)}")
        return value

    @field_validator("classes")
    @classmethod
    def _classes_are_unique(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        repeated = sorted(name for name, count in Counter(value).items() if count > 1)
        if repeated:
            raise ValueError(f"every class may occur once, repeated: {', '.join(repeated)}")
        return value

    @field_validator("created")
    @classmethod
    def _created_is_utc(cls, value: str) -> str:
        try:
            offset = datetime.fromisoformat(value).utcoffset()
        except ValueError:
            offset = None
        if offset != timedelta(0):
            raise ValueError(
                f"must be a time in ISO 8601 and UTC such as 2026-01-31T12:00:00Z, got {value!r}"
            )
        return value

    @field_validator("std")
    @classmethod
    def _std_does_not_blow_up(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if any(0 < each < LEAST_STD for each in value):
            raise ValueError(f"must hold numbers of at least {LEAST_STD}, got {value}")
        return value

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        Preprocessing.from_metadata(self)
        self._require_accuracy_of_every_class("metrics", self.metrics)
        if self.int8 is not None:
            self._require_accuracy_of_every_class("int8.metrics", self.int8.metrics)
            counts = (
                ("int8.metrics.images", self.int8.metrics.images, "metrics.images", self.metrics.images),
                (
                    "int8.held_out_images",
                    self.int8.held_out_images,
                    "dataset.held_out_images",
                    self.dataset.held_out_images,
                ),
            )
            for field, count, other, expected in counts:
                if count != expected:
                    raise ValueError(f"{field} must equal {other}, {expected}, got {count}")
        return self

    def _require_accuracy_of_every_class(self, field: str, metrics: ModelMetrics) -> None:
        measured = set(metrics.per_class_accuracy)
        if measured != set(self.classes):
            differing = ", ".join(sorted(measured ^ set(self.classes)))
            raise ValueError(
                f"{field}.per_class_accuracy must have the classes as its keys, differing: {differing}"
            )


class ModelMetadata(ModelDescription):
    """The whole of what is stored: the description and the digests.

    `tensors_sha256` covers the names, types, shapes and bytes of all tensors. `files` maps the name of every
    other file in the folder to the SHA-256 of its bytes.
    """

    tensors_sha256: Sha256
    files: dict[str, Sha256]

    @field_validator("files")
    @classmethod
    def _files_lie_in_the_folder(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if name in ("", ".", "..") or any(character in name for character in "/\\\0"):
                raise ValueError(f"{name!r} is not the plain name of a file in the model's folder")
            if name == MODEL_FILE:
                raise ValueError(f"{MODEL_FILE!r} holds this list and cannot be on it")
        return value

    @model_validator(mode="after")
    def _int8_and_its_files_belong_together(self) -> Self:
        for name in (INT8_NETWORK_FILE, INT8_WEIGHTS_FILE):
            if self.int8 is not None and name not in self.files:
                raise ValueError(f"int8 is described, but files does not list {name}")
            if self.int8 is None and name in self.files:
                raise ValueError(f"files lists {name}, but int8 is null")
        return self
