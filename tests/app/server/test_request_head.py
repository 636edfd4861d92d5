"""Which requests are refused by their line and headers, before anything of them is believed."""

import pytest

from app.server.request_head import MAX_BYTES, MAX_HEADERS, Headers, refusal, without_upgrade

HOST = (b"host", b"example.org")


def _refused(headers: Headers, version: str = "1.1", method: bytes = b"POST") -> tuple[int, str] | None:
    error = refusal(method, b"/predict", version, headers)
    return None if error is None else (error.status, error.message)


@pytest.mark.parametrize("host", [b"example.org", b"example.org:8000", b"[::1]:8000", b"10.0.0.1", b""])
def test_one_host_is_asked_for(host: bytes) -> None:
    assert _refused([(b"host", host)]) is None


@pytest.mark.parametrize("headers", [[], [HOST, HOST], [(b"host", b"a b")], [(b"host", b"a/b")]])
def test_no_host_two_and_what_is_none_are_refused(headers: Headers) -> None:
    refused = _refused(headers)
    assert refused is not None
    assert refused[0] == 400
    assert "Host header" in refused[1]


def test_http_1_0_needs_no_host_and_has_no_chunks() -> None:
    assert _refused([], "1.0") is None
    assert _refused([(b"transfer-encoding", b"chunked")], "1.0") is not None


@pytest.mark.parametrize("coding", [b"chunked", b"Chunked"])
def test_chunks_are_the_one_transfer_coding(coding: bytes) -> None:
    assert _refused([HOST, (b"transfer-encoding", coding)]) is None


@pytest.mark.parametrize(
    "codings", [[b"identity, chunked"], [b"gzip, chunked"], [b"identity"], [b"chunked", b"chunked"], [b""]]
)
def test_any_other_transfer_coding_is_refused(codings: list[bytes]) -> None:
    refused = _refused([HOST, *((b"transfer-encoding", coding) for coding in codings)])
    assert refused == (400, "the Transfer-Encoding must be chunked and nothing else")


def test_a_proxy_is_not_to_be_had() -> None:
    assert _refused([HOST], method=b"CONNECT") is not None


def test_too_much_and_too_many_are_refused() -> None:
    assert _refused([HOST, (b"a", b"x" * MAX_BYTES)]) == (
        431,
        f"the request's line and headers are larger than {MAX_BYTES} bytes",
    )
    many = [HOST, *[(b"a", b"b")] * MAX_HEADERS]
    assert _refused(many) == (431, f"the request has more than {MAX_HEADERS} headers")


def test_the_offer_of_another_protocol_is_all_that_goes() -> None:
    headers = [
        HOST,
        (b"connection", b"Upgrade"),
        (b"upgrade", b"h2c"),
        (b"upgrade", b"TLS/1.2"),
        (b"a", b"b"),
    ]
    assert without_upgrade(b"POST", b"/predict?top_k=1", "1.1", headers) == (
        b"POST /predict?top_k=1 HTTP/1.1\r\nhost: example.org\r\nconnection: Upgrade\r\na: b\r\n\r\n"
    )
