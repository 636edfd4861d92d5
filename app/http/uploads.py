"""A request's body -> the files in it, either as multipart form or as one raw image."""

from typing import Any

from fastapi import Request

from app.errors import ApiError
from app.http.multipart import FormError, Part, parse_form
from app.inference.preparation import Upload

FIELD = "file"


def upload_body(description: str, *, several: bool = False) -> dict[str, Any]:
    """What `read_uploads` reads, for the API's documentation: a route's `openapi_extra`."""
    binary = {"type": "string", "format": "binary"}
    form = {
        "type": "object",
        "required": [FIELD],
        "additionalProperties": False,
        "properties": {FIELD: {"type": "array", "items": binary, "minItems": 1} if several else binary},
    }
    return {
        "requestBody": {
            "required": True,
            "description": description,
            "content": {
                "multipart/form-data": {"schema": form},
                **{f"image/{kind}": {"schema": binary} for kind in ("jpeg", "png", "webp", "gif", "bmp")},
            },
        }
    }


def read_uploads(request: Request, body: bytes, max_files: int) -> list[Upload]:
    """Read the files of the multipart field `file`, in order, or the raw body if its type is an image's.

    The content is not looked at, and nothing is written to disk. Raises `ApiError`: 400 for a malformed form
    or too many files, 415 for another content type, 422 for a form without `file` or with other fields.
    """
    content_type = request.headers.get("content-type", "")
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "multipart/form-data":
        try:
            # One part more than may be, so that a field of another name can be reported by its name.
            parts = parse_form(content_type, body, max_files + 1)
        except FormError as error:
            raise _malformed(str(error)) from error
        return _files(parts, max_files)
    if media_type.startswith("image/"):
        return [Upload(None, body)]
    raise ApiError(
        415,
        "unsupported_media_type",
        f"send the image as the multipart field {FIELD!r}, or as the body with a content type such as"
        f" image/jpeg; got {media_type or 'no content type'!r}",
        FIELD,
    )


def _files(parts: list[Part], max_files: int) -> list[Upload]:
    uploads = []
    for part in parts:
        if part.name != FIELD:
            raise ApiError(
                422, "unknown_field", f"there is no field {part.name!r}; send {FIELD!r}", part.name
            )
        if part.filename is None:
            raise ApiError(422, "not_a_file", f"the field {FIELD!r} must be a file, not text", FIELD)
        uploads.append(Upload(part.filename or None, part.content))
    if not uploads:
        raise ApiError(422, "missing_field", f"the multipart field {FIELD!r} is missing", FIELD)
    if len(uploads) > max_files:
        raise _malformed(f"Too many files. Maximum number of files is {max_files}.")
    return uploads


def _malformed(message: str) -> ApiError:
    return ApiError(400, "malformed_form", f"the multipart body: {message}", FIELD)
