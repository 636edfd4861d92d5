"""Forms are read as Starlette reads them, which is held against any form that hypothesis thinks of."""

import asyncio
import re
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from app.http.multipart import FormError, parse_form
from tests.support.multipart_form import TYPE, form_of

LAST = re.compile(rb"(^[\r\n]*|\r\n)--b0undary--")
"""What a form ends with; Starlette loses what is cut off before."""


def _by_starlette(content_type: str, body: bytes) -> list[tuple[str, str | None, bytes]] | None:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    async def parse() -> list[tuple[str, str | None, bytes]]:
        parser = MultiPartParser(Headers({"content-type": content_type}), stream())
        form = await parser.parse()
        parts: list[tuple[str, str | None, bytes]] = []
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                parts.append((name, value.filename, await value.read()))
            else:
                parts.append((name, None, value.encode()))
        # And not by the form, which leaves the file of a part that is cut off open.
        for file in parser._files_to_close_on_error:
            file.close()
        return parts

    try:
        return asyncio.run(parse())
    except MultiPartException:
        return None


def _by_us(content_type: str, body: bytes) -> list[tuple[str, str | None, bytes]] | None:
    try:
        parts = parse_form(content_type, body, max_parts=1000)
    except FormError:
        return None
    # Starlette gives text as text.
    return [
        (
            part.name,
            part.filename,
            part.content if part.filename is not None else part.content.decode("utf-8").encode(),
        )
        for part in parts
    ]


text = st.text(st.characters(codec="utf-8", exclude_characters='"\\\r\n\0'), max_size=12)


contents = st.one_of(
    st.binary(max_size=60),
    st.lists(
        st.sampled_from(
            [b"\r", b"\n", b"\r\n", b"--", b"\r\n--b0undary", b"b0undary", b"\r\n--b0undar", b"x"]
        ),
        max_size=8,
    ).map(b"".join),
)


files = st.tuples(st.builds('form-data; name="{}"; filename="{}"'.format, text, text), contents)


fields = st.tuples(st.builds('form-data; name="{}"'.format, text), text.map(str.encode))


forms = st.builds(
    lambda before, parts, end: before + form_of(*parts, end=end),
    st.sampled_from([b"", b"\r\n", b"\n\r\n"]),
    st.lists(st.one_of(files, fields), max_size=4),
    st.sampled_from([b"--b0undary--\r\n", b"--b0undary--", b"--b0undary--\r\nafter", b"", b"--b0undary"]),
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(forms)
def test_any_form_is_read_as_starlette_reads_it(body: bytes) -> None:
    assert _by_us(TYPE, body) == (_by_starlette(TYPE, body) if LAST.search(body) else None)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(forms.filter(len), st.data())
def test_any_damaged_form_is_read_as_by_starlette_or_refused(body: bytes, data: st.DataObject) -> None:
    """Some that Starlette reads are refused here, as one with a part that ends before its headers do."""
    damaged = bytearray(body)
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.sampled_from(b'\r\n-:;"= b\xff\0'))
    try:
        expected = _by_starlette(TYPE, bytes(damaged))
    except UnicodeError:
        return
    try:
        found = _by_us(TYPE, bytes(damaged))
    except UnicodeDecodeError:
        # Text that is no UTF-8 is read as Latin-1 by Starlette; here nobody asks for text.
        return
    if LAST.search(damaged) is None:
        assert found is None
    elif damaged.lstrip(b"\r\n").startswith(b"--b0undary"):  # for Starlette knows of nothing before
        assert found in (expected, None)


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        'multipart/form-data; boundary="b0undary"; charset=latin-1',
        "multipart/form-data; boundary=b0undary; charset=nonsense",
        "multipart/form-data; boundary=" + "x" * 300,
        "multipart/form-data; boundary=other",
    ],
)
def test_boundary_and_charset_are_taken_as_by_starlette(content_type: str) -> None:
    body = form_of(('form-data; name="file"; filename="Größe.png"', b"content"))
    assert _by_us(content_type, body) == _by_starlette(content_type, body)


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        ('form-data; name="file"; filename="a \\"b\\".png"', 'a "b".png'),
        ("form-data; name=file; filename=a.png", "a.png"),
        ('form-data; name="file"; filename=""', ""),
        ('form-data; name="file"; filename="C:\\\\pictures\\\\a.png"', "a.png"),
    ],
)
def test_file_names_are_read_as_they_are_written(disposition: str, filename: str) -> None:
    body = form_of((disposition, b"content"))
    (part,) = parse_form(TYPE, body, 1)
    assert (part.name, part.content) == ("file", b"content")
    assert _by_us(TYPE, body) == _by_starlette(TYPE, body)
    assert part.filename is not None
    assert part.filename.endswith(filename)
