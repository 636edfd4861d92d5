"""A request's body -> the files in it: a multipart form, one raw image, or one image in JSON as Base64."""

from functools import partial
from typing import Any

from fastapi import Request
from pydantic_core import from_json

from app.errors import ApiError
from app.http.base64_text import decode_file
from app.http.multipart import SLICE_BYTES, FormError, Part, TooManyPartsError, parse_form
from app.inference.preparation import Upload
from app.inference.request_scope import RequestScope

FIELD = "file"
JSON_FIELD = "image"

MAX_JSON_ELEMENTS = 64
"""Of a JSON body, which needs two."""

RAW_TYPES = ("", "application/octet-stream", "application/x-www-form-urlencoded")
"""What says nothing of the content; the last is what curl says of `--data-binary`."""


def upload_body(description: str, *, several: bool = False) -> dict[str, Any]:
    """What `read_uploads` reads, for the API's documentation: a route's `openapi_extra`."""
    binary = {"type": "string", "format": "binary"}
    form = {
        "type": "object",
        "required": [FIELD],
        "additionalProperties": False,
        "properties": {FIELD: {"type": "array", "items": binary, "minItems": 1} if several else binary},
    }
    text = {
        "type": "string",
        "format": "byte",
        "description": "An image file in Base64, or a data URL such as `data:image/png;base64,...`.",
    }
    json = {
        "type": "object",
        "required": [JSON_FIELD],
        "additionalProperties": False,
        "properties": {JSON_FIELD: text},
        "example": {JSON_FIELD: PIXEL},
    }
    types = [f"image/{kind}" for kind in ("jpeg", "png", "webp", "gif", "bmp", "avif", "heic")]
    return {
        "requestBody": {
            "required": True,
            "description": f"{description} Or one image as Base64 in JSON. Content-Encoding may be gzip or"
            " deflate.",
            "content": {
                "multipart/form-data": {"schema": form},
                **{kind: {"schema": binary} for kind in (*types, "application/octet-stream")},
                "application/json": {"schema": json},
            },
        }
    }


PIXEL = "R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs="
"""A GIF of one white pixel in Base64, so that an example is short and can be sent as it stands."""


async def read_uploads(request: Request, scope: RequestScope, max_files: int) -> list[Upload]:
    """The files of the multipart field `file`, in order; else the one of a JSON body, or the raw body.

    What an image is, its content says and not the type of the body. Nothing is written to disk. Raises
    `ApiError`: 400 for a malformed form or malformed JSON, 413 for too many files, 415 for a type that is
    none of these, 422 for a form without `file`, JSON without `image`, or either with other fields.
    """
    read = partial(_read, request.headers.get("content-type", ""), scope.body, max_files)
    # So few bytes are taken apart on the event loop, as a rule in less than a millisecond.
    return read() if len(scope.body) <= SLICE_BYTES else await scope.run(read, "the body to be read")


def _read(content_type: str, body: bytes, max_files: int) -> list[Upload]:
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "multipart/form-data":
        try:
            # One part more than may be, so that a field of another name can be reported by its name.
            parts = parse_form(content_type, body, max_files + 1)
        except TooManyPartsError as error:
            raise _too_many(max_files) from error
        except FormError as error:
            raise _malformed(str(error)) from error
        return _files(parts, max_files)
    # No image begins so, and whoever sends JSON by curl may have left the type as it was.
    if media_type == "application/json" or (media_type in RAW_TYPES and body[:1] == b"{"):
        return [Upload(None, _from_json(body), JSON_FIELD)]
    if media_type.startswith("image/") or media_type in RAW_TYPES:
        return [Upload(None, body)]
    raise ApiError(
        415,
        "unsupported_media_type",
        f"send the image as the multipart field {FIELD!r}, as the body with a content type such as"
        f' image/jpeg, or as JSON, {{"{JSON_FIELD}": "<Base64>"}}; got {media_type!r}',
        FIELD,
    )


def _from_json(body: bytes) -> bytes:
    right = f'must be {{"{JSON_FIELD}": "<an image file in Base64, or a data URL>"}}'
    if sum(map(body.count, (b",", b"[", b"{"))) > MAX_JSON_ELEMENTS:
        raise ApiError(400, "malformed_json", f"the JSON body {right}, got more", JSON_FIELD)
    try:
        content = from_json(body)
    except ValueError as error:
        raise ApiError(400, "malformed_json", f"the JSON body: {error}", JSON_FIELD) from error
    if not isinstance(content, dict) or not isinstance(content.get(JSON_FIELD), str):
        raise ApiError(422, "missing_field", f"the JSON body {right}", JSON_FIELD)
    for name in content:
        if name != JSON_FIELD:
            raise ApiError(422, "unknown_field", f"there is no field {name!r}; the JSON body {right}", name)
    return decode_file(content[JSON_FIELD], JSON_FIELD)


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
        raise _too_many(max_files)
    return uploads


def _too_many(max_files: int) -> ApiError:
    message = f"the form has too many parts; this request may have {max_files} files and no other fields"
    return ApiError(413, "too_many_images", message, FIELD)


def _malformed(message: str) -> ApiError:
    return ApiError(400, "malformed_form", f"the multipart body: {message}", FIELD)
