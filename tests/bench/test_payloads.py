"""The benchmarks send the images and the bodies that they say they send."""

import hashlib
import io
from email import message_from_bytes
from email.message import Message

import pytest
from PIL import Image

from tests.bench.payloads import FORMS, Picture, multipart, photo_like, pictures, raw

PICTURE = Picture("some", "png", b"\x89PNG\r\n\x1a\n--not-the-boundary\r\n\x00")


@pytest.mark.parametrize(
    ("name", "form", "size"),
    [("32x32-png", "PNG", (32, 32)), ("32x32-jpeg", "JPEG", (32, 32)), ("640x480-jpeg", "JPEG", (640, 480))],
)
def test_pictures_are_what_their_names_say(name: str, form: str, size: tuple[int, int]) -> None:
    picture = pictures()[name]
    with Image.open(io.BytesIO(picture.content)) as image:
        assert (image.format, image.size, image.mode) == (form, size, "RGB")
    assert picture.kind == form.lower()


def test_pictures_are_the_same_every_time() -> None:
    first = {name: hashlib.sha256(picture.content).digest() for name, picture in pictures().items()}
    pictures.cache_clear()
    assert {name: hashlib.sha256(picture.content).digest() for name, picture in pictures().items()} == first


def test_a_photo_has_more_to_decode_than_an_enlarged_picture() -> None:
    with Image.open(io.BytesIO(pictures()["32x32-png"].content)) as opened:
        small = opened.convert("RGB")
    sizes = []
    for image in (small.resize((640, 480), Image.Resampling.BICUBIC), photo_like(small, 640, 480)):
        written = io.BytesIO()
        image.save(written, "JPEG", quality=90)
        sizes.append(len(written.getvalue()))
    # Photos of this size and quality take 40 to 120 kB.
    assert sizes[0] < 40_000 < sizes[1] < 120_000


def test_raw_body_is_the_file() -> None:
    body = raw(PICTURE)
    assert (body.content_type, body.content) == ("image/png", PICTURE.content)


def test_multipart_body_holds_the_file_as_the_field_that_the_service_reads() -> None:
    body = multipart(PICTURE)
    message = message_from_bytes(f"Content-Type: {body.content_type}\r\n\r\n".encode() + body.content)
    parts = message.get_payload()
    assert isinstance(parts, list)
    (part,) = parts
    assert isinstance(part, Message)
    assert part.get_param("name", header="content-disposition") == "file"
    assert part.get_content_type() == "image/png"
    # The parser of e-mails reads text; the bytes themselves stand in the body unchanged.
    assert body.content.count(b"\r\n\r\n" + PICTURE.content + b"\r\n--") == 1


def test_both_forms_are_measured() -> None:
    assert set(FORMS) == {"multipart", "raw"}
