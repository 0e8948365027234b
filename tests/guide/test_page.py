"""The extraction of code blocks, without which the other tests of this package mean nothing."""

from __future__ import annotations

import pytest

from tests.guide.page import GUIDE, at_port, code_blocks, guide_table, page_blocks

PAGE = """\
# A *page*

```
plain
```

## **1. Two** of a kind

```json
{
  "a": 1
}
```
Words.
```python
# Not a heading
print("``` no fence either ```")
```
"""


def test_blocks_are_verbatim() -> None:
    """A block is what stands between its fences, with its heading, language and line."""
    plain, data, code = code_blocks(PAGE, "page.md")
    assert (plain.heading, plain.language, plain.line, plain.text) == ("A page", "", 3, "plain\n")
    assert (data.heading, data.language) == ("1. Two of a kind", "json")
    assert data.text == '{\n  "a": 1\n}\n'
    assert (code.heading, code.language) == ("1. Two of a kind", "python")
    assert code.text == '# Not a heading\nprint("``` no fence either ```")\n'


def test_open_fence_is_refused() -> None:
    """A page whose last fence is not closed has no blocks to trust."""
    with pytest.raises(ValueError, match="line 1 is not closed"):
        code_blocks("```json\n{}\n")


def test_guide_is_found_whole() -> None:
    """Fences and blocks of the guide are as many as each other, and each block stands in it."""
    text = GUIDE.read_text(encoding="utf-8")
    blocks = page_blocks(GUIDE)
    assert 2 * len(blocks) == sum(line.startswith("```") for line in text.splitlines())
    for block in blocks:
        assert f"```{block.language}\n{block.text}```\n" in text


def test_tables_are_found() -> None:
    """A table's rows are read without its head, code marks gone."""
    actions = guide_table("Actions")
    assert actions[0] == ["subscribe", "Add stocks to subscription", "stocks: string[]"]
    assert [row[0] for row in actions][-1] == "ping"


def test_only_the_port_is_changed() -> None:
    """The address of a printed example gets the test's port and keeps the rest."""
    printed = "ws://localhost:8080/enhanced-stream?client_id=x"
    assert at_port(printed, 4711) == "ws://localhost:4711/enhanced-stream?client_id=x"
