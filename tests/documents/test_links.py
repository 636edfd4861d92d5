"""The documents lead nowhere that is not there."""

from pathlib import PurePosixPath

import pytest

from tests.documents.documents import DOCUMENTS, ROOT, anchors, links

LINKS = [(document, link) for document in DOCUMENTS for link in links(document) if "://" not in link]


@pytest.mark.parametrize(("document", "link"), LINKS)
def test_link(document: str, link: str) -> None:
    path, _, anchor = link.partition("#")
    target = ROOT / PurePosixPath(document).parent / path if path else ROOT / document
    assert target.is_file()
    assert not anchor or anchor in anchors(target.resolve().relative_to(ROOT).as_posix())


def test_every_document_is_linked_from_the_first() -> None:
    assert set(DOCUMENTS) - {"README.md"} <= set(links("README.md"))
