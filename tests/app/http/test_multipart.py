"""Forms are read as Starlette reads them, which is held against any form that hypothesis thinks of."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from app.http.multipart import FormError, parse_form

BOUNDARY = "b0undary"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def _form(*parts: tuple[str, bytes], end: bytes = b"--b0undary--\r\n") -> bytes:
    """A body of parts, each a Content-Disposition and a content."""
    lines = (
        b"--b0undary\r\nContent-Disposition: " + disposition.encode() + b"\r\n\r\n" + content + b"\r\n"
        for disposition, content in parts
    )
    return b"".join(lines) + end


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
    lambda before, parts, end: before + _form(*parts, end=end),
    st.sampled_from([b"", b"\r\n", b"\n\r\n"]),
    st.lists(st.one_of(files, fields), max_size=4),
    st.sampled_from([b"--b0undary--\r\n", b"--b0undary--", b"--b0undary--\r\nafter", b"", b"--b0undary"]),
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(forms)
def test_any_form_is_read_as_starlette_reads_it(body: bytes) -> None:
    assert _by_us(TYPE, body) == _by_starlette(TYPE, body)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(forms.filter(len), st.data())
def test_any_damaged_form_is_read_or_refused_as_by_starlette(body: bytes, data: st.DataObject) -> None:
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
    assert found == expected


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
    body = _form(('form-data; name="file"; filename="Größe.png"', b"content"))
    assert _by_us(content_type, body) == _by_starlette(content_type, body)


def test_the_charset_that_decodes_nothing_is_taken_for_one_that_is_not_there() -> None:
    """Python calls it `undefined`; Starlette fails on it."""
    body = _form(('form-data; name="file"; filename="a.png"', b"content"))
    (part,) = parse_form(f"{TYPE}; charset=undefined", body, 1)
    assert (part.name, part.filename) == ("file", "a.png")


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
    body = _form((disposition, b"content"))
    (part,) = parse_form(TYPE, body, 1)
    assert (part.name, part.content) == ("file", b"content")
    assert _by_us(TYPE, body) == _by_starlette(TYPE, body)
    assert part.filename is not None
    assert part.filename.endswith(filename)


def test_a_part_without_a_name_is_refused() -> None:
    with pytest.raises(FormError, match='"name" must be provided'):
        parse_form(TYPE, _form(("form-data", b"x")), 1)


def test_more_parts_than_allowed_are_refused() -> None:
    body = _form(*[('form-data; name="file"; filename="a"', b"x")] * 3)
    assert len(parse_form(TYPE, body, 3)) == 3
    with pytest.raises(FormError, match="Maximum number of parts is 2"):
        parse_form(TYPE, body, 2)


def test_a_part_that_is_cut_off_is_left_out() -> None:
    whole = _form(*[('form-data; name="file"; filename="a"', b"x" * 50)] * 2)
    assert len(parse_form(TYPE, whole[:-40], 9)) == 1


@pytest.mark.parametrize("before", [b"", b"\r\n"])
def test_as_many_parts_as_allowed_are_read(before: bytes) -> None:
    body = before + _form(*[('form-data; name="file"; filename="a"', b"x")] * 3)
    assert len(parse_form(TYPE, body, 3)) == 3


def test_lines_that_begin_as_a_boundary_count_as_parts() -> None:
    """Each costs the parser about as much as a part, and ten million bytes have room for a million."""
    body = _form(('form-data; name="file"; filename="a"', b"\r\n--b0undaryx" * 4))
    assert len(parse_form(TYPE, body, 4)) == 1
    with pytest.raises(FormError, match="Maximum number of parts is 3"):
        parse_form(TYPE, body, 3)


def _with_headers(count: int, size: int) -> bytes:
    """A form whose part has `count` headers, each of `size` bytes."""
    first = b'Content-Disposition: form-data; name="'
    lines = [first + b"x" * (size - len(first) - 1) + b'"', *[b"a: " + b"b" * (size - 3)] * (count - 1)]
    return b"--b0undary\r\n" + b"\r\n".join(lines) + b"\r\n\r\ncontent\r\n--b0undary--\r\n"


def test_the_headers_of_a_part_are_bounded_and_with_them_its_names() -> None:
    (part,) = parse_form(TYPE, _with_headers(8, 4000), 1)
    assert len(part.name) > 3900
    for count, size in ((9, 100), (1, 5000), (8, 5000), (1, 1_000_000)):
        with pytest.raises(FormError, match="Invalid multipart data"):
            parse_form(TYPE, _with_headers(count, size), 1)
