"""The page on the feed says what the code knows."""

from __future__ import annotations

import re
from pathlib import Path

from streamer.odin import connection, framing, messages
from streamer.odin.fields import MAX_DIGITS
from streamer.odin.tags import SEGMENTS, Code, Tag

PAGE = (Path(__file__).parents[2] / "docs" / "odin-feed.md").read_text(encoding="utf-8")


def section(number: int) -> str:
    """Return the text below a numbered heading, up to the next one."""
    found = re.search(rf"^## {number}\. .*?\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def rows(number: int) -> list[list[str]]:
    """Return the rows of a section's table, without its head."""
    lines = [line for line in section(number).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def order_of(text: bytes, after: bytes, before: bytes) -> list[str]:
    """Return the tags of a text between two of its pieces, in order."""
    body = text.partition(after)[2].partition(before)[0]
    return [piece.split(b"=")[0].decode() for piece in body.strip(b"|").split(b"|")]


TOUCHLINE = messages.Touchline(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)
HEADER_END = b"|66=01011980 000000|"


def test_message_codes_are_those_of_the_code() -> None:
    """Every code, its sender, its meaning and where it is known from."""
    assert rows(4) == [[f"{code:d}", code.sender, code.meaning, code.source] for code in Code]


def test_tags_are_those_of_the_code() -> None:
    """Every tag, its meaning, its unit and where it is known from."""
    assert rows(7) == [[f"{tag:d}", tag.meaning, tag.unit, tag.source] for tag in Tag]


def test_market_segments_are_those_of_the_code() -> None:
    """Every segment by its id on the wire."""
    assert rows(8) == [[str(number), name] for number, name in SEGMENTS.items()]


def test_orders_of_tags_are_those_that_are_written() -> None:
    """The page's list of tags is the order on the wire."""
    order = " ".join(order_of(messages.encode_touchline(TOUCHLINE, 0), HEADER_END, b"\n"))
    assert f"`{order}`" in section(6)
    side = (messages.NO_LEVEL,) * messages.DEPTH
    best_five = messages.encode(messages.BestFive(TOUCHLINE, side, side))
    assert f"`{' '.join(order_of(best_five, HEADER_END, b'|11='))}`" in section(6)
    ltp = messages.encode(messages.LtpTouchline(1, 1, 0, 1, 1))
    assert f"`{' '.join(order_of(ltp, HEADER_END, b'!'))}`" in section(6)


def test_limits_are_those_of_the_code() -> None:
    """The numbers that the page promises are the ones that hold."""
    assert f"{framing.MAX_STREAM_BYTES:,} bytes behind a header" in section(2)
    assert framing.MAX_REQUEST_BYTES == framing.MAX_BODY_BYTES == 2**20
    assert section(2).count("at most 1 MiB") == 2
    assert f"under {framing.TARGET_BODY_BYTES // 1024} KiB" in section(2)
    assert f"at most {MAX_DIGITS} digits" in section(3)
    assert f"holds {connection.MAX_INSTRUMENTS:,} subscriptions" in section(5)
    assert connection.PAIRS_PER_REQUEST == 50
    assert "fifty instruments at a time" in section(5)
