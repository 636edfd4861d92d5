"""A client of the service, synchronous and asynchronous: typed answers, errors in words, and patience.

    with Client("http://127.0.0.1:8000") as client:
        print(client.predict("photo.jpg").predictions[0].top[0].label)

Needs no package but httpx: `pip install .` in the project's folder, without an extra.
"""

from app.client.asynchronous import AsyncClient
from app.client.responses import (
    ClassProbability,
    CorrectedPrediction,
    CorrectResponse,
    ModelEntry,
    Prediction,
    PredictResponse,
)
from app.client.synchronous import Client
from app.errors import ServiceError

__all__ = [
    "AsyncClient",
    "ClassProbability",
    "Client",
    "CorrectResponse",
    "CorrectedPrediction",
    "ModelEntry",
    "PredictResponse",
    "Prediction",
    "ServiceError",
]
