"""The sample images of the page, one a class of CIFAR-10, by name."""

from pathlib import Path

from app.errors import invalid_parameter

SAMPLES = {path.stem: path for path in sorted((Path(__file__).parent / "static" / "samples").glob("*.png"))}


def sample_path(name: str, parameter: str) -> Path:
    """The file of a sample. Raises `ApiError` 422 naming the `parameter` if there is no such sample."""
    if name not in SAMPLES:
        raise invalid_parameter(parameter, f"there is no sample {name!r}; choose from {', '.join(SAMPLES)}")
    return SAMPLES[name]
