"""The headers of a form and of its parts: what they name, in whichever way clients write it."""

import binascii
import re
from encodings import normalize_encoding
from encodings.aliases import aliases
from urllib.parse import unquote_to_bytes

from python_multipart.multipart import parse_options_header

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

QUOTED = re.compile(rb'"(?:[^"\\]|\\.)*"')


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
    known = normalize_encoding(charset.decode("latin-1").lower()) if len(charset) <= 40 else ""
    # By this one of its many spellings, and not at all where Python has none: it would keep each for good.
    if known in CHARSETS:
        try:
            return value.decode(known)
        except (UnicodeError, LookupError):  # the latter for `base64` and such, which are no charsets
            pass
    return value.decode("latin-1")
