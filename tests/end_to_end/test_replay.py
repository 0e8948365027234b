"""The main job, whole: a recording, through the real wire and the real adapter, to a client."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from streamer.ist import ist_ns
from tests.guide.page import ROOT
from tests.guide.program import Program

DAY = ROOT / "recordings" / "day.parquet"
LONGEST_S = 300.0
Row = tuple[str, int, float]


class Transcript:
    """What one client got, from ``welcome`` to the close."""

    def __init__(self, messages: list[str], close_code: int | None) -> None:
        self.quotes = [text for text in messages if text.startswith('{"type":"market_data"')]
        self.others: list[dict[str, Any]] = [
            json.loads(text) for text in messages if not text.startswith('{"type":"market_data"')
        ]
        self.close_code = close_code
        self.kinds = [text[9 : text.index('"', 9)] for text in messages]

    def rows(self) -> list[Row]:
        """Return the token, the cumulative volume and the price of each quote, in order."""
        found = []
        for text in self.quotes:
            data = json.loads(text)["data"]
            found.append((data["token"], data["volume"], data["ltp"]))
        return found


async def listen(port: int, client_id: str, stocks: Sequence[str]) -> Transcript:
    """Subscribe and read until the server closes."""
    url = f"ws://localhost:{port}/enhanced-stream?client_id={client_id}"
    messages: list[str] = []
    async with connect(url, proxy=None, max_size=None, max_queue=4096) as socket:
        await socket.send(json.dumps({"action": "subscribe", "stocks": stocks}))
        try:
            async for text in socket:
                assert isinstance(text, str)
                messages.append(text)
        except ConnectionClosed:
            pass
        return Transcript(messages, socket.close_code)


def replay(folder: Path, stocks: Sequence[str], *options: str) -> Transcript:
    """Replay the bundled day to one client, to the end."""
    ports = ("--port", "0", "--feed-port", "0", "--control-port", "0")
    command = (sys.executable, "-m", "simulator.cli", "replay", str(DAY), *ports)
    own = ("--db", str(folder / "sessions.db"), "--start-on", "subscribe", *options)
    with Program([*command, *own]) as program:
        port = int(program.expect(r"ws://\S+:(\d+)/enhanced-stream")[1])

        async def watch() -> Transcript:
            async with asyncio.timeout(LONGEST_S):
                return await listen(port, "reader", stocks)

        transcript = asyncio.run(watch())
        program.expect(r"^Ended +completed")
    return transcript


def recorded(symbols: Sequence[str], start: str, end: str) -> list[Row]:
    """Return the rows of a window of the bundled day, read without any code of ours."""
    day = date(2025, 9, 4)
    first, last = ist_ns(day, start) // 1_000_000, ist_ns(day, end) // 1_000_000
    stamp = pl.col("ts").dt.epoch("ms")
    rows = (
        pl.read_parquet(DAY)
        .filter((stamp >= first) & (stamp < last))
        .filter(pl.col("symbol").cast(pl.String).is_in(list(symbols)))
    )
    return list(
        zip(
            rows["token"].cast(pl.String).to_list(),
            rows["volume"].to_list(),
            rows["ltp"].to_list(),
            strict=True,
        )
    )


def all_symbols() -> list[str]:
    """Return every symbol of the bundled day."""
    symbols = pl.read_parquet(DAY, columns=["symbol"])["symbol"].cast(pl.String)
    return symbols.unique().sort().to_list()


@pytest.mark.timeout(LONGEST_S + 60)
def test_a_whole_day_gives_every_row_inside_the_hours_exactly_once(tmp_path: Path) -> None:
    """H-1, H-2, M-3: at ``max``, lossless, all instruments: each row, in order, none outside."""
    symbols = all_symbols()
    transcript = replay(tmp_path, symbols, "--speed", "max", "--lossless")
    assert transcript.rows() == recorded(symbols, "09:15", "15:30")
    events = [message["data"].get("event") for message in transcript.others]
    assert [event for event in events if event] == ["market_opened", "market_closed"]
    assert [kind for kind in dict.fromkeys(transcript.kinds) if kind != "market_data"] == [
        "welcome",
        "subscription_response",
        "market_status",
        "server_shutdown",
    ]
    first, last = transcript.kinds.index("market_data"), len(transcript.kinds) - 3
    assert transcript.kinds[first - 1] == "market_status"
    assert transcript.kinds[last:] == ["market_data", "market_status", "server_shutdown"]
    assert transcript.close_code == 1012


def test_two_runs_and_two_speeds_give_the_same_bytes(tmp_path: Path) -> None:
    """M-8: the same window gives the same ``market_data``, byte for byte, at whatever speed."""
    stocks = ["RELIANCE", "SBIN", "NIFTY 50"]
    window = ("--from", "10:00", "--to", "10:10", "--lossless")
    transcripts = []
    for number, speed in enumerate(("max", "max", "200")):
        folder = tmp_path / str(number)
        folder.mkdir()
        transcripts.append(replay(folder, stocks, *window, "--speed", speed))
    first, second, paced = (transcript.quotes for transcript in transcripts)
    assert first == second == paced
    rows = transcripts[0].rows()
    assert rows[len(stocks) :] == recorded(stocks, "10:00", "10:10")
    assert len({token for token, _, _ in rows[: len(stocks)]}) == len(stocks)


def test_a_window_in_the_middle_begins_with_the_days_state(tmp_path: Path) -> None:
    """M-4: open, high, low, volume and previous close are the day's, from the first quote on."""
    transcript = replay(
        tmp_path, ["RELIANCE"], "--from", "12:00", "--to", "12:01", "--speed", "max", "--lossless"
    )
    # Trading begins with the match of the pre-open; what comes before it are indications.
    before = [row for row in recorded(["RELIANCE"], "09:00", "12:00") if row[1]]
    data = json.loads(transcript.quotes[0])["data"]
    assert data["volume"] == before[-1][1]
    assert data["open"] == before[0][2]
    assert data["high"] == max(ltp for _, _, ltp in before)
    assert data["low"] == min(ltp for _, _, ltp in before)
    assert data["prev_close"] == 1372.6


def test_loops_begin_the_day_anew(tmp_path: Path) -> None:
    """H-5: each pass gives the same figures; ``seq`` goes on."""
    transcript = replay(
        tmp_path,
        ["SBIN"],
        *("--from", "09:14:58", "--to", "09:16", "--loop", "3", "--speed", "max", "--lossless"),
    )
    rows = transcript.rows()
    third = len(rows) // 3
    assert third == len(recorded(["SBIN"], "09:15", "09:16"))
    assert rows[:third] == rows[third : 2 * third] == rows[2 * third :]
    events = [message["data"].get("event") for message in transcript.others]
    assert [event for event in events if event] == [
        "market_opened",
        "market_closed",
        "market_opened",
        "market_closed",
        "market_opened",
    ]
    sequence = [json.loads(text)["seq"] for text in transcript.quotes]
    assert sequence == sorted(set(sequence))
