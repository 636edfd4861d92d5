"""The latest predictions by their requests, as many as fit."""

from collections.abc import Sequence

from models.feedback.records import Prediction


class LatestPredictions:
    """Holds the predictions of the latest requests, at most `most` predictions of all of them together."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._by_request: dict[str, Sequence[Prediction]] = {}

    def __len__(self) -> int:
        """How many predictions are held."""
        return self._held

    def add(self, request_id: str, predictions: Sequence[Prediction]) -> None:
        """Take in those of a request, in place of earlier ones of the same id, and drop the oldest."""
        self._drop(request_id)
        self._by_request[request_id] = predictions
        self._held += len(predictions)
        while self._held > self._most:
            self._drop(next(iter(self._by_request)))

    def get(self, request_id: str) -> Sequence[Prediction] | None:
        return self._by_request.get(request_id)

    def take(self) -> list[tuple[str, Sequence[Prediction]]]:
        """All that are held, the oldest first; afterwards none is."""
        taken = list(self._by_request.items())
        self._by_request.clear()
        self._held = 0
        return taken

    def _drop(self, request_id: str) -> None:
        self._held -= len(self._by_request.pop(request_id, ()))
