"""What a request, a client and all of them together may take."""

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from app.settings.environment import variable
from app.settings.text_types import RateLimits


class LimitSettings(BaseModel):
    max_queue: int = Field(
        1024,
        ge=1,
        le=1_000_000,
        description="Maximum number of images in the queue for inference; a request that does not fit gets"
        " status 429.",
    )
    request_seconds: float = Field(
        30,
        gt=0,
        le=3600,
        description="Timeout of a request in seconds; then it gets status 504. A request may set a shorter"
        " one in the header `X-Request-Timeout`.",
    )
    max_files: int = Field(
        256,
        ge=1,
        le=10_000,
        description="Maximum number of images in one request; beyond it, status 413.",
    )
    views: int = Field(
        1,
        ge=1,
        le=4,
        description="Number of views of each image (as is, mirrored, squeezed, enlarged) whose probabilities"
        " are averaged, where a request does not set `views`. Each view costs as much as an image, and counts"
        " as one.",
    )
    cache_files: int = Field(
        0,
        ge=0,
        le=10_000_000,
        description="Capacity of each model's result cache, in files. A file that is in the cache is not"
        " classified again. 0: no cache.",
    )
    max_concurrent_requests: int = Field(
        256,
        ge=1,
        le=100_000,
        description="Maximum number of requests in progress, including those that wait; a further one gets"
        " status 429.",
    )
    max_body_bytes: int = Field(
        10_000_000,
        ge=1_000,
        le=1_000_000_000,
        description="Maximum size of a request body, and of a response with results, in bytes; a larger one"
        " gets status 413.",
    )
    max_bodies_bytes: int = Field(
        0,
        ge=0,
        le=1_000_000_000_000,
        description="Maximum size of all request bodies in memory together, in bytes in each worker; a"
        " request that does not fit gets status 429. One body of the maximum size always fits. 0: a quarter"
        " of what the container's memory limit leaves beside the service itself, from 32 MiB to 512 MiB.",
    )
    max_image_pixels: int = Field(
        25_000_000,
        ge=1,
        le=150_000_000,
        description="Maximum number of pixels of an image; a larger one gets status 413.",
    )
    max_request_pixels: int = Field(
        100_000_000,
        ge=1,
        le=100_000_000_000,
        description="Maximum number of pixels of all images of one request together, counted again for every"
        " ten scans of a JPEG; beyond it, status 413. One image of the maximum size always fits.",
    )
    max_decoding_bytes: int = Field(
        0,
        ge=0,
        le=1_000_000_000_000,
        description="Maximum memory of all images that are being decoded, in bytes in each worker; an image"
        " that needs more gets status 413. 0: half of what the container's memory limit leaves beside the"
        " service itself, from 64 MiB to 1 GiB.",
    )
    max_connections: int = Field(
        900,
        ge=1,
        le=1_000_000,
        description="Maximum number of open connections of each worker; a further one gets status 503 and is"
        " closed, except that health checks and `GET /metrics` are answered.",
    )
    header_seconds: float = Field(
        10,
        gt=0,
        le=3600,
        description="Timeout in seconds for the headers of a request, counted from their first byte or from"
        " the opening of the connection; then status 408, and the connection is closed.",
    )
    body_seconds: float = Field(
        30,
        gt=0,
        le=3600,
        description="Timeout in seconds for the body of a request; then status 408, and the connection is"
        " closed.",
    )
    rate_limit: RateLimits = Field(
        "",
        description="Maximum request rate of a client, such as `100/minute` or `10/second, 1000/hour`; a"
        " request above it gets status 429. Clients are told apart by API key, or by address where no key is"
        " needed. Each worker counts by itself. Empty: no limit.",
    )

    @field_validator("views")
    @classmethod
    def _require_room_for_views(cls, views: int, info: ValidationInfo) -> int:
        """Each view counts as an image: not even one image could be classified otherwise."""
        for limit in ("max_files", "max_queue"):
            most = info.data.get(limit)
            if most is not None and views > most:
                raise ValueError(
                    f"needs {variable(limit)} of {views} or more, which is {most}: each view of an image"
                    " counts as an image"
                )
        return views
