"""JSON that is printed in the documentation."""

from __future__ import annotations

import json
import re

import pytest

from tests.guide.page import CLIENT_PROTOCOL, DOCS, ROOT, Block, page_blocks

PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
BLOCKS = [block for page in PAGES for block in page_blocks(page) if block.language == "json"]

# What is printed as JSON and is a scheme: it names keys without their values,
# or says in a comment what stands there.
SCHEMATIC_BLOCKS = {("guide.md", "Response Message Structure")}
SCHEMATIC_SPANS = {
    '{"type":"heartbeat","data":{"market_open","upstream","last_tick_age_ms"}}',
    '{"type":"server_shutdown","data":{"reconnect_after_ms"}}',
}

SPANS = re.findall(r"`([{\[][^`]*)`", CLIENT_PROTOCOL.read_text(encoding="utf-8"))


def is_json(text: str) -> bool:
    """Return whether ``text`` is JSON by RFC 8259, which knows no NaN and no repeated key."""

    def refuse_constant(name: str) -> None:
        raise ValueError(f"{name} is not JSON")

    def refuse_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
        fields = dict(pairs)
        if len(fields) != len(pairs):
            raise ValueError("a key stands twice")
        return fields

    try:
        json.loads(text, parse_constant=refuse_constant, object_pairs_hook=refuse_repeats)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_json_blocks_parse(block: Block) -> None:
    """A block marked as JSON is JSON, but for the schemes listed above, which are not."""
    is_scheme = (block.page, block.heading) in SCHEMATIC_BLOCKS
    assert is_json(block.text) is not is_scheme


@pytest.mark.parametrize("span", SPANS)
def test_json_in_the_client_protocol_parses(span: str) -> None:
    """An object or list printed in a rule is JSON, but for the schemes listed above."""
    assert is_json(span) is (span not in SCHEMATIC_SPANS)


def test_listed_schemes_are_printed() -> None:
    """The exceptions above are of blocks and rules that exist."""
    assert {(block.page, block.heading) for block in BLOCKS} >= SCHEMATIC_BLOCKS
    assert set(SPANS) >= SCHEMATIC_SPANS
