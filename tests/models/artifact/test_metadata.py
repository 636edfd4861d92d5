"""The metadata of a stored model: no field may be missing, unknown, ill-typed or contradictory."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from models.artifact.metadata import Dataset, Int8, ModelDescription, ModelMetadata, ModelMetrics
from models.artifact.save import save_artifact
from models.artifact.store import HEADER_KEY, MODEL_FILE, ArtifactError, load_artifact
from tests.support.small_model import DESCRIPTION, INT8_FILES, WITH_INT8, lenet

RECORDS: tuple[type[BaseModel], ...] = (ModelMetrics, Dataset, Int8, ModelDescription, ModelMetadata)
LATER = {"calibration", "unfamiliarity", "temperature"}
"""Fields that models were stored without; of `temperature` that is int8's."""
TOP_LEVEL = sorted(name for name, field in ModelMetadata.model_fields.items() if field.is_required())
NESTED = [
    (name, field)
    for name, record in (("metrics", ModelMetrics), ("dataset", Dataset), ("int8", Int8))
    for field in record.model_fields
    if record.model_fields[field].is_required()
]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stored") / "1"
    save_artifact(folder, lenet(), WITH_INT8, {"card.md": b"", **INT8_FILES})
    return folder


@pytest.fixture
def metadata(stored: Path) -> dict[str, Any]:
    """The stored metadata as plain JSON values, a fresh copy for every test."""
    with safe_open(stored / MODEL_FILE, framework="pt") as opened:
        fields: dict[str, Any] = json.loads(opened.metadata()[HEADER_KEY])
    return fields


def refusal(stored: Path, tmp_path: Path, metadata: dict[str, Any]) -> str:
    """The sentence with which a model of this metadata is refused, from the word metadata on."""
    file = tmp_path / MODEL_FILE
    save_file(load_file(stored / MODEL_FILE), file, metadata={HEADER_KEY: json.dumps(metadata)})
    with pytest.raises(ArtifactError) as refused:
        load_artifact(tmp_path)
    message = str(refused.value)
    assert message.startswith(f"{file}: metadata")
    assert "\n" not in message
    return message.removeprefix(f"{file}: ")


def test_only_fields_that_older_models_lack_have_a_default() -> None:
    for record in RECORDS:
        fields = record.model_fields
        optional = {name: fields[name].default for name in fields if not fields[name].is_required()}
        assert set(optional) <= LATER
        assert not any(optional.values())


def test_a_model_that_was_stored_without_them_is_read(stored: Path) -> None:
    fields = json.loads(load_artifact(stored).metadata.model_dump_json())
    older = {name: value for name, value in fields.items() if name not in LATER - {"temperature"}}
    older["int8"] = {name: value for name, value in fields["int8"].items() if name not in LATER}
    about = ModelMetadata.model_validate_json(json.dumps(older))
    assert (about.calibration, about.unfamiliarity) == (None, None)
    assert about.temperature_of("int8") == about.temperature_of("float32") == about.temperature


def test_records_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        DESCRIPTION.temperature = 2.0  # type: ignore[misc]


@pytest.mark.parametrize("field", TOP_LEVEL)
def test_a_missing_field_is_named(stored: Path, tmp_path: Path, metadata: dict[str, Any], field: str) -> None:
    del metadata[field]
    assert refusal(stored, tmp_path, metadata) == f"metadata field {field} is missing"


@pytest.mark.parametrize(("record", "field"), NESTED)
def test_a_missing_nested_field_is_named(
    stored: Path, tmp_path: Path, metadata: dict[str, Any], record: str, field: str
) -> None:
    del metadata[record][field]
    assert refusal(stored, tmp_path, metadata) == f"metadata field {record}.{field} is missing"


def test_an_unknown_field_is_named(stored: Path, tmp_path: Path, metadata: dict[str, Any]) -> None:
    metadata["license"] = "MIT"
    assert refusal(stored, tmp_path, metadata) == "metadata field license is unknown"


def test_an_unknown_nested_field_is_named(stored: Path, tmp_path: Path, metadata: dict[str, Any]) -> None:
    metadata["metrics"]["f1"] = 0.5
    assert refusal(stored, tmp_path, metadata) == "metadata field metrics.f1 is unknown"


@pytest.mark.parametrize("field", sorted(set(TOP_LEVEL) - {"schema_version"}))
def test_a_field_of_another_type_is_named(
    stored: Path, tmp_path: Path, metadata: dict[str, Any], field: str
) -> None:
    metadata[field] = [{}] if isinstance(metadata[field], str) else "1"
    assert refusal(stored, tmp_path, metadata).startswith(f"metadata field {field}: Input should be")


def test_all_faults_are_told_at_once(stored: Path, tmp_path: Path, metadata: dict[str, Any]) -> None:
    del metadata["hardware"]
    metadata["color"] = "red"
    assert refusal(stored, tmp_path, metadata) == (
        "metadata field hardware is missing; metadata field color is unknown"
    )


@pytest.mark.parametrize("version", [0, 1, 3, "2", None, True, 2.0])
def test_another_schema_is_told_before_anything_else(
    stored: Path, tmp_path: Path, metadata: dict[str, Any], version: object
) -> None:
    del metadata["hardware"]
    metadata["schema_version"] = version
    assert refusal(stored, tmp_path, metadata) == (
        f"metadata field schema_version is {version!r}, only 2 can be read"
    )


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        (
            "architecture",
            "vgg",
            " field architecture: unknown architecture 'vgg': choose from lenet, resnet18, ",
        ),
        ("name", "../small", " field name: String should match pattern"),
        ("name", "", " field name: String should match pattern"),
        ("version", "..", " field version: String should match pattern"),
        ("in_channels", 4, ": in_channels must be 1 (greyscale) or 3 (RGB), got 4"),
        ("classes", [], " field classes: Tuple should have at least 1 item"),
        ("classes", ["cat", "dog", "cat"], " field classes: every class may occur once, repeated: cat"),
        ("classes", ["cat", "dog", ""], " field classes.2: String should have at least 1 character"),
        ("input_size", 0, " field input_size: Input should be greater than or equal to 1"),
        (
            "interpolation",
            "nearest",
            ": interpolation must be one of bilinear, bicubic, lanczos, got 'nearest'",
        ),
        ("mean", [0.5], ": mean must hold in_channels = 3 values, got 1"),
        ("std", [0.5, 0.5, 0.5, 0.5], ": std must hold in_channels = 3 values, got 4"),
        ("std", [0.5, 0.5, 0], ": std must hold numbers above 0, got (0.5, 0.5, 0.0)"),
        ("mean", [0.5, 0.5, float("nan")], " field mean.2: Input should be a finite number"),
        ("temperature", 0, " field temperature: Input should be greater than or equal to 0.001"),
        ("temperature", float("inf"), " field temperature: Input should be a finite number"),
        ("weights_dtype", "int8", " field weights_dtype: Input should be 'float32', 'float16' or 'bfloat16'"),
        ("hardware", "", " field hardware: String should have at least 1 character"),
        ("training_seconds", -1, " field training_seconds: Input should be greater than or equal to 0"),
        (
            "created",
            "yesterday",
            " field created: must be a time in ISO 8601 and UTC such as 2026-01-31T12:00:00Z",
        ),
        ("created", "2026-01-31T12:00:00", " field created: must be a time in ISO 8601 and UTC"),
        ("created", "2026-01-31T12:00:00+01:00", " field created: must be a time in ISO 8601 and UTC"),
        ("tensors_sha256", "0" * 63, " field tensors_sha256: String should match pattern"),
        ("tensors_sha256", "Z" * 64, " field tensors_sha256: String should match pattern"),
        ("files", {"a/card.md": "0" * 64}, " field files: 'a/card.md' is not the plain name of a file"),
        ("files", {"a\\card.md": "0" * 64}, r" field files: 'a\\card.md' is not the plain name of a file"),
        ("files", {"..": "0" * 64}, " field files: '..' is not the plain name of a file"),
        ("files", {"card.md": "0"}, " field files.card.md: String should match pattern"),
        (
            "files",
            {MODEL_FILE: "0" * 64},
            " field files: 'model.safetensors' holds this list and cannot be on it",
        ),
    ],
)
def test_a_value_out_of_range_is_told(
    stored: Path, tmp_path: Path, metadata: dict[str, Any], field: str, value: object, complaint: str
) -> None:
    metadata[field] = value
    assert refusal(stored, tmp_path, metadata).startswith(f"metadata{complaint}")


@pytest.mark.parametrize(
    ("record", "field", "value", "complaint"),
    [
        ("metrics", "accuracy", 1.01, "Input should be less than or equal to 1"),
        ("metrics", "accuracy", -0.01, "Input should be greater than or equal to 0"),
        ("metrics", "accuracy", "0.75", "Input should be a valid number"),
        ("metrics", "images", 0, "Input should be greater than or equal to 1"),
        ("metrics", "images", 2.5, "Input should be a valid integer"),
        ("metrics", "negative_log_likelihood", -0.1, "Input should be greater than or equal to 0"),
        ("metrics", "expected_calibration_error", 2, "Input should be less than or equal to 1"),
        ("dataset", "sha256", "", "String should match pattern"),
        ("dataset", "name", "", "String should have at least 1 character"),
        ("dataset", "train_images", 0, "Input should be greater than or equal to 1"),
        ("dataset", "held_out_images", -1, "Input should be greater than or equal to 0"),
        ("int8", "method", "guessed", "Input should be 'post-training' or 'accuracy-controlled'"),
        ("int8", "calibration_images", 0, "Input should be greater than or equal to 1"),
        ("int8", "held_out_images", 0, "Input should be greater than or equal to 1"),
        ("int8", "held_out_accuracy", 1.5, "Input should be less than or equal to 1"),
        ("int8", "held_out_accuracy_float32", -0.5, "Input should be greater than or equal to 0"),
    ],
)
def test_a_nested_value_out_of_range_is_told(
    stored: Path,
    tmp_path: Path,
    metadata: dict[str, Any],
    record: str,
    field: str,
    value: object,
    complaint: str,
) -> None:
    metadata[record][field] = value
    assert refusal(stored, tmp_path, metadata).startswith(f"metadata field {record}.{field}: {complaint}")


@pytest.mark.parametrize(
    ("accuracies", "differing"),
    [
        ({"cat": 0.5, "dog": 0.5}, "frog"),
        ({"cat": 0.5, "dog": 0.5, "frog": 0.5, "owl": 0.5}, "owl"),
        ({"cat": 0.5, "dog": 0.5, "toad": 0.5}, "frog, toad"),
    ],
)
def test_accuracies_of_other_classes_are_told(
    stored: Path, tmp_path: Path, metadata: dict[str, Any], accuracies: dict[str, float], differing: str
) -> None:
    metadata["metrics"]["per_class_accuracy"] = accuracies
    assert refusal(stored, tmp_path, metadata) == (
        f"metadata: metrics.per_class_accuracy must have the classes as its keys, differing: {differing}"
    )


def test_accuracies_of_other_classes_in_int8_are_told(
    stored: Path, tmp_path: Path, metadata: dict[str, Any]
) -> None:
    del metadata["int8"]["metrics"]["per_class_accuracy"]["dog"]
    assert refusal(stored, tmp_path, metadata) == (
        "metadata: int8.metrics.per_class_accuracy must have the classes as its keys, differing: dog"
    )


@pytest.mark.parametrize(
    ("record", "field", "complaint"),
    [
        (
            ("int8", "metrics"),
            "images",
            "int8.metrics.images must equal metrics.images, 12, got 11",
        ),
        (
            ("int8",),
            "held_out_images",
            "int8.held_out_images must equal dataset.held_out_images, 4, got 11",
        ),
    ],
)
def test_int8_measured_on_other_images_is_told(
    stored: Path,
    tmp_path: Path,
    metadata: dict[str, Any],
    record: tuple[str, ...],
    field: str,
    complaint: str,
) -> None:
    values = metadata
    for name in record:
        values = values[name]
    values[field] = 11
    assert refusal(stored, tmp_path, metadata) == f"metadata: {complaint}"


def test_an_accuracy_of_a_class_out_of_range_is_told(
    stored: Path, tmp_path: Path, metadata: dict[str, Any]
) -> None:
    metadata["metrics"]["per_class_accuracy"]["dog"] = 1.5
    assert refusal(stored, tmp_path, metadata) == (
        "metadata field metrics.per_class_accuracy.dog: Input should be less than or equal to 1"
    )
