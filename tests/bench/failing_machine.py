"""What goes wrong around a service: its files, its disk, its processes, and how it starts and stops."""

import time
from collections.abc import Callable

import psutil
from PIL import Image

from tests.bench.hostile_requests import FORM, form, picture
from tests.bench.program import BenchError
from tests.bench.target import Target

KEY = "0123456789abcdef"

WORKER_SECONDS = 180.0
"""That a worker may take to be replaced, and to be ready; and a server to stop."""


def keys_emptied(target: Target) -> str:
    """7: the file of keys is emptied, and both workers are replaced, one after the other."""
    (target.folder / "keys").write_text("")
    for victim in target.serving():
        victim.kill()
        wait_for_two(target, without=victim)
    with_key = target.ask("GET", "/models", headers={"X-API-Key": KEY})
    return f"without a key {target.ask('GET', '/models')}, with it {with_key}"


def stopped_worker(target: Target) -> str:
    """9: one of two workers is stopped; the time is until there is another in its place."""
    victim = target.serving()[0]
    victim.suspend()
    wait_for_two(target, without=victim)
    return "replaced"


def full_disk(target: Target) -> str:
    """10: the folder for temporary files is full; then 300 metrics are counted for the first time."""
    before = {worker.pid for worker in target.workers()}
    with (target.folder / "filler").open("wb", buffering=0) as filler:
        try:
            while filler.write(b"x" * 4096):
                pass
        except OSError:
            pass
    for i in range(300):
        target.ask(
            ("GET", "POST", "PUT", "DELETE", "PATCH")[i % 5], ("/models", "/predict", "/metrics")[i % 3]
        )
    return f"{len(before & {worker.pid for worker in target.workers()})} of {len(before)} workers live"


def large_batches(target: Target) -> str:
    """11: started with RESNET_SERVE_MAX_BATCH=512; then it gets 256 images at once."""
    tiny = picture(Image.new("RGB", (32, 32), "red"), "PNG")
    return target.post("/predict", form(256, tiny), FORM)


def stop_while_decoding(target: Target) -> str:
    """4: forms of large PNGs and WebPs, whose clients leave; then SIGTERM. The time is until it has ended."""
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM['Content-Type']}\r\n".encode()
    png = picture(Image.new("1", (5000, 5000)), "PNG")
    webp = picture(Image.new("RGBA", (5000, 5000), (255, 0, 0, 128)), "WEBP", lossless=True)
    for body in (form(256, png), form(30, webp)) * 2:
        target.send(head + b"Content-Length: %d\r\n\r\n" % len(body) + body, leave=True)
    server = psutil.Process(target.pid)
    begun = time.perf_counter()
    server.terminate()
    _wait_for(lambda: server.status() == psutil.STATUS_ZOMBIE)
    return f"ended {time.perf_counter() - begun:.1f} s after SIGTERM"


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WORKER_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"nothing has changed within {WORKER_SECONDS:g} s")
        time.sleep(0.1)


def wait_for_two(target: Target, without: psutil.Process | None = None) -> None:
    """Until two workers serve. One that is stopped while it still starts would never be replaced."""

    def two_serve() -> bool:
        serving = target.serving()
        return len(serving) == 2 and without not in serving

    _wait_for(two_serve)
