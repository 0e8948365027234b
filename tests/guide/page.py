"""
The code blocks of a Markdown page, exactly as they are printed.

It knows headings and fences and nothing else of Markdown. What is inside a
fence is never taken for a heading, and never changed: the tests run what the
reader of the page sees.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
GUIDE: Final = DOCS / "guide.md"
CLIENT_PROTOCOL: Final = DOCS / "client-protocol.md"

PRINTED_ADDRESS: Final = "localhost:8080"

_HEADING: Final = re.compile(r"#{1,6} +(.*)")
_FENCE: Final = re.compile(r"(`{3,})(\w*)\s*")


@dataclass(frozen=True)
class Block:
    """
    One fenced code block.

    Args:
        page: The file's name.
        heading: The nearest heading above, without ``#`` and ``*``.
        language: What stands after the opening fence, perhaps nothing.
        line: Where the fence opens, counted from 1.
        text: What stands between the fences, its last line break included.

    """

    page: str
    heading: str
    language: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line} {self.heading}"


def code_blocks(text: str, page: str = "") -> list[Block]:
    """
    Return the fenced code blocks of a page, in their order.

    Args:
        text: The whole page.
        page: Its name, for messages.

    Raises:
        ValueError: If a fence is not closed.

    """
    blocks: list[Block] = []
    heading = ""
    fence = language = ""
    opened_at = 0
    content: list[str] = []
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        if fence:
            if line.strip() == fence:
                blocks.append(Block(page, heading, language, opened_at, "".join(content)))
                fence = ""
            else:
                content.append(line)
        elif opening := _FENCE.fullmatch(line):
            fence, language = opening.groups()
            opened_at, content = number, []
        elif found := _HEADING.match(line):
            heading = found[1].replace("*", "").strip()
    if fence:
        raise ValueError(f"{page}: the fence of line {opened_at} is not closed")
    return blocks


def page_blocks(path: Path) -> list[Block]:
    """Return the fenced code blocks of a file."""
    return code_blocks(path.read_text(encoding="utf-8"), path.name)


def guide_blocks(heading: str, language: str) -> list[Block]:
    """Return the guide's blocks of a language below a heading, in their order; at least one."""
    blocks = [
        block
        for block in page_blocks(GUIDE)
        if block.heading == heading and block.language == language
    ]
    assert blocks, f"the guide has no {language} block below {heading}"
    return blocks


def guide_block(heading: str, language: str) -> Block:
    """Return the guide's only block of a language below a heading."""
    (block,) = guide_blocks(heading, language)
    return block


def guide_table(heading: str) -> list[list[str]]:
    """Return the rows of the guide's table below a heading, cell by cell, without its head."""
    rows: list[list[str]] = []
    is_below = False
    for line in GUIDE.read_text(encoding="utf-8").splitlines():
        if found := _HEADING.match(line):
            is_below = found[1].replace("*", "").strip() == heading
        elif is_below and line.startswith("|"):
            rows.append([cell.strip().strip("`") for cell in line.strip("|").split("|")])
    assert len(rows) > 2, f"the guide has no table below {heading}"
    return rows[2:]


def at_port(text: str, port: int) -> str:
    """
    Return printed text that names the test's server instead of port 8080.

    Tests listen on free ports. The number of the port is the one thing that
    they change in what is printed.
    """
    assert PRINTED_ADDRESS in text
    return text.replace(PRINTED_ADDRESS, f"localhost:{port}")
