"""GET and POST /augment-preview: what training does, drawn."""

import base64
import io
import json

import httpx
import numpy as np
import pytest
import torch
from PIL import Image

from app.routes.samples import SAMPLES
from models.augmentations import AUGMENTATIONS, create_augmentation
from tests.support.artifacts import CLASSES
from tests.support.service import Client, error_of, png_of

PATH = "/augment-preview"


def _pixels(response: httpx.Response) -> np.ndarray:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/png"
    return np.asarray(Image.open(io.BytesIO(response.content)))


def _tiles(response: httpx.Response) -> list[np.ndarray]:
    assert response.status_code == 200, response.text
    tiles = []
    for tile in response.json()["tiles"]:
        head, data = tile["image"].split(",", 1)
        assert head == "data:image/png;base64"
        tiles.append(np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))))
    return tiles


def _sample(name: str) -> np.ndarray:
    return np.asarray(Image.open(SAMPLES[name]))


def test_there_is_one_sample_per_class() -> None:
    assert tuple(SAMPLES) == CLASSES
    assert {_sample(name).shape for name in SAMPLES} == {(32, 32, 3)}


def test_default_is_a_grid_of_two_by_four_tiles(client: Client) -> None:
    assert _pixels(client.get(PATH)).shape == (2 * (32 * 4 + 2) + 2, 4 * (32 * 4 + 2) + 2, 3)


def test_without_operations_every_tile_is_the_sample_itself(client: Client) -> None:
    grid = _pixels(client.get(PATH, params={"image": "ship", "ops": "", "rows": 1, "cols": 2, "scale": 1}))
    assert grid.shape == (36, 70, 3)
    assert (grid[2:34, 2:34] == _sample("ship")).all()
    assert (grid[2:34, 36:68] == _sample("ship")).all()
    assert (grid[:2] == 255).all()
    assert (grid[:, 34:36] == 255).all()


def test_a_pixel_is_drawn_as_a_square(client: Client) -> None:
    grid = _pixels(client.get(PATH, params={"ops": "", "rows": 1, "cols": 1, "scale": 3}))
    assert (grid[2:-2, 2:-2] == _sample("cat").repeat(3, axis=0).repeat(3, axis=1)).all()


@pytest.mark.parametrize("answer", ["png", "json"])
def test_the_same_seed_gives_the_same_bytes_and_another_one_others(client: Client, answer: str) -> None:
    everything = {"ops": ",".join(AUGMENTATIONS), "format": answer}
    first, second, other = (client.get(PATH, params={**everything, "seed": seed}) for seed in (7, 7, 8))
    assert first.status_code == 200
    assert first.content == second.content
    assert first.content != other.content


def test_tiles_are_what_the_training_objects_make_of_the_sampled_parameters(client: Client) -> None:
    """The same registry, sampled by a generator with this seed, gives the parameters and the pixels."""
    response = client.get(
        PATH,
        params={
            "image": "dog",
            "ops": "random_crop",
            "random_crop.padding": 6,
            "seed": 3,
            "scale": 1,
            "format": "json",
        },
    )
    crop = create_augmentation("random_crop", padding=6)
    params = crop.sample(8, (32, 32), torch.Generator().manual_seed(3))
    image = torch.from_numpy(_sample("dog").copy()).permute(2, 0, 1).float() / 255
    expected = (crop.apply(image.expand(8, -1, -1, -1), params) * 255).round().byte()
    for index, (tile, shown) in enumerate(zip(response.json()["tiles"], _tiles(response), strict=True)):
        assert tile["parameters"] == {
            "random_crop.top": params["top"][index].item(),
            "random_crop.left": params["left"][index].item(),
        }
        assert (shown == expected[index].permute(1, 2, 0).numpy()).all()


def test_json_repeats_the_request_with_all_parameters(client: Client) -> None:
    body = client.get(
        PATH, params={"ops": "horizontal_flip", "seed": 5, "rows": 1, "cols": 3, "format": "json"}
    ).json()
    assert set(body) == {"operations", "rows", "cols", "seed", "scale", "tiles", "original", "kept"}
    assert [set(tile) for tile in body["tiles"]] == [{"parameters", "image", "prediction"}] * 3
    assert body["operations"] == [{"name": "horizontal_flip", "probability": 0.5}]
    assert (body["rows"], body["cols"], body["seed"], body["scale"]) == (1, 3, 5, 4)
    assert len(body["tiles"]) == 3


def test_operations_are_applied_in_the_stated_order(client: Client) -> None:
    names = ["vertical_flip", "color_jitter", "horizontal_flip"]
    body = client.get(PATH, params={"ops": ", ".join(names), "format": "json"}).json()
    assert [operation["name"] for operation in body["operations"]] == names


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_every_registered_operation_is_drawn(client: Client, name: str) -> None:
    _pixels(client.get(PATH, params={"ops": name}))


def test_parameters_of_every_type_are_read(client: Client) -> None:
    params = {
        "ops": "horizontal_flip,random_crop,random_resized_crop",
        "horizontal_flip.probability": "1",
        "random_crop.padding": "2",
        "random_crop.padding_mode": "reflect",
        "random_resized_crop.scale": "0.5,0.75",
        "format": "json",
    }
    flip, crop, resized = client.get(PATH, params=params).json()["operations"]
    assert flip["probability"] == 1
    assert (crop["padding"], crop["padding_mode"]) == (2, "reflect")
    assert resized["scale"] == [0.5, 0.75]


@pytest.mark.parametrize(
    ("query", "field", "says"),
    [
        ("image=unicorn", "image", "airplane, automobile"),
        ("ops=mirror", "ops", "horizontal_flip"),
        ("ops=horizontal_flip,", "ops", "''"),
        ("ops=horizontal_flip,horizontal_flip", "ops", "more than once"),
        ("rows=0", "rows", "greater than or equal to 1"),
        ("rows=17", "rows", "less than or equal to 16"),
        ("cols=17", "cols", "less than or equal to 16"),
        ("scale=17", "scale", "less than or equal to 16"),
        ("seed=-1", "seed", "greater than or equal to 0"),
        ("seed=99999999999999999999", "seed", "less than"),
        ("format=gif", "format", "'png' or 'json'"),
        ("rows=16&cols=16&scale=16", "scale", "8000000"),
        ("random_crop.padding=many", "random_crop.padding", "a whole number in 0..64, got 'many'"),
        ("random_crop.padding=65", "random_crop.padding", "a whole number in 0..64, got '65'"),
        ("random_crop.padding_mode=wrap", "random_crop.padding_mode", "zero, reflect"),
        (
            "random_crop.padding=40&random_crop.padding_mode=reflect",
            "random_crop.padding",
            "smaller than the image",
        ),
        ("horizontal_flip.probability=nan", "horizontal_flip.probability", "a number in 0..1"),
        ("ops=random_resized_crop&random_resized_crop.scale=0.5", "random_resized_crop.scale", "a pair"),
        ("ops=random_resized_crop&random_resized_crop.scale=a,b", "random_resized_crop.scale", "a pair"),
        (
            "ops=random_resized_crop&random_resized_crop.scale=0.9,0.1",
            "random_resized_crop.scale",
            "low not above",
        ),
        ("color_jitter.hue=0.2", "color_jitter.hue", "not among the operations"),
    ],
)
def test_illegal_value_is_422_naming_the_field_and_what_is_right(
    client: Client, query: str, field: str, says: str
) -> None:
    response = client.get(f"{PATH}?{query}")
    assert response.status_code == 422
    error = error_of(response)
    assert (error["code"], error["field"]) == ("invalid_parameter", field)
    assert says in str(error["message"])


@pytest.mark.parametrize("name", ["colour", "random_crop.size", "mirror.x", "random_crop"])
def test_unknown_parameter_is_422_naming_it(client: Client, name: str) -> None:
    response = client.get(PATH, params={name: "1"})
    assert response.status_code == 422
    error = error_of(response)
    assert (error["code"], error["field"]) == ("unknown_parameter", name)


def test_upload_is_first_scaled_and_cropped_as_in_training(client: Client) -> None:
    photo = Image.effect_noise((90, 60), 80).convert("RGB")
    params = {"ops": "", "rows": 1, "cols": 1, "scale": 1}
    grid = _pixels(client.post(PATH, params=params, files={"file": ("a.png", png_of(photo))}))
    expected = client.app.state.context.model.preprocessing.resize(photo).transpose(1, 2, 0)
    assert (grid[2:-2, 2:-2] == expected).all()


def test_a_sample_uploaded_gives_what_the_sample_gives(client: Client) -> None:
    content = SAMPLES["frog"].read_bytes()
    uploaded = client.post(PATH, params={"seed": 4}, content=content, headers={"Content-Type": "image/png"})
    assert uploaded.content == client.get(PATH, params={"seed": 4, "image": "frog"}).content


def test_upload_has_no_sample_parameter(client: Client) -> None:
    response = client.post(PATH, params={"image": "cat"}, files={"file": SAMPLES["cat"].read_bytes()})
    assert response.status_code == 422
    assert error_of(response)["field"] == "image"


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 400, "empty_file"),
        (b"\x89PNG\r\n\x1a\n", 400, "damaged_image"),
        (b"hello", 415, "unsupported_image"),
    ],
)
def test_upload_that_is_no_image_is_refused(client: Client, content: bytes, status: int, code: str) -> None:
    response = client.post(PATH, files={"file": ("a.png", content)})
    error = error_of(response)
    assert (response.status_code, error["code"], error["field"]) == (status, code, "file")


def test_two_uploads_are_refused(client: Client) -> None:
    content = SAMPLES["cat"].read_bytes()
    response = client.post(PATH, files=[("file", ("a.png", content)), ("file", ("b.png", content))])
    assert response.status_code == 413
    assert error_of(response)["field"] == "file"


@pytest.mark.parametrize("preset", [{}, {"preset": "training"}], ids=["ops", "preset"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_all_documented_defaults_sent_together_are_as_good_as_none(
    client: Client, method: str, preset: dict[str, str]
) -> None:
    """Swagger UI and generated clients send every parameter that has a default."""
    listed = client.get("/openapi.json").json()["paths"][PATH][method]["parameters"]
    defaults = {entry["name"]: entry["schema"].get("default") for entry in listed}
    query = {name: json.dumps(value).strip('"') for name, value in defaults.items() if value is not None}
    assert len(query) > len(AUGMENTATIONS)
    files = {"files": {"file": SAMPLES["cat"].read_bytes()}} if method == "post" else {}
    sent = client.request(method.upper(), PATH, params={**query, **preset}, **files)
    assert sent.status_code == 200, sent.text
    assert sent.content == client.request(method.upper(), PATH, params=preset, **files).content


@pytest.mark.parametrize("text", ["9" * 400, "-" + "9" * 400, "9" * 5000, "1e400", "nan", "-inf"])
def test_a_number_beyond_all_bounds_is_422(client: Client, text: str) -> None:
    listed = client.get("/openapi.json").json()["paths"][PATH]["get"]["parameters"]
    for entry in listed:
        if "." not in entry["name"] or entry["schema"]["type"] == "string":
            continue
        operation = entry["name"].partition(".")[0]
        response = client.get(PATH, params={"ops": operation, entry["name"]: text})
        assert (response.status_code, error_of(response)["field"]) == (422, entry["name"])
