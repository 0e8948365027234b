"""
The tapes of a synthetic day in blocks, and all of them merged by time with bounded memory.

A block of stocks is made at a time, by as many processes as are wanted, and
kept in a temporary file, cut into the same slices of time as all others; a
merge reads one slice of each. Memory depends on the size of a block and of a
slice, not on how many stocks a day has.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from simulator.columns import Batch
from simulator.market import FIGURES, Market, in_time_order
from simulator.overnight import Ending, ending_of
from simulator.tape import Tape
from simulator.universe import Index, Stock
from streamer.ist import NS_PER_SECOND, ist_ns

BLOCK_STOCKS = 50
"""So many of the most liquid stocks take about 150 MB while they are made."""

SLICE_S = 150
_SLICES = 8 * 3_600 // SLICE_S  # from 09:00 to 17:00, beyond every timetable

Made = Callable[[int, int], None]
"""Told as stocks are made: how many there are, of how many."""


class _Work(NamedTuple):
    """
    What one process makes at a time.

    Args:
        market: The day.
        numbered: The stocks, with the numbers of their instruments.
        first_index: Number of the first index if the block has them too, else None.
        path: The block's file.

    """

    market: Market
    numbered: tuple[tuple[int, Stock], ...]
    first_index: int | None
    path: Path


class Blocks:
    """
    The rows of a synthetic day, kept in files of a folder unless one block holds them all.

    Args:
        market: The day, which has been checked.
        stocks: What is written of it, besides the indices.
        folder: An empty one, for the files; the caller deletes it.

    """

    def __init__(self, market: Market, stocks: Sequence[Stock], folder: Path) -> None:
        self.instruments: tuple[Stock | Index, ...] = (*stocks, *market.indices)
        """By number: the stocks in the order given, then the indices."""
        self.endings: dict[int, Ending] = {}
        """How the day ended for each of them and for each member of the indices, by token."""
        self._only: Batch | None = None
        members = frozenset(market.members)
        numbered = list(enumerate(stocks))
        # The indices are made of their members, so both are one block's work.
        first = tuple((number, stock) for number, stock in numbered if stock in members)
        others = [(number, stock) for number, stock in numbered if stock not in members]
        self._work = [_Work(market, first, len(stocks), folder / "members.arrow")]
        for start in range(0, len(others), BLOCK_STOCKS):
            block = tuple(others[start : start + BLOCK_STOCKS])
            self._work.append(_Work(market, block, None, folder / f"{start}.arrow"))

    def make(self, workers: int = 1, made: Made | None = None) -> None:
        """
        Make all blocks; their rows do not depend on the number of workers.

        Args:
            workers: Processes; 1 makes them in this one.
            made: Is told now and then how many stocks have been made.

        """
        done, total = 0, sum(len(work.numbered) for work in self._work)

        def count(work: _Work, endings: Mapping[int, Ending]) -> None:
            nonlocal done
            done += len(work.numbered)
            self.endings.update(endings)
            if made is not None:
                made(done, total)

        if len(self._work) == 1:
            # One block is in memory already when it is made.
            (work,) = self._work
            self._only, endings = _rows_of(work)
            count(work, endings)
            return
        if workers < 2:
            for work in self._work:
                count(work, _make(work))
            return
        # Not forked: the library that writes the files has threads of its own.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(workers, len(self._work)), context) as pool:
            waiting: dict[Future[dict[int, Ending]], _Work] = {
                pool.submit(_make, work): work for work in self._work
            }
            try:
                for future in as_completed(waiting):
                    count(waiting[future], future.result())
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise

    def rows(self) -> Iterator[Batch]:
        """Yield all rows by time, those of one time by their instruments' numbers."""
        if self._only is not None:
            yield self._only
            return
        readers = [pa.ipc.open_file(pa.OSFile(str(work.path), "rb")) for work in self._work]
        for number in range(_SLICES):
            parts = [_batch(reader.get_batch(number)) for reader in readers]
            batch = _merged([part for part in parts if len(part.ts)])
            if batch is not None:
                yield batch


def _rows_of(work: _Work) -> tuple[Batch, dict[int, Ending]]:
    """Make a block; return its rows, and how the day ended for what was made."""
    market = work.market
    made: dict[Stock | Index, Tape] = {}
    tapes: list[tuple[int, Tape]]
    if work.first_index is None:
        numbers = {stock: number for number, stock in work.numbered}
        made.update(market.tapes(list(numbers)))
        tapes = [(numbers[stock], made[stock]) for stock in numbers]
    else:
        members, indices = market.members_and_indices()
        made.update(members.items())
        made.update(indices.items())
        tapes = [(number, members[stock]) for number, stock in work.numbered]
        tapes += enumerate(indices.values(), work.first_index)
    endings = {instrument.token: ending_of(tape) for instrument, tape in made.items()}
    return in_time_order(market.day, tapes), endings


def _make(work: _Work) -> dict[int, Ending]:
    """Make a block and write its file; return how the day ended for its instruments."""
    rows, endings = _rows_of(work)
    begin = ist_ns(work.market.day, "09:00")
    cuts = begin + np.arange(_SLICES + 1) * SLICE_S * NS_PER_SECOND
    ends = np.searchsorted(rows.ts, cuts).tolist()
    schema = pa.schema(
        [("ts", pa.int64()), ("instrument", pa.int32()), *((name, pa.int64()) for name in FIGURES)]
    )
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with (
        pa.OSFile(str(work.path), "wb") as file,
        pa.ipc.new_file(file, schema, options=options) as writer,
    ):
        for start, end in pairwise(ends):
            part = rows.rows(slice(start, end))
            values = [part.ts, part.instrument, *(part.figures[name] for name in FIGURES)]
            writer.write_batch(
                pa.record_batch([pa.array(column) for column in values], schema=schema)
            )
    return endings


def _batch(arrow: Any) -> Batch:
    ts, instrument, *figures = (column.to_numpy() for column in arrow.columns)
    return Batch(ts, instrument, dict(zip(FIGURES, figures, strict=True)))


def _merged(parts: Sequence[Batch]) -> Batch | None:
    """Return the rows of several batches in order; None if there are none."""
    if len(parts) < 2:
        return parts[0] if parts else None
    ts = np.concatenate([part.ts for part in parts])
    instrument = np.concatenate([part.instrument for part in parts])
    # Sorted by both: blocks may hold the numbers of their stocks in any order.
    order = np.lexsort((instrument, ts))
    figures = {
        name: np.concatenate([part.figures[name] for part in parts])[order] for name in FIGURES
    }
    return Batch(ts[order], instrument[order], figures)
