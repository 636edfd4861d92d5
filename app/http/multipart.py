"""A whole multipart/form-data body -> its fields, in order and in memory.

Source: RFC 7578, by the parser of python-multipart. What Starlette builds on that parser makes a temporary
file of every part: needless work for a body that is bounded and has arrived.
"""

import codecs
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header


class FormError(ValueError):
    """The body is not a form that is accepted; the message says why."""


@dataclass
class Part:
    """One field of a form; `filename` is None for a field that is text and not a file."""

    name: str = ""
    filename: str | None = None
    content: bytes = b""


def parse_form(content_type: str, body: bytes, max_parts: int) -> list[Part]:
    """The parts of `body`. One that is cut off, with no boundary after it, is left out.

    Names are decoded by the charset of `content_type`, UTF-8 by default. Raises `FormError` for a missing or
    illegal boundary, for parts that are malformed or have no name, and for more than `max_parts` of them. The
    parser takes eight headers a part and four kilobytes a header, and so no longer names.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if boundary is None:
        raise FormError("Missing boundary in multipart.")
    # A line that goes on behind the boundary is none to the parser, but costs it microseconds: ten million
    # bytes of them took three seconds, and are counted in milliseconds. RFC 2046 forbids such lines (5.1.1).
    # The first boundary need not be a line of its own, and behind the last part there is one more.
    if body.count(b"\r\n--" + boundary) > max_parts + 1:
        raise _too_many(max_parts)
    collector = _Collector(_charset(options), max_parts)
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": collector.begin,
                "on_part_data": collector.data,
                "on_part_end": collector.end,
                "on_header_field": collector.header_name,
                "on_header_value": collector.header_value,
                "on_header_end": collector.header_end,
                "on_headers_finished": collector.headers_finished,
            },
        )
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise FormError("Invalid multipart data.") from error
    return collector.parts


def _too_many(max_parts: int) -> FormError:
    return FormError(f"Too many parts. Maximum number of parts is {max_parts}.")


def _charset(options: dict[bytes, bytes]) -> str:
    try:
        return codecs.lookup(options.get(b"charset", b"utf-8").decode("latin-1")).name
    except LookupError:
        return "latin-1"


@dataclass
class _Collector:
    charset: str
    max_parts: int
    parts: list[Part] = field(default_factory=list)
    begun: int = 0

    def begin(self) -> None:
        self.begun += 1
        if self.begun > self.max_parts:
            raise _too_many(self.max_parts)
        self.part = Part()
        self.pieces: list[bytes] = []
        self.disposition: bytes | None = None
        self.header = b""
        self.value = b""

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self.header += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self.value += data[start:end]

    def header_end(self) -> None:
        if self.header.lower() == b"content-disposition":
            self.disposition = self.value
        self.header = self.value = b""

    def headers_finished(self) -> None:
        _, options = parse_options_header(self.disposition)
        if b"name" not in options:
            raise FormError('The Content-Disposition header field "name" must be provided.')
        self.part.name = self._text(options[b"name"])
        if b"filename" in options:
            self.part.filename = self._text(options[b"filename"])

    def data(self, data: bytes, start: int, end: int) -> None:
        self.pieces.append(data[start:end])

    def end(self) -> None:
        # Mostly one piece, and then this copies nothing.
        self.part.content = b"".join(self.pieces)
        self.parts.append(self.part)

    def _text(self, value: bytes) -> str:
        try:
            return value.decode(self.charset)
        except (UnicodeError, LookupError):  # not only UnicodeDecodeError: there is a charset `undefined`
            return value.decode("latin-1")
