"""Forms: what is read of them, and what is refused before it costs anything."""

import sys
from types import FrameType
from typing import Any

import pytest

from app.http.multipart import (
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    MAX_PADDING,
    SLICE_BYTES,
    FormError,
    parse_form,
)
from tests.support.multipart_form import TYPE, form_of


def test_the_charset_that_decodes_nothing_is_taken_for_one_that_is_not_there() -> None:
    """Python calls it `undefined`; Starlette fails on it."""
    body = form_of(('form-data; name="file"; filename="a.png"', b"content"))
    (part,) = parse_form(f"{TYPE}; charset=undefined", body, 1)
    assert (part.name, part.filename) == ("file", "a.png")


def test_a_part_without_a_name_is_refused() -> None:
    with pytest.raises(FormError, match='"name" must be provided'):
        parse_form(TYPE, form_of(("form-data", b"x")), 1)


def test_more_parts_than_allowed_are_refused() -> None:
    body = form_of(*[('form-data; name="file"; filename="a"', b"x")] * 3)
    assert len(parse_form(TYPE, body, 3)) == 3
    with pytest.raises(FormError, match="Maximum number of parts is 2"):
        parse_form(TYPE, body, 2)


@pytest.mark.parametrize("cut", [1, 5, 12, 13, 14, 16, 40, 100, 180])
def test_a_form_that_is_cut_off_is_refused_wherever_it_is(cut: int) -> None:
    whole = form_of(*[('form-data; name="file"; filename="a"', b"x" * 50)] * 2, end=b"--b0undary--")
    assert len(parse_form(TYPE, whole, 9)) == 2
    with pytest.raises(FormError, match=r"is cut off|not in the body"):
        parse_form(TYPE, whole[:-cut], 9)


@pytest.mark.parametrize("before", [b"", b"\r\n", b"For clients that read no forms.\r\n", b"-- \r\n--b0\r\n"])
@pytest.mark.parametrize("padding", [b"", b" ", b"\t  ", b" " * MAX_PADDING])
@pytest.mark.parametrize("after", [b"", b"\r\n", b" \r\nand so it ends"])
def test_what_stands_around_the_parts_is_nobodys(before: bytes, padding: bytes, after: bytes) -> None:
    part = b'--b0undary%s\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n%s\r\n'
    body = before + part % (padding, b"one") + part % (padding, b" two --b0undary ") + b"--b0undary--" + after
    assert [each.content for each in parse_form(TYPE, body, 2)] == [b"one", b" two --b0undary "]


@pytest.mark.parametrize("padding", [b" " * (MAX_PADDING + 1), b" " * 1_000_000, b" x"])
@pytest.mark.parametrize("first", [True, False])
def test_more_blanks_behind_a_boundary_are_refused(padding: bytes, first: bool) -> None:
    part = b'--b0undary%s\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nx\r\n'
    body = part % (padding if first else b"") + part % (b"" if first else padding) + b"--b0undary--"
    with pytest.raises(FormError, match=f"{MAX_PADDING} blanks"):
        parse_form(TYPE, body, 9)


def test_many_options_are_refused_in_either_header() -> None:
    disposition = 'form-data; name="file"; filename="a"' + ";" * 1000
    with pytest.raises(FormError, match="Content-Disposition: there may be 16 semicolons"):
        parse_form(TYPE, form_of((disposition, b"x")), 9)
    with pytest.raises(FormError, match="Content-Type: there may be 16 semicolons"):
        parse_form(TYPE + ";" * 1000, form_of(), 9)


@pytest.mark.parametrize("before", [b"", b"\r\n"])
def test_as_many_parts_as_allowed_are_read(before: bytes) -> None:
    body = before + form_of(*[('form-data; name="file"; filename="a"', b"x")] * 3)
    assert len(parse_form(TYPE, body, 3)) == 3


def test_lines_that_begin_as_a_boundary_count_as_parts() -> None:
    """Each costs the parser about as much as a part, and ten million bytes have room for a million."""
    body = form_of(('form-data; name="file"; filename="a"', b"\r\n--b0undaryx" * 4))
    assert len(parse_form(TYPE, body, 4)) == 1
    with pytest.raises(FormError, match="Maximum number of parts is 3"):
        parse_form(TYPE, body, 3)


def _with_headers(count: int, size: int) -> bytes:
    """A form whose part has `count` headers, each of `size` bytes."""
    first = b'Content-Disposition: form-data; name="'
    lines = [first + b"x" * (size - len(first) - 1) + b'"', *[b"a: " + b"b" * (size - 3)] * (count - 1)]
    return b"--b0undary\r\n" + b"\r\n".join(lines) + b"\r\n\r\ncontent\r\n--b0undary--\r\n"


def test_the_headers_of_a_part_are_bounded_and_with_them_its_names() -> None:
    (part,) = parse_form(TYPE, _with_headers(MAX_HEADERS, MAX_HEADER_BYTES), 1)
    assert len(part.name) > 0.9 * MAX_HEADER_BYTES
    for count, size in ((9, 100), (1, 5000), (8, 5000), (1, 1_000_000)):
        with pytest.raises(FormError, match=f"may (have|be) ({MAX_HEADERS}|{MAX_HEADER_BYTES})"):
            parse_form(TYPE, _with_headers(count, size), 1)


@pytest.mark.parametrize("line", [b"nonsense", b": a", b"a b: c", b"a\0: b", b"a: b\rc"])
def test_what_is_no_header_is_refused(line: bytes) -> None:
    body = form_of(('form-data; name="file"; filename="a"', b"x")).replace(
        b"Content-D", line + b"\r\nContent-D"
    )
    with pytest.raises(FormError, match="lines such as `Name: value`"):
        parse_form(TYPE, body, 1)


@pytest.mark.parametrize(
    "body",
    [
        b"--b0undary\r\n" + b"a: " + b" " * 4000 + b"\r\n",
        b"--b0undary\r\n" + (b"a: " + b" " * 4000 + b"\r\n") * 7,
        b'--b0undary\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + b"\r\n--b0undar" * 900_000,
        b"\r\n--" * 2_000_000,
        b"--b0undary" + b" " * 9_000_000,
    ],
)
def test_no_byte_is_looked_at_by_itself(body: bytes) -> None:
    """So that millions of them take no longer than a search: counted are the lines of Python that run."""
    lines = 0

    def count(_frame: FrameType, event: str, _argument: Any) -> Any:  # noqa: ANN401 - Python's own
        nonlocal lines
        lines += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        with pytest.raises(FormError):
            parse_form(TYPE, body, 256)
    finally:
        sys.settrace(before)
    assert 0 < lines < 10 * len(body) / SLICE_BYTES + 500


class _Searched(bytes):
    """A body that knows how much of it was searched at once."""

    most = 0

    def find(self, wanted: bytes, start: int = 0, stop: int | None = None) -> int:  # type: ignore[override]
        found = super().find(wanted, start, stop)
        end = min(len(self), len(self) if stop is None else stop)
        self.most = max(self.most, (end if found < 0 else found) - start)
        return found


@pytest.mark.parametrize("before", [0, 1, SLICE_BYTES - 12, 3 * SLICE_BYTES])
@pytest.mark.parametrize("size", [SLICE_BYTES - 90 + shift for shift in range(0, 24, 3)])
def test_a_long_body_is_searched_in_slices_and_the_same_is_found(before: int, size: int) -> None:
    contents = [b"1" * size, b"2" * 5 * SLICE_BYTES, b"--b0undary" * 20_000]
    form = form_of(*(('form-data; name="file"; filename="a"', content) for content in contents))
    body = _Searched(b"x" * before + b"\r\n" + form)
    assert [part.content for part in parse_form(TYPE, body, 3)] == contents
    assert 0 < body.most <= SLICE_BYTES + len("\r\n--b0undary")
    with pytest.raises(FormError, match="is cut off"):
        parse_form(TYPE, _Searched(body[:-40]), 3)


def test_ends_of_lines_without_a_boundary_are_searched_in_slices_too() -> None:
    body = _Searched(b"\r\n" * 5 * SLICE_BYTES)
    with pytest.raises(FormError, match="is not in the body"):
        parse_form(TYPE, body, 3)
    assert 0 < body.most <= SLICE_BYTES + len("--b0undary")


def test_boundaries_that_begin_no_line_count_as_parts() -> None:
    with pytest.raises(FormError, match="Maximum number of parts is 3"):
        parse_form(TYPE, b"x--b0undary" * 1_000_000, 3)
