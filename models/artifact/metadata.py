"""What a stored model says about itself: one JSON.

Only fields that models of this schema were stored without have a default, which says that there is none.
"""

from collections import Counter
from datetime import datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator, model_validator

from models import ARCHITECTURES
from models.preprocessing.transform import Preprocessing
from models.unfamiliarity import SCORES

MODEL_FILE = "model.safetensors"
FLOAT32_NETWORK_FILE = "float32.xml"
FLOAT32_WEIGHTS_FILE = "float32.bin"
"""The same function as the stored weights, as an OpenVINO IR: it is served without PyTorch. A model with an
int8 network need not have it."""
INT8_NETWORK_FILE = "int8.xml"
INT8_WEIGHTS_FILE = "int8.bin"
DETECTOR_FILE = "unfamiliarity.safetensors"
INT8_DETECTOR_FILE = "unfamiliarity-int8.safetensors"

SCHEMA_VERSION: Literal[2] = 2

Text = Annotated[str, Field(min_length=1, max_length=1000)]
LONGEST_LABEL = 200
"""Characters of a class's name."""
MOST_CLASSES = 100_000
Label = Annotated[str, Field(min_length=1, max_length=LONGEST_LABEL)]
Count = Annotated[int, Field(ge=1, le=10**12)]
LARGEST_INPUT = 2048
"""Pixels a side."""
LEAST_STD = 1e-4
"""Of values in 0..1 in 256 steps; less would make of a rounding error a colour."""

Share = Annotated[float, Field(ge=0, le=1)]
Temperature = Annotated[float, Field(ge=0.001, le=1000)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
# Names and versions become folder names and parts of addresses.
LONGEST_SLUG = 100
Slug = Annotated[str, Field(max_length=LONGEST_SLUG, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


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


class Calibration(Strict):
    """What a temperature was fitted on, and what it gives on images that something happened to.

    `held_out_images` clean and `corrupted_images` corrupted images, both of the validation set, had the same
    weight each. Of `test_images` test images, each corrupted in one of the same ways, `accuracy` and
    `expected_calibration_error` are shares in 0..1; clean ones are in the model's metrics.
    """

    held_out_images: Count
    corrupted_images: Annotated[int, Field(ge=0)]
    test_images: Annotated[int, Field(ge=0)]
    accuracy: Share
    expected_calibration_error: Share


class Unfamiliarity(Strict):
    """The detector of unfamiliar images, a file for each network: `DETECTOR_FILE`, `INT8_DETECTOR_FILE`.

    `score` is a key of `models.unfamiliarity.SCORES`, fitted to `reference_images` training images, and to
    `outliers` images that were made from training images and show none of the classes. Of `held_out_images`
    images of the validation set the share `kept` is familiar.
    """

    score: str
    reference_images: Count
    outliers: int = Field(0, ge=0, le=10**12)
    """0 in artifacts of versions whose score took none."""
    held_out_images: Count
    kept: Share

    @field_validator("score")
    @classmethod
    def _score_is_known(cls, value: str) -> str:
        if value not in SCORES:
            raise ValueError(f"unknown score {value!r}: choose from {', '.join(SCORES)}")
        return value


class Int8(Strict):
    """The int8 network that lies beside the weights, and what rounding them so far cost.

    It is an OpenVINO IR in the files `INT8_NETWORK_FILE` and `INT8_WEIGHTS_FILE`: normalised images, float32
    (N, C, S, S) with any N, to logits, float32 (N, classes). `calibration_images` is the number of training
    images that its ranges were taken from. The accuracies of int8 and of the stored weights in float32 are
    shares in 0..1 of the same held-out images. `metrics` are those of the int8 network on the test set.
    `temperature` and `calibration` are its own, None where it has the float32 network's.
    """

    method: Literal["post-training", "accuracy-controlled"]
    calibration_images: Count
    held_out_accuracy: Share
    held_out_accuracy_float32: Share
    held_out_images: Count
    metrics: ModelMetrics
    temperature: Temperature | None = None
    calibration: Calibration | None = None


class ModelDescription(Strict):
    """Everything about a model but the digests of its files.

    `temperature` divides the logits before the softmax, so that probabilities are calibrated. `weights_dtype`
    is the type of the stored tensors of two or more dimensions. `metrics` are those of the stored weights on
    the test set, in float32 arithmetic. `int8` is None where no int8 network was exported. `created` is a
    time in ISO 8601, UTC. `calibration` is None where the temperature was not fitted on corrupted images too,
    and `unfamiliarity` where there is no detector.
    """

    schema_version: Literal[2]
    name: Slug
    version: Slug
    architecture: str
    in_channels: int
    classes: Annotated[tuple[Label, ...], Field(min_length=1, max_length=MOST_CLASSES)]
    input_size: Annotated[int, Field(ge=1, le=LARGEST_INPUT)]
    interpolation: str
    mean: tuple[Annotated[float, Field(ge=-10, le=10)], ...]
    std: tuple[Annotated[float, Field(le=10)], ...]
    temperature: Temperature
    weights_dtype: Literal["float32", "float16", "bfloat16"]
    metrics: ModelMetrics
    int8: Int8 | None
    recipe: dict[str, JsonValue]
    dataset: Dataset
    hardware: Text
    training_seconds: Annotated[float, Field(ge=0, le=1e12)]
    library_versions: dict[str, str]
    created: str
    calibration: Calibration | None = None
    unfamiliarity: Unfamiliarity | None = None

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

    def temperature_of(self, precision: str) -> float:
        """What divides the logits of the network that computes in `precision`."""
        if precision == "int8" and self.int8 is not None and self.int8.temperature is not None:
            return self.int8.temperature
        return self.temperature

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
    def _parts_and_their_files_belong_together(self) -> Self:
        int8, unfamiliarity = self.int8 is not None, self.unfamiliarity is not None
        parts = (
            (INT8_NETWORK_FILE, "int8", int8),
            (INT8_WEIGHTS_FILE, "int8", int8),
            (DETECTOR_FILE, "unfamiliarity", unfamiliarity),
            (INT8_DETECTOR_FILE, "unfamiliarity" if int8 else "int8", int8 and unfamiliarity),
        )
        for name, field, described in parts:
            if described and name not in self.files:
                raise ValueError(f"{field} is described, but files does not list {name}")
            if not described and name in self.files:
                raise ValueError(f"files lists {name}, but {field} is null")
        pair = (FLOAT32_NETWORK_FILE, FLOAT32_WEIGHTS_FILE)
        if len(missing := [name for name in pair if name not in self.files]) == 1:
            raise ValueError(f"files lists one part of the float32 network, but not {missing[0]}")
        return self
