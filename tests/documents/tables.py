"""The parts of the documents that follow from the code: tables of settings, metrics, limits, operations.

    python -m tests.documents.tables

writes them anew; `make docs` runs it. Each stands between two comments of its document, of which the first
names an entry of `PARTS`.
"""

import inspect
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from pkgutil import resolve_name

from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from app.http.error_handlers import REJECTIONS
from app.observability.drift import DriftMonitor
from app.observability.metrics import STAGES, ServiceMetrics
from app.routes.augmentation_catalogue import FILE as CATALOGUE
from app.server import connection, request_head
from app.settings import Settings
from app.settings.environment import variable
from models import ARCHITECTURES
from models.artifact.reference import Reference
from models.augmentations import AUGMENTATIONS
from models.augmentations.parameters import describe_legal, parameter_schemas
from tests.documents.documents import DOCUMENTS, ROOT, text_of

MARKED = re.compile(
    r"(?P<start><!-- (?P<kind>table|list): (?P<name>[a-z ]+) -->)(?P<body>.*?)"
    r"(?P<end><!-- end of (?P=kind) -->)",
    re.DOTALL,
)
LIMIT_ROW = re.compile(r"^\| (?P<limit>.+?) \| `(?P<setting>\w+)` \| `[^`]*` \| (?P<response>.+) \|$")
LIMIT_HEADER = ("Limit", "Setting", "Default", "Beyond it")


def default(name: str) -> str:
    """The default of the setting `name`, as one would write it into the environment."""
    value = Settings.model_fields[name].default
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Path):
        return value.relative_to(ROOT).as_posix()
    return str(value).lower() if isinstance(value, bool) else str(value)


def settings_table() -> str:
    rows = (
        (f"`{variable(name)}`", _code(default(name)), field.description or "")
        for name, field in Settings.model_fields.items()
    )
    return table(("Variable", "Default", "Meaning"), rows)


def metrics_table() -> str:
    measured = ServiceMetrics()
    measured.request("/models/{name}", "GET", 200, 0.004)
    measured.images(1, "lenet", "1")
    measured.rejected("overloaded")
    measured.model("lenet", "1", "torch", "float32", loaded=True)
    share = {"shares": (1.0,), "edges": ()}
    reference = Reference.model_validate(
        {"images": 1, "classes": {"cat": 1.0}, "confidence": share, "brightness": share, "sharpness": share}
    )
    DriftMonitor("lenet", "1", reference, measured.drift, 1)
    rows = []
    for family in text_string_to_metric_families(measured.exposition().decode()):
        if family.name.startswith("resnet_serve_"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = [label for label in family.samples[0].labels if label != "le"]
            rows.append((f"`{name}`", _listed(labels), family.type, family.documentation))
    return table(("Metric", "Labels", "Type", "What it is"), rows)


def architectures_table() -> str:
    rows = ((f"`{name}`", _first_sentence(resolve_name(build))) for name, build in ARCHITECTURES.items())
    return table(("Name", "What it is"), rows)


def augmentations_table() -> str:
    rows = (
        (
            f"`{name}`",
            _first_sentence(operation),
            ", ".join(
                f"`{field}`&nbsp;{_parameter(described.default)}"
                for field, described in operation.model_fields.items()
            ),
        )
        for name, operation in AUGMENTATIONS.items()
    )
    return table(("Operation", "What it does", "Parameters and defaults"), rows)


def limits_table(written: str) -> str:
    """The same rows with the defaults of their settings. Raises `ValueError` for a row that names none."""
    names = {variable(name): name for name in Settings.model_fields}
    rows = []
    for line in written.strip().splitlines()[2:]:
        row = LIMIT_ROW.match(line)
        if row is None or row["setting"] not in names:
            raise ValueError(f"no row `| limit | `SETTING` | `default` | response |` of a setting: {line}")
        value = default(names[row["setting"]]) or "none"
        rows.append((row["limit"], f"`{row['setting']}`", f"`{value}`", row["response"]))
    return table(LIMIT_HEADER, rows)


def stages() -> str:
    return _listed(STAGES)


def rejections() -> str:
    return _listed(sorted(REJECTIONS))


def connection_rejections() -> str:
    source = "".join(inspect.getsource(module) for module in (connection, request_head))
    return _listed(dict.fromkeys(re.findall(r'ApiError\(\d+, "(\w+)"', source)))


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = (" | ".join(row).join(("| ", " |")) for row in (header, *rows))
    first, *others = (line.replace("|  |", "| |") for line in lines)
    return "\n".join(("\n", first, "|---" * len(header) + "|", *others, "\n"))


PARTS: dict[str, Callable[[str], str]] = {
    "settings": lambda _: settings_table(),
    "metrics": lambda _: metrics_table(),
    "architectures": lambda _: architectures_table(),
    "augmentations": lambda _: augmentations_table(),
    "limits": limits_table,
    "stages": lambda _: stages(),
    "rejections": lambda _: rejections(),
    "connection rejections": lambda _: connection_rejections(),
}
"""The name of a part, and what makes it of the text that stands there."""


def rewritten(text: str) -> str:
    """The text of a document with every marked part as it follows from the code."""
    return MARKED.sub(lambda part: part["start"] + PARTS[part["name"]](part["body"]) + part["end"], text)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _listed(names: Iterable[str]) -> str:
    *others, last = (f"`{name}`" for name in names) if names else ("",)
    return f"{', '.join(others)} and {last}" if others else last


def _first_sentence(described: Callable[..., object]) -> str:
    paragraph = inspect.cleandoc(described.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
    return re.split(r"(?<=\.) ", paragraph)[0]


def _parameter(value: object) -> str:
    if isinstance(value, tuple):
        return "..".join(f"{number:.3g}" for number in value)
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def catalogue() -> str:
    """What the service says of the augmentations, as JSON."""
    operations = {
        name: {
            "description": inspect.cleandoc(operation.__doc__ or "").partition("\n\n")[0].replace("\n", " "),
            "parameters": {
                key: {"schema": schema, "legal": describe_legal(schema)}
                for key, schema in parameter_schemas(operation).items()
            },
        }
        for name, operation in AUGMENTATIONS.items()
    }
    return json.dumps(operations, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    CATALOGUE.write_text(catalogue(), encoding="utf-8")
    for document in DOCUMENTS:
        text = text_of(document)
        if (new := rewritten(text)) != text:
            (ROOT / document).write_text(new, encoding="utf-8")
            print(document)


if __name__ == "__main__":
    main()
