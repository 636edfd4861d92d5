"""Files handed to Pillow's decoders, of which only damage to the file is told as such."""

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

from models.preprocessing.image_error import ImageError, damaged
from models.preprocessing.stopping import StoppableFile

# Pillow warns about damaged metadata and about large images. The first does not matter here, the second is
# checked before; and `warnings.catch_warnings` is no way out, because it is not safe in worker threads.
warnings.filterwarnings("ignore", module=r"PIL\.")

_DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    ZeroDivisionError,
    struct.error,
    zlib.error,
)
"""What Pillow raises on damaged files, `UnidentifiedImageError` being an `OSError`. It divides by what a file
says, such as the time units of an animation."""


@contextmanager
def damage_told(name: str) -> Iterator[None]:
    """Around calls of Pillow alone: what it raises on a damaged file becomes an `ImageError`.

    Anything else, a `TypeError` say, is our own mistake and passes.
    """
    try:
        yield
    except ImageError:
        raise
    except RuntimeError as error:
        # Of the decoders of AVIF and HEIC; a subclass of it is none of theirs.
        if type(error) is not RuntimeError:
            raise
        raise damaged(name) from error
    except Image.DecompressionBombError as error:
        raise ImageError("image_too_large", f"the {name} image is larger than its header says") from error
    except MemoryError as error:
        raise ImageError("image_too_large", f"the {name} image does not fit into the memory") from error
    except _DAMAGED as error:
        raise damaged(name) from error


def opened(file: StoppableFile, pillow_name: str, name: str | None = None) -> Image.Image:
    """The image that Pillow finds in `file`, of which no pixel is decoded yet.

    `name` is the format's, where Pillow has another one for it.
    """
    with damage_told(name or pillow_name):
        return Image.open(file, formats=(pillow_name,))
