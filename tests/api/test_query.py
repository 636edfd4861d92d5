"""A query parameter with two values: refused by name, for who knows which was meant."""

import pytest
from PIL import Image

from tests.support.service import Client, error_of, png_of

IMAGE = {"content": png_of(Image.new("RGB", (32, 32))), "headers": {"Content-Type": "image/png"}}


@pytest.mark.parametrize(
    ("method", "path", "field"),
    [
        ("POST", "/predict?top_k=1&top_k=2", "top_k"),
        ("POST", "/predict?model=lenet-test&model=other", "model"),
        ("POST", "/explain?format=json&class=cat&format=json", "format"),
        ("GET", "/augment-preview?ops=&ops=", "ops"),
        ("GET", "/augment-preview?ops=cutout&cutout.size=4&cutout.size=8", "cutout.size"),
        ("POST", "/augment-preview?rows=1&rows=1", "rows"),
        ("GET", "/models/lenet-test?version=1&version=1", "version"),
        ("GET", "/models/lenet-test/batch-norm?seed=0&seed=1", "seed"),
        ("POST", "/models/lenet-test/batch-norm?batch=1&batch=2", "batch"),
    ],
)
def test_a_repeated_parameter_is_422(client: Client, method: str, path: str, field: str) -> None:
    """`invalid_parameter`, naming the parameter that is given more than once, equal values or not."""
    response = client.request(method, path, **(IMAGE if method == "POST" else {}))
    error = error_of(response)
    assert (response.status_code, error["code"], error["field"]) == (422, "invalid_parameter", field)
    assert error["message"] == f"{field}: is given more than once"


@pytest.mark.parametrize("path", ["/predict", "/models", "/nowhere", "/v2/models/lenet-test/infer"])
def test_a_query_of_too_many_parameters_is_422(client: Client, path: str) -> None:
    """However long, it is one error: each unknown parameter would be one."""
    query = "&".join(f"a{number}=1" for number in range(201))
    for method in ("GET", "POST"):
        response = client.request(method, f"{path}?{query}")
        assert response.status_code == 422
        assert "the query has more than 200 parameters" in response.text
