"""The sample images of the page, one a class of CIFAR-10, by name."""

from functools import cache
from pathlib import Path

from app.errors import invalid_parameter
from app.inference.preparation import Upload

FOLDER = Path(__file__).parents[1] / "static" / "samples"
SAMPLES = {path.stem: path for path in sorted(FOLDER.glob("*.png"))}


def read_sample(name: str, parameter: str) -> Upload:
    """A sample as if it had been uploaded. Raises `ApiError` 422 naming the `parameter` if there is none."""
    if name not in SAMPLES:
        raise invalid_parameter(parameter, f"there is no sample {name!r}; choose from {', '.join(SAMPLES)}")
    return _read(name)


@cache
def _read(name: str) -> Upload:
    return Upload(SAMPLES[name].name, SAMPLES[name].read_bytes())
