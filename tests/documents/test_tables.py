"""What the documents say of settings, metrics, limits and registries follows from the code."""

import pytest

from app.server.connection import MAX_PIPELINED
from app.server.request_head import MAX_BYTES, MAX_HEADERS
from app.settings import Settings
from app.settings.environment import variable
from tests.documents.documents import DOCUMENTS, ROOT, text_of
from tests.documents.tables import LIMIT_ROW, MARKED, PARTS, limits_table, rewritten, settings_table
from training.recipes import RECIPES

MARKED_PARTS = {
    document: {part["name"] for part in MARKED.finditer(text_of(document))} for document in DOCUMENTS
}
LIMITING = (
    "max_",
    "rate_limit",
    "feedback_rate_limit",
    "cache_files",
    "api_keys",
    "management",
    "trusted_hosts",
    "cors_origins",
)


@pytest.mark.parametrize("document", [document for document, parts in MARKED_PARTS.items() if parts])
def test_the_parts_that_follow_from_the_code_are_up_to_date(document: str) -> None:
    """If not, `make docs` writes them anew."""
    assert text_of(document) == rewritten(text_of(document))


def test_every_part_stands_in_one_document() -> None:
    assert sorted(name for parts in MARKED_PARTS.values() for name in parts) == sorted(PARTS)


def test_the_settings_are_all_listed_with_what_they_mean() -> None:
    listed = settings_table().strip().splitlines()[2:]
    assert len(listed) == len(Settings.model_fields)
    assert all(Settings.model_fields[name].description for name in Settings.model_fields)
    port = "Port to listen on; 0 takes any free one. Read from `PORT` as well."
    assert f"| `RESNET_SERVE_PORT` | `8000` | {port} |" in listed


def test_every_setting_that_limits_is_listed_with_the_limits() -> None:
    rows = (LIMIT_ROW.match(line) for line in text_of("SECURITY.md").splitlines())
    listed = {row["setting"] for row in rows if row is not None}
    limiting = {
        variable(name)
        for name in Settings.model_fields
        if (name.startswith(LIMITING) or name.endswith("_seconds"))
        and name not in {"api_keys_file", "max_batch", "start_seconds", "unready_seconds", "drain_seconds"}
    }
    assert limiting <= listed


def test_a_limit_without_a_setting_is_found() -> None:
    with pytest.raises(ValueError, match="MAX_DREAMS"):
        limits_table(
            "| Limit | Setting | Default | Beyond it |\n|---|\n| dreams | `MAX_DREAMS` | `1` | 413 |"
        )


def test_the_limits_without_settings_are_as_written() -> None:
    assert (
        f"headers of more than {MAX_BYTES // 1024} KiB or more than {MAX_HEADERS} headers get status"
        f" 431; a connection on which more than {MAX_PIPELINED} requests wait for responses is closed"
    ) in " ".join(text_of("SECURITY.md").split())


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_is_listed(recipe: str) -> None:
    assert f"| `{recipe}` |" in text_of("training/README.md")


def test_the_first_document_stays_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
