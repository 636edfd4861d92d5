"""HEAD wherever there is GET, and `Allow` for what a path does not know."""

import pytest

from tests.support.service import Client, error_of


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/docs", "/static/app.js", "/health/live", "/v2/health/ready", "/metrics", "/models"),
        *("/v2/models/lenet-test", "/augment-preview?seed=1", "/models/lenet-test?version=7"),
    ],
)
def test_head_is_get_without_the_body(client: Client, path: str) -> None:
    plain = {"Accept-Encoding": "identity"}  # what is compressed on the way has no length beforehand
    got, head = client.get(path, headers=plain), client.request("HEAD", path, headers=plain)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    if path != "/metrics":  # whose length changes with each request
        assert head.headers["content-length"] == str(len(got.content))


@pytest.mark.parametrize(
    ("path", "route"),
    [("/models/lenet-test", "/models/{name}"), ("/", "/"), ("/static/app.js", "/static")],
)
def test_head_is_counted_as_such_and_by_its_route(client: Client, path: str, route: str) -> None:
    client.request("HEAD", path)
    assert f'method="HEAD",route="{route}",status="200"' in client.get("/metrics").text


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/", "GET, HEAD"),
        ("/docs", "GET, HEAD"),
        ("/static/app.js", "GET, HEAD"),
        ("/models/lenet-test", "GET, HEAD"),
        ("/predict", "POST"),
        ("/v2/models/lenet-test/infer", "POST"),
        ("/augment-preview", "GET, HEAD, POST"),
        ("/models/lenet-test/batch-norm", "GET, HEAD, POST"),
        ("/feedback", "GET, HEAD, POST"),
    ],
)
@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "DELETE", "PUT", "PATCH", "QUERY"])
def test_a_wrong_method_is_405_and_all_right_ones_are_named(
    client: Client, path: str, methods: str, method: str
) -> None:
    """`method_not_allowed`: the header `Allow` lists every method that the path has, of all its routes."""
    response = client.request(method, path)
    assert (response.status_code, response.headers["allow"]) == (405, methods)
    if not path.startswith("/v2"):
        assert error_of(response)["code"] == "method_not_allowed"


def test_what_can_only_be_deleted_says_so(client: Client) -> None:
    response = client.get("/feedback/0123456789abcdef0123456789abcdef")
    assert (response.status_code, response.headers["allow"]) == (405, "DELETE")


def test_where_there_is_nothing_no_method_is_right(client: Client) -> None:
    for method in ("HEAD", "GET", "DELETE"):
        response = client.request(method, "/nowhere")
        assert (response.status_code, "allow" in response.headers) == (404, False)
