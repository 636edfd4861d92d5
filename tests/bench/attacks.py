"""What becomes of the service, and of its other clients, while someone means it harm or its machine fails.

    python -m tests.bench.attacks [--checkout FOLDER] [NAME ...]

Each attack meets a server of its own on 127.0.0.1. Meanwhile another process's client asks /health/live again
and again. A line for each says what was answered, after how long, the p99 and the worst time of /health/live
in ms (a failed ask counts with its time-out), and the most memory that the server held. Every attack is
bounded: in what it sends, how long an answer is waited for, and how much memory the server may take.

Prints one JSON object as its last line. `--checkout` names the folder of another commit, whose server is met
instead: so figures of before are had.
"""

import argparse
import base64
import gzip
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from PIL import Image

from tests.bench.arithmetic import percentile
from tests.bench.program import BenchError, machine, run, say
from tests.bench.server import OURS, ROOT, running
from tests.bench.target import Target
from tests.bench.watching import watched

MODEL = "/v2/models/resnet18-cifar10/infer"
KEY = "0123456789abcdef"
BOUNDARY = "b0undary"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
JSON = {"Content-Type": "application/json"}
ZIPPED = {**JSON, "Content-Encoding": "gzip"}


def picture(image: Image.Image, kind: str, **options: Any) -> bytes:  # noqa: ANN401 - Pillow's own
    """The image as a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def form(count: int, content: bytes, more: bytes = b"") -> bytes:
    """A form of so many files with this content; `more` goes into the header of each."""
    part = b'--%s\r\nContent-Disposition: form-data; name="file"; filename="a"%s\r\n\r\n%s\r\n'
    return part % (BOUNDARY.encode(), more, content) * count + b"--%s--\r\n" % BOUNDARY.encode()


def million_inputs(target: Target) -> str:
    """1: a body of kilobytes, which unpacks to a million entries."""
    body = gzip.compress(b'{"inputs":[' + b"{}," * 999_999 + b"{}]}")
    return target.post(MODEL, body, ZIPPED)


def outputs_again(target: Target) -> str:
    """2: one output, asked for 4,000 times, of 256 images."""
    tiny = base64.b64encode(picture(Image.new("RGB", (32, 32), "red"), "PNG")).decode()
    images = {"name": "image_bytes", "datatype": "BYTES", "shape": [256], "data": [tiny] * 256}
    return target.post(
        MODEL, json.dumps({"inputs": [images], "outputs": [{"name": "probabilities"}] * 4000}).encode(), JSON
    )


def large_webp(target: Target) -> str:
    """3: a lossless WebP of a few bytes and 49 million pixels with alpha."""
    image = Image.new("RGBA", (7000, 7000), (255, 0, 0, 128))
    return target.post("/predict", picture(image, "WEBP", lossless=True), {"Content-Type": "image/webp"})


def large_pngs_and_gone(target: Target) -> str:
    """4: 256 PNGs of 49 million pixels in a form, whose client leaves; then another one asks."""
    body = form(256, picture(Image.new("1", (7000, 7000)), "PNG"))
    head = "POST /predict HTTP/1.1\r\nHost: x\r\n" + f"Content-Type: {FORM['Content-Type']}\r\n"
    target.send(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body, leave=True)
    tiny = picture(Image.new("RGB", (32, 32), "red"), "PNG")
    return "left, then " + target.post("/predict", tiny, {"Content-Type": "image/png"})


def many_scans(target: Target) -> str:
    """4: a progressive JPEG with 5,000 scans more, each of which decodes the whole picture again."""
    content = picture(Image.new("RGB", (2000, 2000), "red"), "JPEG", progressive=True)
    starts = [i for i in range(len(content) - 1) if content[i : i + 2] == b"\xff\xda"]
    scans = [content[start:end] for start, end in zip(starts, [*starts[1:], len(content) - 2], strict=True)]
    # Up to the tables of the next scan.
    shortest = min((scan.partition(b"\xff\xc4")[0] for scan in scans), key=len)
    body = content[:-2] + shortest * 5000 + content[-2:]
    return target.post("/predict", body, {"Content-Type": "image/jpeg"})


def zipped_numbers(target: Target) -> str:
    """5: 50 bodies at once of a million numbers each, packed."""
    count = 256
    numbers = ",".join(["0.123456"] * (count * 3 * 32 * 32))
    head = (
        f'{{"inputs":[{{"name":"images","datatype":"FP32","shape":[{count},3,32,32],"data":[{numbers}]}}]}}'
    )
    body = gzip.compress(head.encode())
    with ThreadPoolExecutor(50) as clients:
        return _counted(list(clients.map(lambda _: target.post(MODEL, body, ZIPPED), range(50))))


def upgrade_to_h2c(target: Target) -> str:
    """6: the offer of another protocol, and a body that is a request if its bytes are taken for one."""
    smuggled = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    head = (
        b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nConnection: Upgrade\r\n"
        b"Upgrade: h2c\r\nContent-Length: %d\r\n\r\n" % len(smuggled)
    )
    return target.send(head, smuggled)


def keys_emptied(target: Target) -> str:
    """7: the file of keys is emptied, and both workers are replaced, one after the other."""
    (target.folder / "keys").write_text("")
    for victim in target.serving():
        victim.kill()
        _wait_for_two(target, without=victim)
    with_key = target.ask("GET", "/models", headers={"X-API-Key": KEY})
    return f"without a key {target.ask('GET', '/models')}, with it {with_key}"


def semicolons(target: Target) -> str:
    """8: a form of 256 parts with 3,900 semicolons each."""
    return target.post("/predict", form(256, b"x", b";" * 3900), FORM)


def charsets(target: Target) -> str:
    """8: 1,000 forms, each with the name of a charset of its own, of 60 kB."""
    body = form(1, b"x")
    names = ("x" * 60_000 + str(i) for i in range(1000))
    return _counted(
        [
            target.post("/predict", body, {"Content-Type": f"{FORM['Content-Type']}; charset={name}"})
            for name in names
        ]
    )


def blanks(target: Target) -> str:
    """8: a form of seven million blanks before the values of headers."""
    return target.post("/predict", form(256, b"x", b"\r\n" + b"\r\n".join([b"a:" + b" " * 3900] * 7)), FORM)


def stopped_worker(target: Target) -> str:
    """9: one of two workers is stopped; the time is until there is another in its place."""
    victim = target.serving()[0]
    victim.suspend()
    _wait_for_two(target, without=victim)
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


ATTACKS: dict[str, Callable[[Target], str]] = {
    "million-inputs": million_inputs,
    "outputs-again": outputs_again,
    "large-webp": large_webp,
    "large-pngs-and-gone": large_pngs_and_gone,
    "many-scans": many_scans,
    "zipped-numbers": zipped_numbers,
    "upgrade-to-h2c": upgrade_to_h2c,
    "keys-emptied": keys_emptied,
    "semicolons": semicolons,
    "charsets": charsets,
    "blanks": blanks,
    "stopped-worker": stopped_worker,
    "full-disk": full_disk,
}

WORKER_SECONDS = 180.0
"""That a worker may take to be replaced, and to be ready."""

OF_TWO_WORKERS = ("keys-emptied", "stopped-worker", "full-disk")


def _counted(statuses: list[str]) -> str:
    return ", ".join(f"{statuses.count(each)} times {each}" for each in sorted(set(statuses)))


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WORKER_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"nothing has changed within {WORKER_SECONDS:g} s")
        time.sleep(0.1)


def _wait_for_two(target: Target, without: psutil.Process | None = None) -> None:
    """Until two workers serve. One that is stopped while it still starts would never be replaced."""

    def two_serve() -> bool:
        serving = target.serving()
        return len(serving) == 2 and without not in serving

    _wait_for(two_serve)


@contextmanager
def _temporary(*, small: bool) -> Iterator[Path]:
    """A folder; with `small` on a file system of one MiB, which root only can mount."""
    with tempfile.TemporaryDirectory() as path:
        if small:
            mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", path]
            try:
                subprocess.run(mount, check=True, capture_output=True)
            except (OSError, subprocess.CalledProcessError) as error:
                raise BenchError("a file system can be mounted by root only, and not everywhere") from error
        try:
            yield Path(path)
        finally:
            if small:
                subprocess.run(["umount", "--lazy", path], check=True)


def measure(name: str, checkout: Path = ROOT) -> dict[str, Any]:
    """Meet a server of its own with the attack of this name. Raises `BenchError`."""
    with _temporary(small=name == "full-disk") as folder:
        settings = {"TMPDIR": str(folder), "WORKERS": "2" if name in OF_TWO_WORKERS else "1"}
        if name == "keys-emptied":
            (folder / "keys").write_text(KEY)
            # The second is the name that it had before.
            settings["RESNET_SERVE_API_KEYS_FILE"] = settings["API_KEYS_FILE"] = str(folder / "keys")
        with running(OURS, settings, folder=checkout) as server:
            target = Target.of(server, folder)
            if name in OF_TWO_WORKERS:
                _wait_for_two(target)  # for the server is ready when the first of them is
            with watched(server, target) as seen:
                begun = time.perf_counter()
                answer = ATTACKS[name](target)
                seconds = time.perf_counter() - begun
    return {
        "answer": answer,
        "seconds": round(seconds, 3),
        "live_p99_ms": round(percentile(seen.live_ms, 99), 1),
        "live_worst_ms": round(max(seen.live_ms), 1),
        "peak_mib": round(seen.peak_mib),
    }


def attacks(names: list[str], checkout: Path) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name in names:
        try:
            figures[name] = measure(name, checkout)
        except BenchError as error:
            figures[name] = {"failed": str(error)}
        say(f"{name}: {json.dumps(figures[name])}")
    return {"machine": machine("openvino", "torch", "uvicorn"), "attacks": figures}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.attacks", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(ATTACKS)}; or all")
    parser.add_argument(
        "--checkout", type=Path, default=ROOT, help="folder whose server is met (default: this)"
    )
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in ATTACKS]:
        parser.error(f"there is no {unknown[0]}; choose from {', '.join(ATTACKS)}")
    return run(lambda: attacks(options.names or list(ATTACKS), options.checkout))


if __name__ == "__main__":
    sys.exit(main())
