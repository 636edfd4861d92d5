"""A whole multipart/form-data body -> its fields, in order and in memory.

Source: RFC 7578, which builds on RFC 2046, 5.1. The body is bounded and has arrived, so that a search finds
its boundaries, whatever is between them. A parser of streams looks at some bytes one by one: seven million
blanks before the values of headers took python-multipart 9 s, on the event loop.

A search holds Python's lock until it ends, and a boundary can be made for a body so that it takes 20 ns for
each byte: ten million of them are searched in slices, between which other threads run.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from encodings import normalize_encoding
from encodings.aliases import aliases
from time import sleep
from urllib.parse import unquote_to_bytes

from python_multipart.multipart import parse_options_header

SLICE_BYTES = 65_536
"""Searched at a time. A body of one slice is searched without a pause."""

PAUSE_SECONDS = 2e-5
"""After each slice. A pause of none might be over before a thread that waits for the lock has woken."""

MAX_OPTIONS = 16
"""Semicolons in one header, those in names among them. 256 parts with 3,900 each took 0.9 s to read."""

CHARSETS = frozenset({*aliases, *aliases.values()})
"""What Python may be asked for. It keeps every other name that it was ever asked for, however long."""

ENCODED_WORD = re.compile(rb"=\?([A-Za-z0-9._-]{1,40})\?([BbQq])\?([^?]*)\?=")
"""RFC 2047, 2; .NET writes names of files so that are not ASCII."""

EXTENDED_FILENAME = re.compile(
    rb""";[ \t]*filename\*[ \t]*=[ \t]*"?([A-Za-z0-9._-]{1,40})'[A-Za-z0-9-]*'([^\s;"']*)""", re.IGNORECASE
)
"""RFC 8187, 3.2. RFC 7578 forbids it in forms, and clients send it."""

QUOTED = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
"""One that nothing closes reaches to the end. Else each of its escaped quotes would be tried as the start of
another one, up to the end: 64 KB of parts with such a header took 6 s, on the event loop."""

USUAL_TYPE = re.compile(rb"multipart/form-data; ?boundary=([A-Za-z0-9_-]+)")
USUAL_DISPOSITION = re.compile(
    rb"""form-data; name="([A-Za-z0-9_-]+)"(?:; filename="([A-Za-z0-9_. ()-]*)")?"""
)
"""What nearly all clients write, read by one match, for a tenth of what a general parser takes."""

MAX_BOUNDARY_BYTES = 70
"""RFC 2046, 5.1.1."""

MAX_PADDING = 64
"""Blanks behind a boundary, which RFC 2046 has room for and hardly anyone sends."""

MAX_HEADERS = 8
"""Of one part; clients send two or three."""

MAX_HEADER_BYTES = 4096
"""Of one header of a part; no name is longer."""

HEADER_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110, 5.6.2."""


class FormError(ValueError):
    """The body is not a form that is accepted; the message says why."""


class TooManyPartsError(FormError):
    """The form has more parts than it may have."""


@dataclass(frozen=True)
class Part:
    """One field of a form; `filename` is None for a field that is text and not a file."""

    name: str
    filename: str | None
    content: bytes


def parse_form(content_type: str, body: bytes, max_parts: int) -> list[Part]:
    """The parts of `body`.

    Names are decoded by the charset of `content_type`, UTF-8 by default. Raises `FormError` for a missing or
    illegal boundary, for a body that is cut off, with no last boundary, for parts that are malformed or have
    no name, and for more than `MAX_HEADERS` in one or `MAX_HEADER_BYTES` in one header; `TooManyPartsError`
    for more than `max_parts`.
    """
    stated = content_type.encode("latin-1", "replace")
    if usual := USUAL_TYPE.fullmatch(stated):
        options = {b"boundary": usual[1]}
    else:
        try:
            options = options_of(stated)
        except HeaderError as error:
            raise FormError(f"Content-Type: {error}") from error
    boundary = options.get(b"boundary")
    if not boundary:
        raise FormError("Missing boundary in multipart.")
    if len(boundary) > MAX_BOUNDARY_BYTES:
        raise FormError(f"The boundary must be of at most {MAX_BOUNDARY_BYTES} characters.")
    charset = options.get(b"charset", b"utf-8")
    parts: list[Part] = []
    for head, content in _sections(body, boundary, max_parts):
        if len(parts) == max_parts:
            raise _too_many(max_parts)
        try:
            name, filename = disposition_of(_disposition(head), charset)
        except HeaderError as error:
            raise FormError(f"Content-Disposition: {error}") from error
        if name is None:
            raise FormError('The Content-Disposition header field "name" must be provided.')
        parts.append(Part(name, filename, content))
    return parts


def _sections(body: bytes, boundary: bytes, max_parts: int) -> Iterator[tuple[bytes, bytes]]:
    """The headers of each part, and its content."""
    delimiter = b"\r\n--" + boundary
    found = 0
    at = _behind_first_boundary(body, delimiter, max_parts)
    while not body.startswith(b"--", at):
        at = _behind_padding(body, at)
        # With the end of the boundary's line, so that a part without headers has an empty line too.
        end = body.find(b"\r\n\r\n", at - 2, at + MAX_HEADERS * (MAX_HEADER_BYTES + 2) + 4)
        if end < 0:
            if _find(body, delimiter, at) < 0:
                raise _cut_off()
            raise FormError(
                "Behind the headers of a part there must be an empty line;"
                f" there may be {MAX_HEADERS} of up to {MAX_HEADER_BYTES} bytes."
            )
        start = stop = end + 4
        while True:
            stop = _find(body, delimiter, stop)
            if stop < 0:
                raise _cut_off()
            # A line that goes on behind the boundary is part of a content, though RFC 2046 forbids it, but
            # ten million bytes of such lines would take seconds.
            found += 1
            if found > max_parts + 1:
                raise _too_many(max_parts)
            behind = stop + len(delimiter)
            if _ends_part(body, behind):
                break
            stop = behind
        yield body[at:end], body[start:stop]
        at = behind


def _find(body: bytes, wanted: bytes, start: int) -> int:
    """As `bytes.find`, but slice by slice."""
    while True:
        stop = start + SLICE_BYTES
        found = body.find(wanted, start, stop + len(wanted) - 1)
        if found >= 0 or stop >= len(body):
            return found
        start = stop
        sleep(PAUSE_SECONDS)


def _too_many(max_parts: int) -> TooManyPartsError:
    return TooManyPartsError(f"Too many parts. Maximum number of parts is {max_parts}.")


def _behind_first_boundary(body: bytes, delimiter: bytes, max_parts: int) -> int:
    """What stands before it is nobody's. It begins a line, or is preceded by nothing but ends of lines."""
    at = 0
    for _ in range(max_parts + 1):
        at = _find(body, delimiter[2:], at)
        if at < 0:
            raise FormError("The boundary that Content-Type names is not in the body.")
        if body[max(0, at - 2) : at] == b"\r\n" or (at <= SLICE_BYTES and not body[:at].strip(b"\r\n")):
            return at + len(delimiter) - 2
        at += len(delimiter) - 2
    raise _too_many(max_parts)


def _ends_part(body: bytes, behind: int) -> bool:
    """Whether what stands `behind` the characters of a boundary makes them one, or what is cut off of one."""
    return body[behind : behind + 2] in (b"\r\n", b"--", b"", b"\r", b"-") or body[behind] in b" \t"


def _behind_padding(body: bytes, at: int) -> int:
    """The start of the line behind a boundary."""
    padding = body[at : at + MAX_PADDING + 2]
    end = padding.find(b"\r\n")
    if end < 0 or padding[:end].strip(b" \t"):
        if len(body) - at <= MAX_PADDING and not padding.strip(b" \t\r-"):
            raise _cut_off()
        raise FormError(f"Behind a boundary there may be {MAX_PADDING} blanks and nothing else.")
    return at + end + 2


def _cut_off() -> FormError:
    return FormError("The body is cut off: after the last part there must be the boundary and `--`.")


def _disposition(head: bytes) -> bytes:
    """The last Content-Disposition among the lines of `head`, empty where there is none."""
    lines = head.split(b"\r\n") if head else []
    if len(lines) > MAX_HEADERS:
        raise FormError(f"A part may have {MAX_HEADERS} headers.")
    disposition = b""
    for line in lines:
        name, colon, value = line.partition(b":")
        if len(line) > MAX_HEADER_BYTES:
            raise FormError(f"A header of a part may have {MAX_HEADER_BYTES} bytes.")
        if not colon or not HEADER_NAME.fullmatch(name) or b"\r" in value:
            raise FormError("The headers of a part must be lines such as `Name: value`.")
        if name.lower() == b"content-disposition":
            disposition = value.lstrip(b" ")
    return disposition


class HeaderError(ValueError):
    """A header is not one that is accepted; the message says why."""


def options_of(header: bytes) -> dict[bytes, bytes]:
    """What stands behind the semicolons of `header`. Raises `HeaderError` for more than `MAX_OPTIONS`."""
    if header.count(b";") > MAX_OPTIONS:
        raise HeaderError(f"there may be {MAX_OPTIONS} semicolons in it")
    _, options = parse_options_header(header)
    return options


def disposition_of(header: bytes, charset: bytes) -> tuple[str | None, str | None]:
    """The names of a part and of its file, by its Content-Disposition; None for what it does not name.

    They are decoded by `charset`, and where that does not go, as Latin-1. Raises `HeaderError`.
    """
    if charset == b"utf-8" and (usual := USUAL_DISPOSITION.fullmatch(header)):
        return usual[1].decode(), None if usual[2] is None else usual[2].decode()
    return _disposition_of(header, charset)


def _disposition_of(header: bytes, charset: bytes) -> tuple[str | None, str | None]:
    """As `disposition_of`, for whatever a client may write."""
    options = options_of(header)
    name, filename = options.get(b"name"), options.get(b"filename")
    return (
        None if name is None else _text(name, charset),
        _extended_filename(header) if filename is None else _text(filename, charset),
    )


def _text(value: bytes, charset: bytes) -> str:
    if found := ENCODED_WORD.fullmatch(value):
        named, encoding, text = found.groups()
        try:
            plain = binascii.a2b_base64(text) if encoding in b"Bb" else binascii.a2b_qp(text, header=True)
        except binascii.Error:
            pass  # and then it is a name that looks like one
        else:
            return _decoded(plain, named)
    return _decoded(value, charset)


def _extended_filename(header: bytes) -> str | None:
    # In a quoted name there may be anything, also what looks like this.
    found = EXTENDED_FILENAME.search(header) and EXTENDED_FILENAME.search(
        QUOTED.sub(_without_semicolons, header)
    )
    return None if found is None else _decoded(unquote_to_bytes(found[2]), found[1])


def _without_semicolons(quoted: re.Match[bytes]) -> bytes:
    return quoted[0].replace(b";", b"")


def _decoded(value: bytes, charset: bytes) -> str:
    """`value` in `charset`, and where that does not go, as Latin-1; always a text that UTF-8 can write."""
    known = normalize_encoding(charset.decode("latin-1").lower()) if len(charset) <= 40 else ""
    # By this one of its many spellings, and not at all where Python has none: it would keep each for good.
    if known in CHARSETS:
        try:
            text = value.decode(known)
            text.encode()  # UTF-7 can write half a character, which no answer could repeat
            return text
        except (UnicodeError, LookupError):  # the latter for `base64` and such, which are no charsets
            pass
    return value.decode("latin-1")
