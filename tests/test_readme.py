"""The README leads nowhere that is not there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINKS = sorted(set(re.findall(r"\]\(([^)]+)\)", README)))
ANCHORS = {
    "#" + re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
    for heading in re.findall(r"^#+ (.+)$", README, re.MULTILINE)
}


@pytest.mark.parametrize("link", [link for link in LINKS if not link.startswith("https://")])
def test_link(link: str) -> None:
    assert link in ANCHORS if link.startswith("#") else (ROOT / link).is_file()
