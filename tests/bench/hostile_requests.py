"""Requests that mean harm: each is sent to a target, and what came back is told in a few words."""

import base64
import gzip
import io
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from PIL import Image

from tests.bench.target import Target

MODEL = "/v2/models/resnet18-cifar10/infer"
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


def _counted(statuses: list[str]) -> str:
    return ", ".join(f"{statuses.count(each)} times {each}" for each in sorted(set(statuses)))
