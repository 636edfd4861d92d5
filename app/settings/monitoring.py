"""What is watched and kept of predictions: drift, and corrections."""

from pydantic import BaseModel, Field, SecretStr, ValidationInfo, field_validator

from app.settings.environment import variable
from app.settings.text_types import RateLimits


class MonitoringSettings(BaseModel):
    drift_window: int = Field(
        1000,
        ge=0,
        le=100_000,
        description="Number of the latest images of each model that are compared with its reference to"
        " measure drift, in each worker. 0: drift is not measured.",
    )
    feedback: bool = Field(
        default=False,
        description="Accept corrections of predictions, and keep them in a database; needs the extra"
        " `feedback`.",
    )
    feedback_database: SecretStr = Field(
        SecretStr("sqlite:///feedback.db"),
        description="Address of the feedback database: `sqlite:///` and a file, or"
        " `postgresql://user:password@host/database`. All workers share it.",
    )
    feedback_images: bool = Field(
        default=False,
        description="Allow a correction to include its image, which is kept with it. Otherwise an image is"
        " rejected with status 403.",
    )
    feedback_days: int = Field(
        90,
        ge=1,
        le=36_500,
        description="Retention of corrections and their images in days; then they are deleted.",
    )
    max_feedback: int = Field(
        100_000,
        ge=1,
        le=10_000_000,
        description="Maximum number of corrections that are kept; a further one gets status 507.",
    )
    max_feedback_bytes: int = Field(
        1_000_000_000,
        ge=0,
        le=1_000_000_000_000,
        description="Maximum size of all images that are kept with corrections, in bytes; one that does not"
        " fit gets status 507.",
    )
    feedback_rate_limit: RateLimits = Field(
        "30/minute",
        description="Maximum rate of corrections and deletions of a client, written as the rate limit of all"
        " requests, which applies as well. Empty: no limit.",
    )

    @field_validator("feedback_images")
    @classmethod
    def _require_feedback(cls, images: bool, info: ValidationInfo) -> bool:
        if images and info.data.get("feedback") is False:
            raise ValueError(f"needs {variable('feedback')}=true, without which no correction is accepted")
        return images

    @field_validator("max_feedback_bytes")
    @classmethod
    def _require_room_for_images(cls, most: int, info: ValidationInfo) -> int:
        if most == 0 and info.data.get("feedback_images"):
            raise ValueError(f"must be more than 0 with {variable('feedback_images')}=true: no image fits")
        return most
