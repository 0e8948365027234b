"""
What it takes to find an instrument by its token, and by its symbol.

The table is the one that the server ships with, filled up with made-up ones to
9,000. Beside it stands what a database does that has an index of tokens and
none of symbols, which is how a look-up by symbol becomes hundreds of times as
slow as one by token.

It does not show what a whole subscribe takes: that is ``sessions``.
"""

from __future__ import annotations

import random
import sqlite3
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import closing

from streamer.instruments import Instrument, InstrumentTable
from tests.benchmarks._command import Answer, Goal, at_most, parser, run

INSTRUMENTS = 9_000
LOOKUPS = 2_000
PASSES = 50
SEED = 1
FIRST_TOKEN = 5_000_000


def table() -> InstrumentTable:
    """Return the server's own table and made-up instruments."""
    bundled = InstrumentTable.bundled()
    more = INSTRUMENTS - len(bundled)
    return bundled.with_instruments(
        Instrument(
            segment=1, token=FIRST_TOKEN + i, symbol=f"MADEUP{i}", exchange="NSE", series="EQ"
        )
        for i in range(more)
    )


def database(instruments: Sequence[Instrument]) -> sqlite3.Connection:
    """Return a database with an index of tokens alone."""
    connection = sqlite3.connect(":memory:")
    connection.execute("create table instruments (token integer primary key, symbol text)")
    connection.executemany(
        "insert or ignore into instruments values (?, ?)",
        [(each.token, each.symbol) for each in instruments],
    )
    return connection


def ns_each(find: Callable[[str], object], times: int, *kinds: Sequence[str]) -> list[float]:
    """
    Return the processor time of one look-up, ns, for each kind of words.

    It is the best of so many times all of them. The kinds take turns, each time
    in another order, so that a moment of a slow machine is no kind's alone.
    """
    best = [float("inf")] * len(kinds)
    order = list(range(len(kinds)))
    for _ in range(times):
        order.append(order.pop(0))
        for number in order:
            stocks = kinds[number]
            began = time.thread_time_ns()
            for stock in stocks:
                find(stock)
            best[number] = min(best[number], (time.thread_time_ns() - began) / len(stocks))
    return best


def ns_in_turns(instruments: InstrumentTable, drawn: Sequence[Instrument]) -> list[float]:
    """Return the ns of a look-up by token and of one by symbol."""
    tokens, symbols = [str(i.token) for i in drawn], [i.symbol for i in drawn]
    if any(instruments.resolve(stock) is None for stock in (*tokens, *symbols)):
        raise SystemExit("the table does not know all of its own instruments")
    return ns_each(instruments.resolve, PASSES, tokens, symbols)


def measure(rounds: int, *, quick: bool) -> dict[str, float]:
    """Return the nanoseconds of each way, medians of so many rounds."""
    instruments = table()
    listed = list(instruments)
    stocks = [each for each in listed if each.kind == "equity"]
    draw = random.Random(SEED)
    with closing(database(listed)) as connection:

        def by(column: str) -> Callable[[str], object]:
            query = f"select token, symbol from instruments where {column} = ?"
            return lambda stock: connection.execute(query, (stock,)).fetchone()

        few = 50 if quick else 300
        found: dict[str, list[float]] = {}
        for _ in range(rounds):
            # Others each time: where words happen to lie in the processor's caches is half of it.
            parts = [ns_in_turns(instruments, draw.choices(stocks, k=LOOKUPS)) for _ in range(5)]
            drawn = draw.choices(stocks, k=LOOKUPS)
            tokens, symbols = [str(i.token) for i in drawn], [i.symbol for i in drawn]
            times = {
                "token": statistics.median(token for token, _ in parts),
                "symbol": statistics.median(symbol for _, symbol in parts),
                "database, token": ns_each(by("token"), 3, tokens)[0],
                "database, symbol": ns_each(by("symbol"), 1, symbols[:few])[0],
            }
            for name, ns in times.items():
                found.setdefault(name, []).append(ns)
    return {name: statistics.median(times) for name, times in found.items()}


def goals(ns: dict[str, float]) -> list[Goal]:
    """Return what is wanted, and what was measured of it."""
    ratio = max(ns["token"], ns["symbol"]) / min(ns["token"], ns["symbol"])
    return [at_most("look-up by token and by symbol, of each other", 1.3, ratio)]


def show(answer: Answer) -> None:
    """Print the table."""
    print(f"\n{'by':<20}{'ns':>12}")
    for name, ns in answer["ns"].items():
        print(f"{name:<20}{ns:>12,.0f}")


def main(arguments: Sequence[str]) -> int:
    """Measure, and print it."""
    options = parser("lookup", __doc__).parse_args(arguments)

    def measure_all() -> Answer:
        found = measure(options.rounds, quick=options.quick)
        return {"ns": found, "goals": goals(found)}

    told = {"instruments": INSTRUMENTS, "look-ups": LOOKUPS, "rounds": options.rounds}
    return run(options, told, measure_all, show)
