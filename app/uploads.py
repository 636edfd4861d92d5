"""A request's body -> the files in it, either as multipart form or as one raw image."""

from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from app.errors import ApiError

FIELD = "file"


@dataclass(frozen=True)
class Upload:
    filename: str | None
    content: bytes


async def read_uploads(request: Request, max_files: int) -> list[Upload]:
    """Read the files of the multipart field `file`, in order, or the raw body if its type is an image's.

    The content is not looked at. The body's size is bounded by `app.body_limit`, and nothing is written to
    disk. Raises `ApiError`: 400 for a malformed form or too many files, 415 for another content type,
    422 for a form without `file` or with other fields.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "multipart/form-data":
        return await _read_form(request, max_files)
    if media_type.startswith("image/"):
        return [Upload(None, await request.body())]
    raise ApiError(
        415,
        "unsupported_media_type",
        f"send the image as the multipart field {FIELD!r}, or as the body with a content type such as"
        f" image/jpeg; got {media_type or 'no content type'!r}",
        FIELD,
    )


async def _read_form(request: Request, max_files: int) -> list[Upload]:
    # One field of text is let through, so that its name can be reported.
    parser = MultiPartParser(request.headers, request.stream(), max_files=max_files, max_fields=1)
    parser.spool_max_size = (
        0  # never rolls over to a file: the body is bounded, and the disk may be read-only
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise ApiError(400, "malformed_form", f"the multipart body: {error.message}", FIELD) from error
    try:
        uploads = [await _read_file(name, value) for name, value in form.multi_items()]
    finally:
        await form.close()
    if not uploads:
        raise ApiError(422, "missing_field", f"the multipart field {FIELD!r} is missing", FIELD)
    return uploads


async def _read_file(name: str, value: UploadFile | str) -> Upload:
    if name != FIELD:
        raise ApiError(422, "unknown_field", f"there is no field {name!r}; send {FIELD!r}", name)
    if not isinstance(value, UploadFile):
        raise ApiError(422, "not_a_file", f"the field {FIELD!r} must be a file, not text", FIELD)
    return Upload(value.filename or None, await value.read())
