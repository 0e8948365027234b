"""
The instruments of the NSE and BSE cash markets: who is meant by a client's words.

An instrument's identity is (market segment, token), never the bare token: the
same number may mean different things on two exchanges. An
:class:`InstrumentTable` answers which instrument a symbol, a token or an alias
means (rules R-2, R-3, R-9); it is a value, built once and never changed.
Reading tables from files is `streamer.instrument_files`; prices are none of
this module's business, save the step in which they move (:func:`tick_size`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Literal

import msgspec

from streamer.odin.tags import BSE_CASH, NSE_CASH, InstrumentKey

Exchange = Literal["NSE", "BSE"]
Kind = Literal["equity", "index"]

SEGMENTS: dict[Exchange, int] = {"NSE": NSE_CASH, "BSE": BSE_CASH}

MAX_STOCK_LENGTH = 64
"""Longer texts name no instrument, whatever they consist of."""

MAX_SYMBOL_LENGTH = 48
"""A symbol leaves room for exchange and series; the exchanges' longest have about 20 letters."""

# Where one symbol has several series, a bare symbol means the normal market
# (EQ), else trade-to-trade (BE), and so on; any other series comes last.
_SERIES_ORDER = ("EQ", "BE", "BZ", "SM", "ST")
_SERIES_RANK = {series: -rank for rank, series in enumerate(_SERIES_ORDER)}


class Instrument(msgspec.Struct, frozen=True):
    """
    One listed security or index.

    Args:
        segment: The feed's market segment: 1 for NSE's cash market, 3 for BSE's.
        token: The exchange's number for it; BSE calls it the scrip code.
        symbol: As the exchange writes it: ``SBIN``, ``M&M``, ``NIFTY 50``.
        exchange: ``NSE`` or ``BSE``.
        series: NSE's series (``EQ``, ``BE``, ...) or BSE's group (``A``, ``B``,
            ...); ``INDEX`` for an index.
        name: The company's or the index's full name; empty when not known.
        isin: Empty when not known.
        lot: Smallest quantity that trades.
        tick: Smallest step of the price in paise; 0 when the rule of the date
            applies (:func:`tick_size`).
        kind: An index has no volume and no order book.

    """

    segment: int
    token: int
    symbol: str
    exchange: Exchange
    series: str
    name: str = ""
    isin: str = ""
    lot: int = 1
    tick: int = 0
    kind: Kind = "equity"

    @property
    def key(self) -> InstrumentKey:
        """The identity: (market segment, token)."""
        return (self.segment, self.token)

    @property
    def label(self) -> str:
        """How replies name it when it was asked for by token or with its exchange (rule S-1)."""
        return f"{self.symbol} ({self.exchange})"


class Meaning(msgspec.Struct, frozen=True, gc=False):
    """
    What a word for a stock means.

    Args:
        instrument: Which it is.
        key: The instrument's identity: the same object for all of its words, so that who
            subscribes it need not keep one of its own.
        name: How replies name it when it was asked for by that word (rule S-1).

    """

    instrument: Instrument
    key: InstrumentKey
    name: str


class Alias(msgspec.Struct, frozen=True):
    """
    Another word for an instrument: a wrong token in wide use, or a customary name.

    ``alias`` and ``stands_for`` are symbols or tokens of ``exchange``, as text;
    ``source`` says where the alias comes from.
    """

    exchange: Exchange
    alias: str
    stands_for: str
    source: str = ""


class InstrumentTable:
    """
    All the instruments that a server knows, and the words that mean them.

    Args:
        instruments: In the order in which the table is iterated. Of two rows
            with the same segment and token the later replaces the earlier, in
            the earlier's place; of two with the same exchange and symbol the
            bare symbol means the series that comes first in EQ, BE, BZ, SM,
            ST, any other, and among equals the later row.
        aliases: Each gives way to a real instrument of its name or number.

    """

    __slots__ = ("_by_key", "_by_text", "aliases", "shadowed_aliases")

    def __init__(self, instruments: Iterable[Instrument], aliases: Iterable[Alias] = ()) -> None:
        self.aliases = tuple(aliases)
        """Every alias that the table was given."""
        self._by_key: dict[InstrumentKey, Meaning] = {}
        """Each as its bare symbol means it."""
        for instrument in instruments:
            key = instrument.key
            self._by_key[key] = Meaning(instrument, key, instrument.symbol)
        # One dictionary for every spelling, so that a symbol is found as fast as a token.
        self._by_text = _index(self._by_key.values())
        meant, shadowed = _read_aliases(self.aliases, self._by_text)
        self._by_text |= meant
        self.shadowed_aliases = tuple(shadowed)
        """The aliases that gave way to a real instrument (rule R-3): the server warns of each."""

    @classmethod
    def bundled(cls) -> InstrumentTable:
        """Return the table that comes with the server: the NIFTY 50 on both exchanges, indices."""
        # Not at the top of the file: the loader is built upon this module.
        from streamer.instrument_files import bundled_aliases, bundled_instruments

        return cls(bundled_instruments(), bundled_aliases())

    def with_instruments(self, more: Iterable[Instrument]) -> InstrumentTable:
        """Return a table of this one's instruments and aliases and of ``more``, which wins."""
        return InstrumentTable((*self, *more), self.aliases)

    def resolve(self, stock: str) -> Instrument | None:
        """
        Return the instrument that ``stock`` means; None if it means none.

        ``stock`` is a symbol, a token, or either with its exchange before or
        behind a colon; a symbol may carry its series (``SBIN-EQ``). Letters of
        either case are the same, blanks around it are cut (rule R-2). Without
        an exchange NSE goes first, then BSE. Any text is allowed and none
        raises.
        """
        try:
            return self._by_text[stock].instrument
        except KeyError:
            found = self._by_text.get(_normalised(stock))
            return None if found is None else found.instrument

    def mean(self, stock: str) -> Meaning | None:
        """Return what ``stock`` means, as :meth:`resolve` does, with the name that replies use."""
        return self._by_text.get(stock) or self._by_text.get(_normalised(stock))

    def mean_as_spelt(self, stocks: Sequence[object]) -> list[Meaning | None]:
        """
        Return what each of ``stocks`` means, of any types, thousands at a time.

        None stands for what is no text, means nothing, or is not spelt as the
        exchange spells it; :meth:`mean` says which.
        """
        try:
            return list(map(self._by_text.get, stocks))  # type: ignore[arg-type]
        except TypeError:
            # A list or an object among them, which no dictionary can have.
            return [self._by_text.get(each) if type(each) is str else None for each in stocks]

    def get(self, key: InstrumentKey) -> Instrument | None:
        """Return the instrument of this segment and token; None if there is none."""
        found = self._by_key.get(key)
        return None if found is None else found.instrument

    def get_all(self, keys: Iterable[InstrumentKey]) -> list[Instrument]:
        """Return the instruments of these identities, without those that are not listed."""
        return [each.instrument for each in map(self._by_key.get, keys) if each is not None]

    def listed(self, keys: Iterable[InstrumentKey]) -> tuple[InstrumentKey, ...]:
        """Return those of ``keys`` that are listed, each once and as the table's own object."""
        return tuple({each.key: None for each in map(self._by_key.get, keys) if each is not None})

    def __iter__(self) -> Iterator[Instrument]:
        return (each.instrument for each in self._by_key.values())

    def __len__(self) -> int:
        return len(self._by_key)


def _index(meanings: Iterable[Meaning]) -> dict[str, Meaning]:
    """Return what each spelling means, the spellings in capitals and without spare blanks."""
    least_preferred_first = [(each, _labelled(each)) for each in sorted(meanings, key=_preference)]
    texts: dict[str, Meaning] = {}
    # What is written later wins. A number is a token before it is a symbol, and
    # a whole symbol goes before a symbol with its series: BAJAJ-AUTO is no
    # BAJAJ of series AUTO.
    for spell in (_with_series, _with_symbol, _with_token):
        for bare, labelled in least_preferred_first:
            text = spell(bare.instrument)
            texts[text] = labelled if text.isdigit() else bare
            texts[f"{bare.instrument.exchange}:{text}"] = labelled
    return texts


def _labelled(meaning: Meaning) -> Meaning:
    """Return what an instrument's words mean that are a number or have an exchange."""
    return Meaning(meaning.instrument, meaning.key, meaning.instrument.label)


def _read_aliases(
    aliases: Iterable[Alias], real: Mapping[str, Meaning]
) -> tuple[dict[str, Meaning], list[Alias]]:
    """Return what the aliases mean beside the ``real`` spellings, and those that gave way."""
    meant: dict[str, Meaning] = {}
    shadowed = []
    for alias in sorted(aliases, key=lambda alias: alias.exchange != "NSE"):
        target = real.get(f"{alias.exchange}:{alias.stands_for.upper()}")
        if target is None:
            continue
        word = alias.alias.upper()
        spellings = (word, f"{alias.exchange}:{word}")
        if any(real.get(spelling, target).key != target.key for spelling in spellings):
            shadowed.append(alias)
            continue
        bare = Meaning(target.instrument, target.key, target.instrument.symbol)
        for spelling, meaning in zip(
            spellings, (target if word.isdigit() else bare, target), strict=True
        ):
            meant.setdefault(spelling, meaning)
    return meant, shadowed


def _preference(meaning: Meaning) -> tuple[bool, int]:
    """Return a key that sorts the instrument meant by a bare symbol or token to the end."""
    instrument = meaning.instrument
    rank = _SERIES_RANK.get(instrument.series, -len(_SERIES_ORDER))
    return (instrument.exchange == "NSE", rank)


def _with_token(instrument: Instrument) -> str:
    return str(instrument.token)


def _with_symbol(instrument: Instrument) -> str:
    return instrument.symbol.upper()


def _with_series(instrument: Instrument) -> str:
    suffix = f"-{instrument.series}" if instrument.series else ""
    return f"{instrument.symbol}{suffix}".upper()


def _normalised(stock: str) -> str:
    """Return ``stock`` in the one spelling that the table keeps; empty if it can mean nothing."""
    # Capitals of letters outside ASCII may be letters inside it ("ſbin" is no SBIN).
    if len(stock) > MAX_STOCK_LENGTH or not stock.strip().isascii():
        return ""
    words = " ".join(stock.upper().split())
    left, colon, right = (part.strip() for part in words.partition(":"))
    if not colon:
        return words
    # NSE:BSE is the share of BSE Limited on NSE: the front is looked at first.
    if left not in SEGMENTS and right in SEGMENTS:
        left, right = right, left
    return f"{left}:{right}"


class TickRule(msgspec.Struct, frozen=True):
    """
    The steps in which an exchange's prices move, from ``start`` until its next rule.

    ``steps`` are pairs (lowest price, step) in paise, by rising price; the
    price is the close of the last trading day of the previous month, and the
    step holds for the month.
    """

    exchange: Exchange
    start: date
    steps: tuple[tuple[int, int], ...]
    source: str


# By exchange and rising start. ETFs keep 0.01 throughout: their rows carry a tick.
TICK_RULES = (
    TickRule(
        "NSE", date.min, ((0, 5),), "press on the NSE circular of 2024-05-24: 0.05 until then"
    ),
    TickRule(
        "NSE",
        date(2024, 6, 10),
        ((0, 1), (250_00, 5)),
        "NSE circular of 2024-05-24, in the press of 2024-05-27",
    ),
    TickRule(
        "NSE",
        date(2025, 4, 15),
        ((0, 1), (250_00, 5), (1_000_01, 10), (5_000_01, 50), (10_000_01, 100), (20_000_01, 500)),
        "NSE circular on tick sizes in force since 2025-04-15, in the press and brokers' notes",
    ),
    TickRule(
        "BSE",
        date.min,
        ((0, 1), (15_00, 5)),
        "press of 2024-05: 0.05 above Rs 15 until March 2023",
    ),
    TickRule(
        "BSE",
        date(2023, 3, 1),
        ((0, 1), (100_00, 5)),
        "press of 2024-05: 0.01 below Rs 100 since March 2023; the day is taken to be the first",
    ),
)


def tick_rule(exchange: Exchange, on: date) -> TickRule:
    """Return the rule by which an exchange's prices move on a day."""
    return max(
        (rule for rule in TICK_RULES if rule.exchange == exchange and rule.start <= on),
        key=lambda rule: rule.start,
    )


def tick_size(instrument: Instrument, on: date, month_end_close: int) -> int:
    """
    Return the smallest step of the instrument's price on a day, in paise.

    The instrument's own tick wins over the rule of the date. Closing prices and
    averages are rounded to the paisa, not to this step, and after a split the
    step lags until the month ends: an odd price deserves a warning at most.

    Args:
        instrument: An index moves by the paisa.
        on: The trading day.
        month_end_close: The official close of the last trading day of the month
            before ``on``, in paise; 0, if not known, gives the finest step.

    """
    if instrument.tick:
        return instrument.tick
    if instrument.kind == "index":
        return 1
    rule = tick_rule(instrument.exchange, on)
    return max(step for step in rule.steps if step[0] <= month_end_close)[1]
