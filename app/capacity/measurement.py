"""Measures a running service from outside: what a request and a batch take, and how many come a second."""

import http.client
import json
import statistics
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit
from uuid import uuid4

from app.capacity.profile import Profile
from app.errors import StartError
from models.hardware import cpu_name, usable_cores

BATCHES = (1, 2, 4, 8, 16)
QUANTILES = 50
CONNECTIONS = 32
ANOTHER_PROGRAM = "what answered is not this service"


@dataclass(frozen=True)
class Effort:
    """How much is measured."""

    single: int = 500
    """Requests of one image, one after the other."""
    repeated: int = 30
    """Requests of each other number of images."""
    seconds: float = 10.0
    """How long as many connections as make full batches ask without a pause."""


def measure(
    url: str,
    image: Path,
    effort: Effort = Effort(),
    api_key: str | None = None,
    cores: int | None = None,
) -> Profile:
    """Measure the service at `url` with the file `image`, which nobody else may use meanwhile.

    It must not cache results. `cores` is how many it computes on, None for those that are usable here.
    Raises `StartError` if it cannot be reached, or answers with an error or as no such service does, and
    `OSError` if the file cannot be read.
    """
    content = image.read_bytes()
    client = _Client(url, api_key)
    try:
        client.classify([content] * 20)  # so that nothing is the first of its kind
        single = [client.classify([content]) for _ in range(effort.single)]
        batches = {1: statistics.median(answer.inference for answer in single)}
        largest = client.engine(single[0].model).max_batch
        for size in (each for each in BATCHES[1:] if each <= largest):
            answers = [client.classify([content] * size) for _ in range(effort.repeated)]
            batches[size] = statistics.median(answer.inference for answer in answers)
        rate = _rate_when_never_idle(url, api_key, content, effort.seconds)
        # Asked again now: a new service may have gone on preparing for many images.
        engine = client.engine(single[0].model)
    except (OSError, http.client.HTTPException) as error:
        raise StartError(f"{url}: {error}") from error
    finally:
        client.close()
    middle = statistics.median(answer.seconds for answer in single)
    return Profile(
        machine=cpu_name() or "unknown",
        model=" ".join(single[0].model),
        cores=cores or usable_cores(),
        loop_seconds=statistics.median(answer.loop for answer in single),
        delay_seconds=statistics.median(answer.seconds - answer.inference - answer.loop for answer in single),
        batch_seconds=batches,
        jitter=_quantiles([answer.seconds / middle for answer in single]),
        images_per_second=rate,
        request_bytes=len(content),
        response_bytes=single[0].bytes,
        device=engine.device,
        concurrency=engine.concurrency,
        streams=engine.streams,
    )


@dataclass(frozen=True)
class _Answer:
    seconds: float
    inference: float
    loop: float
    """What the service itself took beside the engine, in seconds."""
    model: tuple[str, str]
    """Its name and version."""
    bytes: int


@dataclass(frozen=True)
class _Engine:
    device: str
    concurrency: int
    streams: int
    max_batch: int


class _Client:
    """One connection to the service; requests go out one after the other."""

    def __init__(self, url: str, api_key: str | None) -> None:
        wrong = f"{url}: must be a URL such as http://127.0.0.1:8000"
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise StartError(wrong) from error
        if parts.scheme not in ("http", "https") or host is None:
            raise StartError(wrong)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(host, port, timeout=60)
        self._prefix = parts.path.rstrip("/")
        self._key = {"X-API-Key": api_key} if api_key else {}

    def classify(self, files: Sequence[bytes]) -> _Answer:
        """Have files classified in one request.

        Raises `StartError` for the answer of an error or of another program, `OSError` and `HTTPException`.
        """
        boundary = uuid4().hex
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="image"\r\n\r\n'.encode()
        )
        body = b"".join(head + file + b"\r\n" for file in files) + f"--{boundary}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", **self._key}
        started = time.perf_counter()
        content = self._ask("POST", "/predict", body, headers)
        seconds = time.perf_counter() - started
        try:
            answer = json.loads(content)
            timings = {stage: milliseconds / 1000 for stage, milliseconds in answer["timings_ms"].items()}
            inference, beside = timings["inference"], timings["total"] - timings["queue"]
            model = str(answer["model"]["name"]), str(answer["model"]["version"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StartError(ANOTHER_PROGRAM) from error
        if not inference:
            raise StartError("the service has the results in its cache: set RESNET_SERVE_CACHE_FILES=0")
        return _Answer(seconds, inference, beside - inference, model, len(content))

    def engine(self, model: tuple[str, str]) -> _Engine:
        """What computes a model. Raises as `classify` does."""
        name, version = map(quote, model)
        content = self._ask("GET", f"/models/{name}?version={version}", b"", self._key)
        try:
            told = json.loads(content)["engine"]
            return _Engine(
                device=str(told["device"]),
                concurrency=int(told["concurrency"]),
                streams=int(told["streams"]),
                max_batch=int(told["max_batch"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise StartError(ANOTHER_PROGRAM) from error

    def _ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        self._connection.request(method, self._prefix + path, body, dict(headers))
        response = self._connection.getresponse()
        content = response.read()
        if response.status != http.client.OK:
            text = content[:300].decode(errors="replace")
            raise StartError(f"the service answered {response.status}: {text}")
        return content

    def close(self) -> None:
        self._connection.close()


def _rate_when_never_idle(url: str, api_key: str | None, content: bytes, seconds: float) -> float:
    """Images a second while so many connections as make full batches ask again once they are answered."""
    begin = threading.Barrier(CONNECTIONS)

    def ask() -> int:
        client, answered = _Client(url, api_key), 0
        try:
            begin.wait()
            until = time.perf_counter() + seconds
            while time.perf_counter() < until:
                client.classify([content])
                answered += 1
        finally:
            client.close()
        return answered

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        started = time.perf_counter()
        answered = sum(running.result() for running in [threads.submit(ask) for _ in range(CONNECTIONS)])
        return answered / (time.perf_counter() - started)


def _quantiles(values: list[float]) -> dict[float, float]:
    ordered = sorted(values)
    last = len(ordered) - 1
    return {
        number / QUANTILES: round(ordered[round(number / QUANTILES * last)], 4)
        for number in range(QUANTILES + 1)
    }
