"""What is fed with mutated input: each takes any bytes, and raises nothing but the error it is allowed to."""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from app.errors import ProtocolError
from app.http.multipart import FormError, parse_form
from app.v2.codec import parse_request
from models.preprocessing.decode import decode
from models.preprocessing.image_error import ImageError
from tests.support.colour_profiles import rgb_profile
from tests.support.image_files import hostile_files, png, png_chunk, saved

MAX_PIXELS = 250_000


@dataclass(frozen=True)
class Target:
    """`seeds` are sound inputs, and some that are not, to begin with."""

    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]


def _decode(data: bytes) -> None:
    """The first byte chooses the scale."""
    try:
        decoded = decode(data[1:], MAX_PIXELS, (None, 4, 32)[data[0] % 3] if data else None)
    except ImageError:
        return
    assert decoded.image.mode == "RGB"


def _pictures() -> list[bytes]:
    noise = Image.effect_noise((40, 30), 90)
    exif = Image.Exif()
    exif[0x0112] = 6
    profile = {"icc_profile": rgb_profile()}
    files = [
        saved(noise.convert("RGB"), "JPEG", exif=exif, **profile),
        saved(noise.convert("CMYK"), "JPEG"),
        saved(noise, "JPEG", progressive=True)[:-2],
        saved(noise.convert("RGB"), "PNG", exif=exif, **profile),
        saved(noise.convert("P"), "PNG", transparency=3),
        saved(noise.convert("I;16"), "PNG"),
        saved(noise.convert("RGBA"), "WEBP", lossless=True, **profile),
        saved(noise.convert("RGB"), "WEBP"),
        saved(noise.convert("P"), "GIF", transparency=3),
        saved(noise.convert("P"), "BMP"),
        saved(noise.convert("1"), "BMP"),
        saved(noise.convert("RGB"), "AVIF", **profile),
        png(2, 1, 16, 2, png_chunk(b"tRNS", bytes(6)), bytes(13)),
        png(2, 1, 8, 2, png_chunk(b"gAMA", b"\0\1\0\0") + png_chunk(b"cHRM", bytes(32)), bytes(7)),
    ]
    return [b"\1" + content for content in (*files, *(content for content, _ in hostile_files().values()))]


def _parse_form(data: bytes) -> None:
    try:
        parse_form("multipart/form-data; boundary=b0undary", data, max_parts=16)
    except FormError:
        return


def _forms() -> list[bytes]:
    part = b'--b0undary\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\ncontent\r\n'
    return [part + b"--b0undary--\r\n", part * 3 + b"--b0undary--", part, b"--b0undary--", b""]


def _parse_request(data: bytes) -> None:
    """The first two bytes are the length of the header, 0 for none."""
    (length,) = struct.unpack("<H", data[:2].ljust(2, b"\0"))
    try:
        parse_request(data[2:], str(length) if length else None)
    except ProtocolError:
        return


def _requests() -> list[bytes]:
    text = b'{"inputs": [{"name": "x", "datatype": "UINT8", "shape": [2, 2], "data": [1, 2, 3, 255]}]}'
    binary = (
        b'{"inputs": [{"name": "x", "datatype": "BYTES", "shape": [1],'
        b' "parameters": {"binary_data_size": 7}}], "outputs": [{"name": "label"}]}'
    )
    values = struct.pack("<I", 3) + b"abc"
    return [b"\0\0" + text, struct.pack("<H", len(binary)) + binary + values, b"\0\0{}", b""]


TARGETS = {
    "decoding": Target(_decode, _pictures),
    "multipart": Target(_parse_form, _forms),
    "v2": Target(_parse_request, _requests),
}
