"""Bodies of multipart forms, part by part."""

BOUNDARY = "b0undary"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def form_of(*parts: tuple[str, bytes], end: bytes = b"--b0undary--\r\n") -> bytes:
    """A body of parts, each a Content-Disposition and a content."""
    lines = (
        b"--b0undary\r\nContent-Disposition: " + disposition.encode() + b"\r\n\r\n" + content + b"\r\n"
        for disposition, content in parts
    )
    return b"".join(lines) + end
