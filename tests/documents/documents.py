"""The project's documents, and what is in them: code blocks, code within sentences, links, headings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
FOLDERS = (".", "app", "app/deploy", "models", "training", "tests", "tests/bench")
DOCUMENTS = tuple(
    sorted(path.relative_to(ROOT).as_posix() for folder in FOLDERS for path in (ROOT / folder).glob("*.md"))
)
"""Paths from the root of the repository."""


@dataclass(frozen=True)
class Block:
    """A fenced block of code: `line` is that of its opening fence, counted from 1."""

    document: str
    line: int
    language: str
    code: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


@cache
def _tokens(document: str) -> tuple[Token, ...]:
    return tuple(MarkdownIt().enable("table").parse(text_of(document)))


def blocks(document: str) -> list[Block]:
    """The fenced blocks, in their order."""
    return [
        Block(document, token.map[0] + 1, token.info, token.content)
        for token in _tokens(document)
        if token.type == "fence" and token.map is not None
    ]


def _inline(document: str) -> Iterator[Token]:
    for token in _tokens(document):
        yield from token.children or ()


def code_spans(document: str) -> list[str]:
    """The code within sentences and tables."""
    return [token.content for token in _inline(document) if token.type == "code_inline"]


def links(document: str) -> list[str]:
    """Where links lead and images come from."""
    found = [token.attrGet("href") or token.attrGet("src") for token in _inline(document)]
    return [str(target) for target in found if target is not None]


def anchors(document: str) -> set[str]:
    """The names by which GitHub links to the headings."""
    tokens = _tokens(document)
    headings = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
