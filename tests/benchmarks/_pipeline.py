"""
A straightforward replay: what is written first, before anything is measured.

    python -m tests.benchmarks._pipeline serve TAPE ROWS
    python -m tests.benchmarks._pipeline follow PORT

One process reads the recording row by row into dictionaries, writes each update
as a text of the feed by joining fields, compresses and frames it alone, and
awaits its sending. The other cuts the text into a dictionary, keeps each
instrument's state as one, and makes the message with ``json.dumps``. Nothing of
it is slow on purpose: no field is written that the product does not write, and
nothing is done twice.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import zlib
from datetime import datetime
from typing import Any

import polars as pl
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

Row = dict[str, Any]


def feed_text(row: Row) -> str:
    """Return an update as the feed's text."""
    sent = row["ts"].strftime("%d%m%Y %H%M%S")
    moment = row["ts"].strftime("%Y-%m-%d %H%M%S")
    price, close = round(row["ltp"] * 100), round(row["prev_close"] * 100)
    fields = {
        64: 209, 65: 0, 66: sent, 1: 1, 73: moment, 7: row["token"], 79: row["volume"],
        8: price, 54: f"{(price - close) / close * 100:.2f}", 9: row["ltq"], 80: price,
        74: moment, 2: row["bid_qty"], 3: round(row["bid_price"] * 100),
        5: row["ask_qty"], 6: round(row["ask_price"] * 100), 81: row["total_buy_qty"],
        82: row["total_sell_qty"], 76: close, 75: round(row["open"] * 100),
        77: price, 78: price, 399: 100, 93: round(row["week_52_high"] * 100),
        94: round(row["week_52_low"] * 100), 88: 0, 393: f"{(price - close) / 100:.2f}",
        380: "0-0",
    }  # fmt: skip
    return "63=FT3.0|" + "|".join(f"{tag}={value}" for tag, value in fields.items())


def frame_of(text: str) -> bytes:
    """Return the text as a frame of its own."""
    body = f"\x02{len(text):05}{text}".encode()
    stream = zlib.compress(body)
    return b"\x05" + f"{len(stream):05}".encode() + stream


async def serve_tape(path: str, rows: int) -> None:
    """Send the first rows to one client, and end."""
    frame = pl.read_parquet(path, n_rows=rows).with_columns(pl.col("symbol").cast(pl.String))
    done = asyncio.Event()

    async def take_client(socket: ServerConnection) -> None:
        began = time.process_time()
        for row in frame.iter_rows(named=True):
            await socket.send(frame_of(feed_text(row)))
        await socket.send(json.dumps({"cpu_s": time.process_time() - began}))
        await socket.close()
        done.set()

    async with serve(take_client, "127.0.0.1", 0, compression=None) as server:
        print(json.dumps({"port": next(iter(server.sockets)).getsockname()[1]}), flush=True)
        await done.wait()


def market_data(state: Row, seq: int) -> str:
    """Return the message of an instrument as the product's clients get it."""
    ltp, close = int(state["8"]) / 100, int(state["76"]) / 100
    token = state["7"]
    moment = datetime.strptime(state["73"], "%Y-%m-%d %H%M%S").astimezone()
    at = int(moment.timestamp() * 1000)
    return json.dumps(
        {
            "type": "market_data",
            "symbol": f"MADEUP{token}",
            "token": token,
            "exchange": "NSE",
            "data": {
                "symbol": f"MADEUP{token}",
                "token": token,
                "exchange": "NSE",
                "ltp": ltp,
                "open": int(state["75"]) / 100,
                "high": int(state["77"]) / 100,
                "low": int(state["78"]) / 100,
                "close": close,
                "prev_close": close,
                "volume": int(state["79"]),
                "percent_change": round((ltp - close) / close * 100, 2),
                "week_52_high": int(state["93"]) / 100,
                "week_52_low": int(state["94"]) / 100,
                "day_high": int(state["77"]) / 100,
                "day_low": int(state["78"]) / 100,
                "avg_volume_5d": None,
                "timestamp": at,
                "processed_at": moment.isoformat(),
                "is_new_high": False,
                "is_new_low": False,
            },
            "timestamp": at,
            "seq": seq,
        },
        separators=(",", ":"),
    )


async def follow(port: int) -> None:
    """Make a message of each update that comes; print the figures."""
    states: dict[str, Row] = {}
    seqs: dict[str, int] = {}
    rows = size = 0
    first = cpu = 0.0
    served: Row = {}
    async with connect(f"ws://127.0.0.1:{port}", compression=None) as socket:
        try:
            while True:
                data = await socket.recv()
                if isinstance(data, str):
                    served = json.loads(data)
                    continue
                if not first:
                    first, cpu = time.perf_counter(), time.process_time()
                text = zlib.decompress(data[6:])[6:].decode()
                fields = dict(field.split("=", 1) for field in text.split("|"))
                token = fields["7"]
                state = states.setdefault(token, {})
                state.update(fields)
                seqs[token] = seqs.get(token, 0) + 1
                size += len(market_data(state, seqs[token]))
                rows += 1
        except ConnectionClosed:
            pass
    told = {
        "rows": rows,
        "delivered": rows,
        "wall_s": time.perf_counter() - first,
        "cpu_s": time.process_time() - cpu,
        "feed_cpu_s": served["cpu_s"],
        "bytes_each": size / rows,
    }
    print(json.dumps(told))


def main() -> None:
    """Run one half."""
    if sys.argv[1] == "serve":
        asyncio.run(serve_tape(sys.argv[2], int(sys.argv[3])))
    else:
        asyncio.run(follow(int(sys.argv[2])))


if __name__ == "__main__":
    main()
