"""GET /augmentations: enough to draw a form from, and true."""

from app.routes.augmentation_catalogue import openapi_parameters
from models.augmentations import AUGMENTATIONS
from tests.support.service import Client


def test_every_operation_is_listed_with_its_parameters(client: Client) -> None:
    operations = client.get("/augmentations").json()["operations"]
    assert [operation["name"] for operation in operations] == list(AUGMENTATIONS)
    for operation in operations:
        assert set(operation) == {"name", "description", "parameters"}
        assert operation["description"].endswith(".")
        declared = AUGMENTATIONS[operation["name"]].model_fields
        assert [parameter["name"] for parameter in operation["parameters"]] == list(declared)


def test_a_parameter_of_each_kind_is_described(client: Client) -> None:
    operations = client.get("/augmentations").json()["operations"]
    listed = {
        (op["name"], parameter["name"]): parameter for op in operations for parameter in op["parameters"]
    }
    padding = listed["random_crop", "padding"]
    assert padding == {
        "name": "padding",
        "kind": "integer",
        "description": "Pixels added on every side before cropping.",
        "default": 4,
        "minimum": 0,
        "maximum": 64,
        "choices": None,
    }
    mode = listed["random_crop", "padding_mode"]
    assert (mode["kind"], mode["default"], mode["choices"]) == ("choice", "zero", ["zero", "reflect"])
    scale = listed["random_erasing", "scale"]
    assert (scale["kind"], scale["default"], scale["minimum"], scale["maximum"]) == (
        "range",
        [0.02, 0.33],
        0,
        1,
    )
    flip = listed["horizontal_flip", "probability"]
    assert (flip["kind"], flip["default"]) == ("number", 0.5)
    assert {parameter["kind"] for parameter in listed.values()} == {"integer", "number", "range", "choice"}


def test_the_list_and_the_documentation_agree(client: Client) -> None:
    operations = client.get("/augmentations").json()["operations"]
    documented = {entry["name"]: entry["schema"] for entry in openapi_parameters()}
    for operation in operations:
        for parameter in operation["parameters"]:
            schema = documented[f"{operation['name']}.{parameter['name']}"]
            if parameter["kind"] in ("integer", "number"):
                for listed, named in (("minimum", "minimum"), ("maximum", "maximum"), ("default", "default")):
                    assert parameter[listed] == schema[named]


def test_the_limits_are_legal_and_nothing_beyond_them_is(client: Client) -> None:
    """Each end of every number's range, as a form would send it."""
    for operation in client.get("/augmentations").json()["operations"]:
        for parameter in operation["parameters"]:
            if parameter["kind"] not in ("integer", "number"):
                continue
            key = f"{operation['name']}.{parameter['name']}"
            query = {"ops": operation["name"], "rows": 1, "cols": 1, "scale": 1}
            for end, step in ((parameter["minimum"], -1), (parameter["maximum"], 1)):
                assert client.get("/augment-preview", params={**query, key: end}).status_code == 200, key
                assert client.get("/augment-preview", params={**query, key: end + step}).status_code == 422, (
                    key
                )
