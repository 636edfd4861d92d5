"""The catalogue that is kept as JSON is that of the augmentations, and documents their parameters."""

from app.routes.augmentation_catalogue import DEFAULTS, FILE, OPERATIONS, openapi_parameters
from app.routes.augmentation_query import parse_operations
from models.augmentations import AUGMENTATIONS
from tests.documents.tables import catalogue


def test_the_file_is_what_the_augmentations_say_of_themselves() -> None:
    said = FILE.read_text(encoding="utf-8")
    assert said == catalogue(), "write it anew: python -m tests.documents.tables"


def test_every_operation_is_in_it_in_the_order_of_the_registry() -> None:
    assert list(OPERATIONS) == list(AUGMENTATIONS)
    for name, operation in OPERATIONS.items():
        assert list(operation.parameters) == list(AUGMENTATIONS[name].model_fields)


def test_every_parameter_of_the_registry_is_documented_with_a_default_that_parses() -> None:
    documented = {entry["name"]: str(entry["schema"]["default"]) for entry in openapi_parameters()}
    expected = {f"{name}.{field}" for name, kind in AUGMENTATIONS.items() for field in kind.model_fields}
    assert set(documented) == expected
    parse_operations(",".join(AUGMENTATIONS), documented)


def test_the_defaults_are_those_of_the_documentation() -> None:
    assert {entry["name"]: entry["schema"]["default"] for entry in openapi_parameters()} == DEFAULTS
