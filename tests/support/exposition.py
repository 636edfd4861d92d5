"""The text format of Prometheus, as tests compare it."""


def samples(text: str) -> dict[str, float]:
    """Each sample's name with its labels, in the order of their names, as it is written, and its value."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}
