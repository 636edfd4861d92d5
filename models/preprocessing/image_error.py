"""Why bytes are not a picture that we accept."""


class ImageError(ValueError):
    """The bytes are not an image we accept.

    `code` is one of `empty_file`, `unsupported_image`, `damaged_image`, `image_too_large`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def damaged(name: str) -> ImageError:
    return ImageError("damaged_image", f"the {name} image is damaged or cut off")


def unsupported(name: str, kind: str) -> ImageError:
    """A sound file of the format `name`, but of a `kind` that is not read."""
    return ImageError("unsupported_image", f"this kind of {name} image is not supported: {kind}")


def too_many(name: str, parts: str, most: int) -> ImageError:
    """A file whose work cannot be told from its pixels: it has more than `most` scans, chunks or such."""
    return ImageError(
        "image_too_large", f"the {name} image has too many {parts}; at most {most} are accepted"
    )
