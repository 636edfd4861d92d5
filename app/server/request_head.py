"""A request's line and headers, judged before anything of the request is believed."""

import re
from collections.abc import Sequence

from app.errors import ApiError

MAX_BYTES = 65_536
"""Of a request line and its headers: twice what nginx lets through."""

MAX_HEADERS = 100
"""As Apache and gunicorn have it."""

HOST = re.compile(rb"[A-Za-z0-9._~%!$&'()*+,;=:\[\]-]*")
"""The characters of a host and a port (RFC 3986, 3.2.2); none of them where the target names no host."""

Headers = Sequence[tuple[bytes, bytes]]
"""Names in small letters, and values without the white space around them."""


def refusal(method: bytes, url: bytes, version: str, headers: Headers) -> ApiError | None:
    """Why this is no request to be served; None where it may be.

    What two readers of a connection could take for two different requests is refused: who asked for which
    host (RFC 9112, 3.2), and where a body ends (RFC 9112, 6.1 and 6.3). The parser has seen to lengths.
    """
    size = len(url) + sum(len(name) + len(value) for name, value in headers)
    if size > MAX_BYTES:
        return too_large()
    if len(headers) > MAX_HEADERS:
        return ApiError(431, "too_many_headers", f"the request has more than {MAX_HEADERS} headers")
    if method == b"CONNECT":
        return _malformed("CONNECT is for proxies, and this is none")
    return _refusal_of_host(version, headers) or _refusal_of_coding(version, headers)


def without_upgrade(method: bytes, url: bytes, version: str, headers: Headers) -> bytes:
    """The same request, but for its offer to change to another protocol, as it comes over a connection.

    A server may ignore the offer (RFC 9110, 7.8), and then the request is one like any other.
    """
    lines = [name + b": " + value for name, value in headers if name != b"upgrade"]
    return b"\r\n".join([b"%s %s HTTP/%s" % (method, url, version.encode()), *lines, b"", b""])


def too_large() -> ApiError:
    message = f"the request's line and headers are larger than {MAX_BYTES} bytes"
    return ApiError(431, "headers_too_large", message)


def _refusal_of_host(version: str, headers: Headers) -> ApiError | None:
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) > 1:
        return _malformed(f"a request has one Host header, this one has {len(hosts)}")
    if not hosts and version != "1.0":
        return _malformed("the Host header is missing")
    if hosts and not HOST.fullmatch(hosts[0]):
        return _malformed("the Host header must be a host name or an address, and a port if need be")
    return None


def _refusal_of_coding(version: str, headers: Headers) -> ApiError | None:
    codings = [value.lower() for name, value in headers if name == b"transfer-encoding"]
    if not codings:
        return None
    if version == "1.0":
        return _malformed("HTTP/1.0 has no Transfer-Encoding")
    if codings != [b"chunked"]:
        return _malformed("the Transfer-Encoding must be chunked and nothing else")
    return None


def _malformed(message: str) -> ApiError:
    return ApiError(400, "malformed_request", message)
