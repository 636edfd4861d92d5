"""Names of fields and files, as clients write them, and what reading them may cost."""

import encodings
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.http import multipart
from app.http.multipart import MAX_OPTIONS, HeaderError, disposition_of, options_of


@pytest.mark.parametrize(
    ("header", "filename"),
    [
        (b'form-data; name="file"; filename="Gr\xc3\xb6\xc3\x9fe.png"', "Größe.png"),
        (b"form-data; name=file; filename*=utf-8''Gr%C3%B6%C3%9Fe.png", "Größe.png"),
        (b"form-data; name=file; FileName* = \"UTF-8'de'Gr%C3%B6%C3%9Fe.png\"", "Größe.png"),
        (b"form-data; name=file; filename*=iso-8859-1''Gr%F6%DFe.png", "Größe.png"),
        (b"form-data; name=file; filename*=nonsense''a.png", "a.png"),
        (b'form-data; name=file; filename="=?utf-8?B?R3LDtsOfZS5wbmc=?="', "Größe.png"),
        (
            b"form-data; name=file; filename=\"=?utf-8?B?R3LDtsOfZS5wbmc=?=\"; filename*=utf-8''other.png",
            "Größe.png",
        ),
        (b'form-data; name=file; filename="=?ISO-8859-1?q?Gr=F6=DFe_1.png?="', "Größe 1.png"),
        (b'form-data; name=file; filename="=?utf-8?B?x?="', "=?utf-8?B?x?="),
        (b'form-data; name=file; filename="a; b; c.png"', "a; b; c.png"),
        (b"form-data; name=file; filename*=", None),
        (b"form-data; name=file", None),
    ],
)
def test_a_files_name_is_read_as_it_is_meant(header: bytes, filename: str | None) -> None:
    assert disposition_of(header, b"utf-8") == ("file", filename)


def test_a_fields_name_may_be_an_encoded_word() -> None:
    assert disposition_of(b'form-data; name="=?utf-8?B?ZmlsZQ==?="', b"utf-8") == ("file", None)


def test_what_stands_in_quotes_is_no_name_of_a_file() -> None:
    header = b"form-data; name=\"; filename*=utf-8''a\""
    assert disposition_of(header, b"utf-8") == ("; filename*=utf-8''a", None)


@pytest.mark.parametrize(
    "charset", [b"utf-7", b"UTF7", b"u7", b"unicode-1-1-utf-7", b"utf-8", b"utf-16", b"utf-32", b"cp1252"]
)
def test_every_name_can_be_written_in_an_answer(charset: bytes) -> None:
    """`+2AA-` is one half of a pair of surrogates in UTF-7, the other bytes are in UTF-8 and UTF-16."""
    for value in (b"+2AA-", b"%2B2AA-", b"%ED%A0%80", b"%00%D8", b"%D8%00"):
        for header in (
            b"form-data; name=file; filename*=" + charset + b"''" + value,
            b'form-data; name=file; filename="=?' + charset + b"?Q?" + value.replace(b"%", b"=") + b'?="',
            b"form-data; name=" + value,
        ):
            for name in disposition_of(header, charset):
                if name is not None:
                    name.encode()


def test_a_quote_that_nothing_closes_is_looked_through_once() -> None:
    header = b"form-data; name=file; filename*=utf-8''a; x=\"" + b'\\"' * 1_900
    assert [found.end() for found in multipart.QUOTED.finditer(header)] == [len(header)]
    assert disposition_of(header, b"utf-8") == ("file", "a")


def test_options_are_bounded() -> None:
    assert options_of(b"a" + b";b=c" * MAX_OPTIONS) == {b"b": b"c"}
    with pytest.raises(HeaderError, match=str(MAX_OPTIONS)):
        options_of(b"a" + b";" * (MAX_OPTIONS + 1))


def test_no_charset_that_is_asked_for_stays_in_memory() -> None:
    """Python keeps every name of an encoding that it is asked for, found or not."""
    header = b'form-data; name="file"; filename="Gr\xc3\xb6\xc3\x9fe.png"'
    disposition_of(header, b"utf-8")
    before = len(encodings._cache)
    for i in range(200):
        for charset in (b"x" * 60_000 + b"%d" % i, b"unknown-%d" % i, b"utf" + b"-." * i + b"8"):
            disposition_of(header, charset)
    assert len(encodings._cache) == before


USUAL_NAMES = st.text(string.ascii_letters + string.digits + "_-. ()", max_size=30)


@given(
    name=st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=20),
    filename=st.none() | USUAL_NAMES,
    changed=st.none() | st.tuples(st.integers(0, 60), st.characters(max_codepoint=255)),
)
def test_usual_headers_are_read_as_all_others_are(
    name: str, filename: str | None, changed: tuple[int, str] | None
) -> None:
    header = f'form-data; name="{name}"' + ("" if filename is None else f'; filename="{filename}"')
    if changed is not None:
        place, character = changed
        header = header[:place] + character + header[place:]
    written = header.encode("latin-1")
    assert disposition_of(written, b"utf-8") == multipart._disposition_of(written, b"utf-8")


@given(
    boundary=st.text(string.ascii_letters + string.digits + "_-", min_size=1, max_size=80),
    space=st.sampled_from(["", " "]),
)
def test_usual_types_are_read_as_all_others_are(boundary: str, space: str) -> None:
    stated = f"multipart/form-data;{space}boundary={boundary}"
    usual = multipart.USUAL_TYPE.fullmatch(stated.encode())
    assert usual is not None
    assert multipart.options_of(stated.encode()) == {b"boundary": usual[1]}
