"""What is kept of a person's word that a prediction was wrong, and how keeping it may fail."""

from dataclasses import dataclass


class FeedbackError(Exception):
    """The database cannot be used at the moment; the message is one line without its address."""


class FeedbackFullError(Exception):
    """As much is kept as may be; the message says of what."""


@dataclass(frozen=True)
class Prediction:
    """What was answered for one image: its most probable class, with the calibrated probability in 0..1."""

    label: str
    probability: float
    model: str
    version: str


@dataclass(frozen=True)
class Correction:
    """What somebody says about the image with the number `item`, from 0, of a request.

    `label` is the right class, `image` the file as it was sent, None where it was not.
    """

    request_id: str
    item: int
    label: str
    image: bytes | None = None


@dataclass(frozen=True)
class Bounds:
    """How much may be kept: rows of corrections, and bytes of all their images together."""

    rows: int
    image_bytes: int


@dataclass(frozen=True)
class Entry:
    """A correction as it is kept, without its image, which has `image_bytes`, 0 where there is none.

    `created` is a Unix time in seconds; `prediction` is None where nobody knew what was answered.
    """

    id: str
    created: float
    request_id: str
    item: int
    label: str
    prediction: Prediction | None
    image_bytes: int
