"""
CSV files of market data turned into recordings.

Two shapes: *ticks*, a row for each update, and *ohlc*, a bar for each minute
or so, which becomes four ticks and is marked so in the footer. Lines that
cannot be meant are refused one by one, with their place and what was expected;
the others are converted.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa

from simulator.columns import BY_NAME, UNTOLD, BadValue, Batch, Kind
from simulator.csv_columns import named, numbers
from simulator.csv_times import EXPECTED, moments
from simulator.identity import BadName, Identities
from simulator.recording_file import METADATA_KEY
from simulator.recording_writer import ROW_GROUP_ROWS, RecordingWriter
from simulator.synth import content_hash
from streamer.errors import ConfigError
from streamer.instruments import InstrumentTable
from streamer.ist import IST_OFFSET_NS, NS_PER_DAY, NS_PER_SECOND, ist_rfc3339

__all__ = ["Converted", "Refusal", "Shape", "convert"]

Shape = Literal["auto", "ticks", "ohlc"]

TICKS_OF_A_BAR: Final = 4

_BAR: Final = ("open", "high", "low", "close")
_TICK_FIGURES: Final = (
    "ltp",
    "ltq",
    "volume",
    "bid_price",
    "bid_qty",
    "ask_price",
    "ask_qty",
    "open",
    "high",
    "low",
    "prev_close",
    "atp",
    "open_interest",
)
_LONGEST_BAR_NS: Final = 6 * 3600 * NS_PER_SECOND
_MINUTE_NS: Final = 60 * NS_PER_SECOND


class Refusal(NamedTuple):
    """
    One line that was left out.

    Args:
        line: From 1, the header being the first.
        column: Its header.
        value: As it stands there.
        expected: What was expected in its place.

    """

    line: int
    column: str
    value: str
    expected: str


class Converted(NamedTuple):
    """
    What came of a file.

    Args:
        path: The recording.
        rows: How many it has.
        lines: How many lines of the CSV file are in it.
        made_from: ``ticks``, or ``ohlc-1m`` and the like.
        refused: How many lines were left out.
        refusals: The first of them.
        ignored: Headers of columns that mean nothing here.

    """

    path: Path
    rows: int
    lines: int
    made_from: str
    refused: int
    refusals: tuple[Refusal, ...]
    ignored: tuple[str, ...]


def convert(
    source: Path,
    path: Path,
    *,
    table: InstrumentTable,
    shape: Shape = "auto",
    day: date | None = None,
    symbol: str | None = None,
    exchange: str | None = None,
    zone: str = "Asia/Kolkata",
    limit: int = 20,
    on_step: Callable[[str], None] = lambda step: None,
) -> Converted:
    """
    Read a CSV file and write a recording, which appears whole.

    Args:
        source: With a line of headers.
        path: Is replaced if it is there.
        table: Knows symbols and tokens.
        shape: ``auto`` takes open, high, low and close without a price for bars.
        day: The date of times that have none.
        symbol: Of all lines, where the file has no column for it.
        exchange: The same.
        zone: Of times that name none.
        limit: How many refusals are told.
        on_step: Told what is done now, in words.

    Raises:
        ConfigError: If the columns make no sense, or no line can be used.
        OSError: If a file cannot be read or written.

    """
    on_step("reading the lines")
    lines = _Lines(source, limit)
    if symbol is not None and not {"symbol", "token"} & lines.roles.keys():
        lines.set_all("symbol", symbol)
    if exchange is not None and "exchange" not in lines.roles:
        lines.set_all("exchange", exchange)
    is_bars = lines.is_bars if shape == "auto" else shape == "ohlc"
    lines.require(is_bars=is_bars)
    on_step(f"reading the times of {len(lines.good):,} lines")
    times = lines.times(day, zone)
    on_step("telling the instruments")
    identities = Identities(table)
    instruments = lines.instruments(identities)
    on_step("reading prices and volumes")
    figures = lines.figures(is_bars=is_bars)
    good = lines.good
    if not good.any():
        raise ConfigError(f"{source}: no line can be used\n{_told(lines.refusals())}")
    columns = {"ts": times[good], "instrument": instruments[good]}
    columns |= {name: values[good] for name, values in figures.items()}
    made_from = "ticks"
    if is_bars:
        step_ns = _bar_ns(columns["ts"], columns["instrument"], str(source))
        made_from = f"ohlc-{_step_text(step_ns)}"
        columns = _ticks_of_bars(columns, step_ns)
    on_step("writing the recording")
    batch = _in_order(columns)
    refused = int((~good).sum())
    origin = {"made_from": made_from, "csv": source.name, "csv_sha256": lines.digest}
    _write(batch, identities, path, origin | {"lines_refused": refused})
    return Converted(
        path,
        len(batch.ts),
        int(good.sum()),
        made_from,
        refused,
        tuple(lines.refusals()[:limit]),
        lines.ignored,
    )


class _Lines:
    """The lines of a CSV file, and which of them were refused for what."""

    def __init__(self, source: Path, limit: int) -> None:
        self._file = str(source)
        self._limit = limit
        content = source.read_bytes()
        self.digest = hashlib.sha256(content).hexdigest()
        try:
            frame = pl.read_csv(content, infer_schema=False)
        except (pl.exceptions.PolarsError, UnicodeError) as error:
            first = str(error).strip().splitlines()[0]
            raise ConfigError(
                f"{source}: found no CSV ({first}); expected lines of values separated by commas, "
                "the first of them headers"
            ) from error
        # The header is line 1. Blank lines are read as lines without any value.
        frame = frame.with_row_index("line", offset=2)
        texts = [name for name in frame.columns if name != "line"]
        self._frame = frame.filter(~pl.all_horizontal(pl.col(name).is_null() for name in texts))
        self.roles = named(texts, file=self._file)
        self.ignored = tuple(name for name in texts if name not in self.roles.values())
        self.good = np.ones(len(self._frame), dtype=np.bool_)
        self._refusals: list[Refusal] = []

    @property
    def is_bars(self) -> bool:
        """Whether the columns are those of bars."""
        return set(_BAR) <= self.roles.keys() and "ltp" not in self.roles

    def set_all(self, role: str, value: str) -> None:
        """Give a column that is not there one value in all lines."""
        header = f"--{role}"
        self._frame = self._frame.with_columns(pl.lit(value).alias(header))
        self.roles[role] = header

    def require(self, *, is_bars: bool) -> None:
        """Refuse a file without the columns of its shape."""
        roles = self.roles
        if not is_bars and "ltp" not in roles and "close" in roles and not self.is_bars:
            roles["ltp"] = roles.pop("close")
        elif not is_bars and "close" in roles:
            # Beside a last price, close is what the feeds call so: the previous day's.
            roles.setdefault("prev_close", roles.pop("close"))
        missing = [name for name in (_BAR if is_bars else ("ltp",)) if name not in roles]
        if not {"time", "date", "clock"} & roles.keys():
            missing.append("timestamp, or date and time")
        if not {"symbol", "token"} & roles.keys():
            missing.append("symbol or token (or --symbol)")
        if missing:
            added = {"line", "--symbol", "--exchange"}
            headers = ", ".join(name for name in self._frame.columns if name not in added)
            raise ConfigError(
                f"{self._file}: found no column {', no column '.join(missing)}; "
                f"its headers are {headers}"
            )

    def times(self, day: date | None, zone: str) -> Any:
        """Return the lines' times; refuse those that are none."""
        frame, roles = self._frame, self.roles
        if "time" in roles:
            header = roles["time"]
            texts = frame[header]
        elif "date" in roles and "clock" in roles:
            header = roles["date"]
            joined = pl.concat_str([header, roles["clock"]], separator=" ")
            texts = frame.select(joined.alias("time"))["time"]
        else:
            header = roles.get("date") or roles["clock"]
            texts = frame[header]
        found = moments(texts, day=day, zone=zone)
        self._refuse(found.is_null().to_numpy(), header, texts, EXPECTED)
        return found.fill_null(0).to_numpy()

    def instruments(self, identities: Identities) -> Any:
        """Return the lines' instruments by number; refuse lines whose instrument is not known."""
        roles = [role for role in ("token", "symbol", "exchange") if role in self.roles]
        names = self._frame.select(pl.col(self.roles[r]).str.strip_chars().alias(r) for r in roles)
        numbered = np.full(len(names), -1, dtype=np.int32)
        groups = names.with_row_index("at").group_by(roles, maintain_order=True).agg("at")
        for *values, places in groups.iter_rows():
            one: dict[str, Any] = {
                role: pa.array([value or None], pa.string())
                for role, value in zip(roles, values, strict=True)
            }
            at = np.array(places)
            try:
                numbered[at] = identities.number(one, 1)[0]
            except (BadName, BadValue) as bad:
                header = self.roles.get(getattr(bad, "column", ""), self.roles[roles[0]])
                wrong = np.zeros(len(names), dtype=np.bool_)
                wrong[at] = True
                more = " (--instruments adds to it)" if "list" in bad.expected else ""
                self._refuse(wrong, header, self._frame[header], bad.expected + more)
        return numbered

    def figures(self, *, is_bars: bool) -> dict[str, Any]:
        """Return the numbers of the lines; refuse lines with a number that cannot be meant."""
        required = _BAR if is_bars else ("ltp",)
        wanted = (*_BAR, "volume", "open_interest") if is_bars else _TICK_FIGURES
        values: dict[str, Any] = {}
        for role in wanted:
            if role not in self.roles:
                continue
            texts = self._frame[self.roles[role]]
            # A bar's prices are prices of trades, each as good as a last price.
            column = "ltp" if is_bars and role in _BAR else role
            read = numbers(texts, column, required=role in required)
            self._refuse(read.refused.to_numpy(), self.roles[role], texts, read.expected)
            values[role] = read.values.fill_null(UNTOLD).to_numpy()
        if is_bars:
            self._refuse_bars_that_are_none(values)
        return values

    def refusals(self) -> list[Refusal]:
        """Return what was refused, by line."""
        return sorted(self._refusals)

    def _refuse_bars_that_are_none(self, bar: dict[str, Any]) -> None:
        top = np.maximum(bar["open"], bar["close"])
        bottom = np.minimum(bar["open"], bar["close"])
        for role, wrong, expected in (
            ("high", bar["high"] < top, "a high not below open and close"),
            ("low", bar["low"] > bottom, "a low not above open and close"),
        ):
            header = self.roles[role]
            self._refuse(self.good & wrong, header, self._frame[header], expected)

    def _refuse(self, wrong: Any, header: str, texts: pl.Series, expected: str) -> None:
        """Leave lines out; each is told once, for the first thing that is wrong."""
        new = np.flatnonzero(wrong & self.good)
        self.good[new] = False
        for at in new[: self._limit].tolist():
            value = texts[at]
            told = "" if value is None else str(value)
            self._refusals.append(Refusal(self._frame["line"][at], header, told, expected))


def _told(refusals: Sequence[Refusal]) -> str:
    return "\n".join(
        f"line {each.line}, column {each.column!r}, value {each.value!r}: expected {each.expected}"
        for each in refusals
    )


def _bar_ns(ts: Any, instrument: Any, file: str) -> int:
    """Return how long a bar is: the shortest time between two bars of one instrument."""
    order = np.lexsort((ts, instrument))
    same = np.diff(instrument[order]) == 0
    steps = np.diff(ts[order])[same]
    steps = steps[steps > 0]
    step = int(steps.min()) if len(steps) else _MINUTE_NS
    if step > _LONGEST_BAR_NS:
        raise ConfigError(
            f"{file}: the bars are {step / (3600 * NS_PER_SECOND):,.0f} hours long; expected bars "
            "within a day, of a minute or so"
        )
    return step


def _step_text(step_ns: int) -> str:
    seconds = step_ns // NS_PER_SECOND
    for size, unit in ((3600, "h"), (60, "m")):
        if seconds and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _ticks_of_bars(bars: dict[str, Any], step_ns: int) -> dict[str, Any]:
    """
    Return four ticks for each bar, a quarter of it apart.

    They are open, low, high, close of a bar that rose, and open, high, low,
    close of one that fell. The bar's volume is dealt out to them evenly.
    """
    order = np.lexsort((bars["ts"], bars["instrument"]))
    bars = {name: values[order] for name, values in bars.items()}
    count = len(bars["ts"])
    rose = bars["close"] >= bars["open"]
    second = np.where(rose, bars["low"], bars["high"])
    third = np.where(rose, bars["high"], bars["low"])
    prices = np.column_stack([bars["open"], second, third, bars["close"]])
    offsets = np.arange(TICKS_OF_A_BAR) * step_ns // TICKS_OF_A_BAR
    ticks = {
        "ts": (bars["ts"][:, None] + offsets).ravel(),
        "instrument": np.repeat(bars["instrument"], TICKS_OF_A_BAR),
        "ltp": prices.ravel(),
    }
    if "volume" in bars:
        traded = np.maximum(bars["volume"], 0)
        parts = np.repeat(traded[:, None] // TICKS_OF_A_BAR, TICKS_OF_A_BAR, axis=1)
        parts[:, -1] += traded % TICKS_OF_A_BAR
        ltq = parts.ravel()
        day = (np.repeat(bars["ts"], TICKS_OF_A_BAR) + IST_OFFSET_NS) // NS_PER_DAY
        begins = np.ones(count * TICKS_OF_A_BAR, dtype=np.bool_)
        begins[1:] = (np.diff(day) != 0) | (np.diff(ticks["instrument"]) != 0)
        running = np.cumsum(ltq)
        first_at = np.maximum.accumulate(np.where(begins, np.arange(len(ltq)), 0))
        ticks["ltq"] = ltq
        ticks["volume"] = running - (running - ltq)[first_at]
    if "open_interest" in bars:
        ticks["open_interest"] = np.repeat(bars["open_interest"], TICKS_OF_A_BAR)
    return ticks


def _in_order(columns: dict[str, Any]) -> Batch:
    order = np.argsort(columns["ts"], kind="stable")
    figures = {name: values[order] for name, values in columns.items()}
    return Batch(figures.pop("ts"), figures.pop("instrument"), figures)


def _write(batch: Batch, identities: Identities, path: Path, origin: dict[str, Any]) -> None:
    instruments = list(identities.instruments.values())
    footer = {
        "source": "converted",
        **origin,
        "software": f"odin-streamer {version('odin-streamer')}",
        "zone": "Asia/Kolkata",
        "rows": len(batch.ts),
        "first": ist_rfc3339(int(batch.ts[0])),
        "last": ist_rfc3339(int(batch.ts[-1])),
        "content_sha256": content_hash([each.key for each in instruments], [batch]),
    }
    exchanges = np.array([each.exchange == "BSE" for each in instruments], dtype=np.int8)
    tokens = np.array([each.token for each in instruments], dtype=np.int32)
    names = [each.symbol for each in instruments]
    columns: dict[str, Any] = {
        "ts": pa.array(batch.ts, pa.timestamp("ns", "Asia/Kolkata")),
        "symbol": pa.DictionaryArray.from_arrays(batch.instrument, names),
        "token": pa.array(tokens[batch.instrument]),
        "exchange": pa.DictionaryArray.from_arrays(exchanges[batch.instrument], ["NSE", "BSE"]),
    }
    for name, values in batch.figures.items():
        is_price = BY_NAME[name].kind is not Kind.QUANTITY
        columns[name] = pa.array(values / 100 if is_price else values, mask=values == UNTOLD)
    table = pa.table(columns)
    schema = table.schema.with_metadata({METADATA_KEY: msgspec.json.encode(footer)})
    part = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with RecordingWriter(part, schema, compression="zstd") as writer:
            for at in range(0, len(table), ROW_GROUP_ROWS):
                writer.write(table.slice(at, ROW_GROUP_ROWS))
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
