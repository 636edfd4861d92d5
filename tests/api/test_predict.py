"""POST /predict, with a small model whose answers are compared with the network's own."""

import base64
import gzip
import io
import json
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.main import create_app
from app.routes import predict
from app.settings import Settings
from models.engines import Floats, Images
from tests.support.artifacts import CLASSES
from tests.support.multipart_form import TYPE, form_of
from tests.support.predicting import TOLERANCE, expected_of, file_field, noise_image, probabilities_of
from tests.support.service import Client, chunks, error_of, png_of, running


def test_answer_has_exactly_this_shape(client: Client) -> None:
    response = client.post("/predict", files=[file_field(png_of(noise_image(size=(40, 30))), "photo.png")])
    assert response.status_code == 200
    body = response.json()
    assert predict.PredictResponse.model_validate(body).model_dump() == body
    assert set(body) == {"model", "predictions", "timings_ms"}
    assert body["model"] == {"name": "lenet-test", "version": "1"}
    (prediction,) = body["predictions"]
    assert set(prediction) == {"filename", "width", "height", "top", "familiar", "unfamiliarity"}
    assert (prediction["filename"], prediction["width"], prediction["height"]) == ("photo.png", 40, 30)
    assert [set(entry) for entry in prediction["top"]] == [{"label", "probability"}] * 5
    timings = body["timings_ms"]
    stages = ("receive", "decode", "preprocess", "queue", "inference")
    assert set(timings) == {*stages, "total"}
    assert all(value > 0 for value in timings.values())
    assert sum(timings[stage] for stage in stages) <= timings["total"] + 0.003  # each is rounded


def test_probabilities_are_the_networks_own_divided_by_the_temperature(client: Client) -> None:
    image = noise_image()
    assert probabilities_of(client, image)[0] == pytest.approx(expected_of(client, image), abs=TOLERANCE)


def test_classes_come_most_probable_first_and_sum_to_one(client: Client) -> None:
    (probabilities,) = probabilities_of(client, noise_image())
    values = list(probabilities.values())
    assert values == sorted(values, reverse=True)
    assert sum(values) == pytest.approx(1, abs=1e-5)
    assert set(probabilities) == set(CLASSES)


def test_no_skew_between_evaluation_and_service(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A 32x32 PNG reaches the engine, as in evaluation, as exactly its pixels; the engine normalises them."""
    service = client.app.state.context
    seen: list[Images] = []
    compute = service.model.engine.predict

    def spy(images: Images) -> Floats:
        seen.append(images)
        logits: Floats = compute(images)
        return logits

    monkeypatch.setattr(service.model.engine, "predict", spy)
    image = noise_image()
    probabilities_of(client, image)
    assert seen[0].dtype == np.uint8
    assert np.array_equal(seen[0], np.array(image).transpose(2, 0, 1)[None])


def test_raw_body_gives_what_multipart_gives(client: Client) -> None:
    content = png_of(noise_image())
    raw = client.post("/predict", content=content, headers={"Content-Type": "image/png"}).json()
    form = client.post("/predict", files=[file_field(content)]).json()
    assert raw["predictions"][0]["filename"] is None
    assert raw["predictions"][0]["top"] == form["predictions"][0]["top"]


@pytest.mark.parametrize(
    "content_type", [None, "application/octet-stream", "application/x-www-form-urlencoded"]
)
def test_a_body_whose_type_says_nothing_is_an_image(client: Client, content_type: str | None) -> None:
    """The last is what `curl --data-binary @photo.png` sends."""
    headers = {} if content_type is None else {"Content-Type": content_type}
    sent = client.post("/predict", content=png_of(noise_image()), headers=headers).json()
    assert sent["predictions"][0]["top"] == _tops(client, noise_image())


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,", "DATA:;BASE64,"])
@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded"])
def test_an_image_in_json_is_base64_or_a_data_url(client: Client, prefix: str, content_type: str) -> None:
    text = prefix + base64.b64encode(png_of(noise_image())).decode()
    body = json.dumps({"image": text}).encode()
    sent = client.post("/predict", content=body, headers={"Content-Type": content_type}).json()
    assert sent["predictions"][0]["top"] == _tops(client, noise_image())


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_compressed_body_is_what_is_in_it(client: Client, encoding: str) -> None:
    content = png_of(noise_image())
    packed = gzip.compress(content) if encoding == "gzip" else zlib.compress(content)
    headers = {"Content-Type": "image/png", "Content-Encoding": encoding}
    sent = client.post("/predict", content=packed, headers=headers).json()
    assert sent["predictions"][0]["top"] == _tops(client, noise_image())


def _tops(client: Client, image: Image.Image) -> object:
    return client.post("/predict", files=[file_field(png_of(image))]).json()["predictions"][0]["top"]


def test_content_decides_over_the_stated_image_type(client: Client) -> None:
    response = client.post(
        "/predict", content=png_of(noise_image()), headers={"Content-Type": "image/jpeg; q=1"}
    )
    assert response.status_code == 200


def test_width_and_height_are_those_of_the_upright_image(client: Client) -> None:
    image = noise_image(size=(60, 20))
    exif = Image.Exif()
    exif[0x0112] = 6
    content = png_of(image)
    rotated = client.post("/predict", files=[file_field(_png_with(image, exif)), file_field(content)]).json()
    first, second = rotated["predictions"]
    assert (first["width"], first["height"]) == (20, 60)
    assert (second["width"], second["height"]) == (60, 20)


def _png_with(image: Image.Image, exif: Image.Exif) -> bytes:
    turned = image.copy()
    turned.info.clear()
    buffer = io.BytesIO()
    turned.save(buffer, "PNG", exif=exif)
    return buffer.getvalue()


def test_exif_rotation_changes_nothing_but_the_way_it_is_stored(client: Client) -> None:
    upright = noise_image(size=(40, 32))
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = _png_with(upright.transpose(Image.Transpose.ROTATE_90), exif)
    response = client.post("/predict?top_k=10", files=[file_field(stored), file_field(png_of(upright))])
    first, second = response.json()["predictions"]
    assert first["top"] == second["top"]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
def test_other_colour_modes_are_accepted(client: Client, mode: str) -> None:
    response = client.post("/predict", files=[file_field(png_of(noise_image().convert(mode)))])
    assert response.status_code == 200


def test_filename_in_any_script_comes_back(client: Client) -> None:
    response = client.post("/predict", files=[file_field(png_of(noise_image()), "Größe 猫.png")])
    assert response.json()["predictions"][0]["filename"] == "Größe 猫.png"


def test_body_of_unknown_length_is_accepted(client: Client) -> None:
    content = chunks(png_of(noise_image()), 100)
    response = client.post("/predict", content=content, headers={"Content-Type": "image/png"})
    assert response.status_code == 200


@pytest.mark.parametrize("top_k", [1, 3, 10])
def test_top_k_is_the_number_of_classes_answered(client: Client, top_k: int) -> None:
    response = client.post(f"/predict?top_k={top_k}", files=[file_field(png_of(noise_image()))])
    assert len(response.json()["predictions"][0]["top"]) == top_k


@pytest.mark.parametrize("top_k", ["0", "-1", "11", "many", "1.5", ""])
def test_top_k_out_of_range_is_422_and_names_it(client: Client, top_k: str) -> None:
    response = client.post(f"/predict?top_k={top_k}", files=[file_field(png_of(noise_image()))])
    assert response.status_code == 422
    error = error_of(response)
    assert (error["code"], error["field"]) == ("invalid_parameter", "top_k")


def test_unknown_query_parameter_is_422_and_names_it(client: Client) -> None:
    response = client.post("/predict?topk=3", files=[file_field(png_of(noise_image()))])
    assert response.status_code == 422
    assert error_of(response) == {
        "code": "unknown_parameter",
        "message": "topk: there is no such parameter",
        "field": "topk",
    }


def test_answer_is_strict_json(client: Client) -> None:
    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is no JSON")

    text = client.post("/predict", files=[file_field(png_of(noise_image()))]).text
    json.loads(text, parse_constant=refuse)


def test_a_response_has_a_limit_too(model_dir: Path) -> None:
    """Known before anything is computed: ten classes of a file take many times the bytes of one."""
    settings = Settings(model_dir=model_dir, device="cpu", max_body_bytes=4_000)
    with running(create_app(settings)) as small:
        image = png_of(Image.new("RGB", (4, 4)))
        files = [file_field(image)] * 6
        rejected = small.post("/predict?top_k=10", files=files)
        error = error_of(rejected)
        assert (rejected.status_code, error["code"], error["field"]) == (413, "response_too_large", "top_k")
        assert small.post("/predict?top_k=1", files=files).status_code == 200
        name = "\x01" * 1_000
        named = form_of((f'form-data; name="file"; filename="{name}"', image))
        rejected = small.post("/predict", content=named, headers={"Content-Type": TYPE})
        assert (rejected.status_code, error_of(rejected)["code"]) == (413, "response_too_large")
