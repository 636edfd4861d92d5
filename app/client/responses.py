"""What the service answers, as types."""

from dataclasses import dataclass
from typing import Any

import httpx

from app.errors import ServiceError


@dataclass(frozen=True)
class ClassProbability:
    label: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """Of one image: its name as sent, its size in pixels, and its classes, the most probable first.

    `unfamiliarity` is how unlike the images that the model knows it is, 0..1, and `familiar` whether it is
    like them; both are None where the model cannot tell.
    """

    filename: str | None
    width: int
    height: int
    top: tuple[ClassProbability, ...]
    familiar: bool | None = None
    unfamiliarity: float | None = None


@dataclass(frozen=True)
class PredictResponse:
    """Of one request. `timings_ms` are milliseconds by stage."""

    model: str
    version: str
    predictions: tuple[Prediction, ...]
    timings_ms: dict[str, float]
    request_id: str


@dataclass(frozen=True)
class ModelEntry:
    """A version of a model that is served; `accuracy` is a share of 1, on its test set.

    `current` tells whether it answers requests that name the model and no version.
    """

    name: str
    version: str
    current: bool
    architecture: str
    classes: tuple[str, ...]
    accuracy: float


@dataclass(frozen=True)
class CorrectedPrediction:
    """What was answered for the image that a correction is about; `probability` is calibrated, 0..1."""

    model: str
    version: str
    label: str
    probability: float


@dataclass(frozen=True)
class CorrectResponse:
    """A correction that is kept, under an `id` with which anybody who knows it can delete it.

    `prediction` is None where the service has forgotten it, `image_bytes` the size of the image that is kept,
    0 without one, and `days` the number of days after which the correction is deleted.
    """

    id: str
    prediction: CorrectedPrediction | None
    image_bytes: int
    days: int


def content_of(outcome: httpx.Response | httpx.RequestError) -> Any:  # noqa: ANN401 - JSON
    """What the service answered. Raises `ServiceError`."""
    if isinstance(outcome, httpx.RequestError):
        message = f"the service cannot be reached: {outcome or type(outcome).__name__}"
        raise ServiceError(None, "unreachable", message) from outcome
    try:
        content = outcome.json()
        if outcome.is_success:
            return content
        error = content["error"]
        raise ServiceError(outcome.status_code, error["code"], error["message"], error["field"])
    except (ValueError, KeyError, TypeError) as problem:
        raise _unknown_response(outcome) from problem


def code_of(response: httpx.Response) -> str | None:
    """The code of an error, None where it is no error of this service's."""
    try:
        return str(response.json()["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return None


def _unknown_response(response: httpx.Response) -> ServiceError:
    message = f"status {response.status_code}, and an answer that is not this service's"
    return ServiceError(response.status_code, "unknown_response", message)


def predict_response(response: httpx.Response | httpx.RequestError) -> PredictResponse:
    content = content_of(response)
    assert isinstance(response, httpx.Response)
    try:
        predictions = tuple(
            Prediction(
                each["filename"],
                each["width"],
                each["height"],
                tuple(ClassProbability(**entry) for entry in each["top"]),
                each.get("familiar"),
                each.get("unfamiliarity"),
            )
            for each in content["predictions"]
        )
        return PredictResponse(
            content["model"]["name"],
            content["model"]["version"],
            predictions,
            content["timings_ms"],
            response.headers.get("X-Request-ID", ""),
        )
    except (KeyError, TypeError) as problem:
        raise _unknown_response(response) from problem


def model_entries(response: httpx.Response | httpx.RequestError) -> tuple[ModelEntry, ...]:
    content = content_of(response)
    assert isinstance(response, httpx.Response)
    try:
        return tuple(
            ModelEntry(
                entry["name"],
                entry["version"],
                entry["current"],
                entry["architecture"],
                tuple(entry["classes"]),
                entry["accuracy"],
            )
            for entry in content["models"]
        )
    except (KeyError, TypeError) as problem:
        raise _unknown_response(response) from problem


def correct_response(response: httpx.Response | httpx.RequestError) -> CorrectResponse:
    content = content_of(response)
    assert isinstance(response, httpx.Response)
    try:
        made = content["prediction"]
        prediction = made and CorrectedPrediction(
            made["model"]["name"], made["model"]["version"], made["label"], made["probability"]
        )
        return CorrectResponse(content["id"], prediction, content["image_bytes"], content["days"])
    except (KeyError, TypeError) as problem:
        raise _unknown_response(response) from problem


def require_deleted(response: httpx.Response | httpx.RequestError) -> None:
    """Raises `ServiceError`, unless the service says that it has deleted what it should."""
    if isinstance(response, httpx.Response) and response.status_code == 204:
        return
    content_of(response)
    assert isinstance(response, httpx.Response)
    raise _unknown_response(response)
