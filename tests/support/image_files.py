"""Image files for tests, built by code: sound ones of every kind, and hostile ones."""

import io
import struct
import zlib

from PIL import Image

RED = (255, 0, 0)


def saved(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(
    width: int,
    height: int,
    bit_depth: int = 8,
    colour_type: int = 2,
    extra: bytes = b"",
    pixels: bytes | None = None,
) -> bytes:
    """A PNG whose header says what it is told; `extra` chunks stand before the pixels."""
    if pixels is None:
        pixels = b"".join(b"\0" + b"\x80" * (3 * width) for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, bit_depth, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + extra
        + png_chunk(b"IDAT", zlib.compress(pixels))
        + png_chunk(b"IEND", b"")
    )


def _photo() -> Image.Image:
    return Image.effect_noise((64, 48), 80).convert("RGB")


def _cut(content: bytes) -> bytes:
    return content[: len(content) * 2 // 3]


def _with_size(content: bytes, offset: int, layout: str, width: int, height: int) -> bytes:
    size = struct.pack(layout, width, height)
    return content[:offset] + size + content[offset + len(size) :]


def hostile_files() -> dict[str, tuple[bytes, str]]:
    """Name -> (content, the code it must be refused with)."""
    photo = _photo()
    jpeg, bmp = saved(photo, "JPEG"), saved(photo, "BMP")
    gif, webp = saved(photo, "GIF"), saved(photo, "WEBP", lossless=True)
    start_of_frame = jpeg.index(b"\xff\xc0") + 5
    return {
        "nothing": (b"", "empty_file"),
        "one byte": (b"\xff", "unsupported_image"),
        "text": (b"hello, I am a picture", "unsupported_image"),
        "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported_image"),
        "tiff": (saved(photo, "TIFF"), "unsupported_image"),
        "ico": (saved(photo, "ICO"), "unsupported_image"),
        "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "unsupported_image"),
        "riff but not webp": (b"RIFF\x24\0\0\0WAVEfmt ", "unsupported_image"),
        "jpeg, first bytes only": (jpeg[:3], "damaged_image"),
        "jpeg cut off": (_cut(jpeg), "damaged_image"),
        "jpeg of 65500 x 65500": (_with_size(jpeg, start_of_frame, ">HH", 65500, 65500), "image_too_large"),
        "png, first bytes only": (b"\x89PNG\r\n\x1a\n", "damaged_image"),
        "png cut off": (_cut(saved(photo, "PNG")), "damaged_image"),
        "png of 60000 x 60000": (png(60_000, 60_000, pixels=b""), "image_too_large"),
        "png of 10001 x 5000": (png(10_001, 5_000, pixels=b""), "image_too_large"),
        "png of no width": (png(0, 10), "damaged_image"),
        "png without pixels": (png(8, 8, pixels=b""), "damaged_image"),
        "png with palette pixels but no palette": (
            png(1, 1, colour_type=3, pixels=b"\0\0"),
            "damaged_image",
        ),
        "png with broken checksum": (png(8, 8).replace(b"IDAT", b"IDAX"), "damaged_image"),
        "gif cut off": (_cut(gif), "damaged_image"),
        "gif of 65535 x 65535": (_with_size(gif, 6, "<HH", 65535, 65535), "image_too_large"),
        "webp cut off": (_cut(webp), "damaged_image"),
        "bmp cut off": (_cut(bmp), "damaged_image"),
        "bmp of 60000 x 60000": (_with_size(bmp, 18, "<ii", 60_000, 60_000), "image_too_large"),
        "bmp of negative width": (_with_size(bmp, 18, "<ii", -64, 48), "damaged_image"),
    }
