"""DAT: what the figures of a quote mean, and which times it tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from conformance.case import Need, Profile, case
from conformance.expect import (
    Inconclusive,
    expect_equal,
    expect_in,
    expect_matches,
    expect_that,
    expect_type,
)
from conformance.peer import Message, Peer
from conformance.questions import stock_of, subscribed
from conformance.tape import HIGH_BROKEN, HIGH_TOUCHED, LOW_BROKEN, SPARSE, Row, Stock, moment
from conformance.world import World

_BOTH = (Need.FEED, Need.CLOCK)
_SLACK_MS: Final = 1000
"""Times of the feed are told in whole seconds."""


@case(
    "DAT-500",
    title="Prices are rupees, exact to the paisa",
    rules=("M-1", "G-DATA", "G-FIELDS"),
    needs=_BOTH,
    explain="ltp, open, high and low of ten stocks over three seconds, held against what the feed"
    " said. The wire tells paise; servers forget to divide, divide by the wrong power of ten, or"
    " go through single precision and tell 1371.800048828125.",
)
async def prices(world: World) -> None:
    """Compare every price with the tape's."""
    for row, data in await _ticks(world, *world.stocks):
        for name in ("ltp", "open", "high", "low"):
            expect_equal(data.get(name), getattr(row, name) / 100, of=_place(name, row))


@case(
    "DAT-510",
    title="volume is the day's volume so far",
    rules=("M-1", "G-FIELDS"),
    needs=_BOTH,
    explain="volume grows with the day. Servers mix it up with the last trade's quantity, or sum up"
    " quantities themselves and lose those that they did not see.",
)
async def volume(world: World) -> None:
    """Look the volumes up on the tape."""
    for stock in world.stocks[:3]:
        ticks = await _ticks(world, stock, go_back=True)
        known = {row.volume for row in world.feed.rows(stock, "11:00:00", "11:00:03")}
        for _, data in ticks:
            expect_type(data.get("volume"), "an integer", of=f"volume of {stock.symbol}")
            expect_in(data.get("volume"), known, of=f"volume of {stock.symbol}")


@case(
    "DAT-520",
    title="day_high and day_low repeat high and low",
    rules=("M-6", "G-FIELDS"),
    needs=_BOTH,
    explain="The guide has the day's range twice, and clients read either. Servers that work the"
    " second one out by themselves begin it when they start, or tell the last price.",
)
async def day_range(world: World) -> None:
    """Compare both with the tape's."""
    for row, data in await _ticks(world, *world.stocks[:3]):
        expect_equal(data.get("day_high"), row.high / 100, of=_place("day_high", row))
        expect_equal(data.get("day_low"), row.low / 100, of=_place("day_low", row))


@case(
    "DAT-530",
    title="close and prev_close are the previous session's close",
    rules=("M-6", "G-FIELDS"),
    needs=_BOTH,
    explain="The guide calls close the previous close. Servers put the last price there, because"
    " that is what close means in a finished candle.",
)
async def previous_close(world: World) -> None:
    """Compare both with the tape's."""
    for row, data in await _ticks(world, *world.stocks[:3]):
        for name in ("close", "prev_close"):
            expect_equal(data.get(name), row.prev_close / 100, of=_place(name, row))


@case(
    "DAT-540",
    title="percent_change counts from the previous close, unrounded",
    rules=("M-6", "G-FIELDS"),
    needs=_BOTH,
    explain="(ltp - prev_close) / prev_close x 100, as in the guide's example with its sixteen"
    " digits; how many of them are shown is the client's affair. Servers count from the day's open,"
    " or round to two places, which makes small changes vanish.",
)
async def percent_change(world: World) -> None:
    """Work it out from the tape."""
    for row, data in await _ticks(world, *world.stocks):
        found = data.get("percent_change")
        wanted = (row.ltp - row.prev_close) / row.prev_close * 100
        expect_that(
            isinstance(found, int | float) and abs(found - wanted) < 1e-9,
            f"{_place('percent_change', row)} {wanted!r}",
            found,
        )


@case(
    "DAT-550",
    title="An unknown previous close is null, and percent_change is 0 then",
    rules=("M-1", "M-6", "M-9"),
    profile=Profile.FULL,
    needs=_BOTH,
    at="11:00:20",
    explain="On its first day a stock has no previous close; the feed tells 0. A server that passes"
    " 0 on, or fills in the open, shows a change that nobody has made; one that divides by 0 sends"
    " no JSON. percent_change stays a number, because the guide's clients call toFixed on it.",
)
async def unknown_close(world: World) -> None:
    """Look at a stock of which the feed knows no previous close."""
    for row, data in await _ticks(world, SPARSE, until="11:00:23"):
        for name in ("close", "prev_close"):
            expect_equal(data.get(name, ""), None, of=_place(name, row))
        expect_equal(data.get("percent_change"), 0, of=_place("percent_change", row))


@case(
    "DAT-560",
    title="An unknown 52-week range is null",
    rules=("M-1", "M-9"),
    profile=Profile.FULL,
    needs=_BOTH,
    at="11:00:20",
    explain="The feed tells 0 for what it does not know. A 52-week low of 0 rupees is nonsense, and"
    " with a high of 0 every price would be a new one.",
)
async def unknown_range(world: World) -> None:
    """Look at a stock of which the feed knows no 52-week range."""
    names = ("week_52_high", "week_52_low", "week_52_high_date", "week_52_low_date")
    for row, data in await _ticks(world, SPARSE, until="11:00:23"):
        for name in names:
            expect_equal(data.get(name, ""), None, of=_place(name, row))
        for name in ("is_new_week_52_high", "is_new_week_52_low"):
            expect_equal(data.get(name), False, of=_place(name, row))


@case(
    "DAT-570",
    title="avg_volume_5d is an average of days or null, and not the day's volume",
    rules=("M-1",),
    profile=Profile.FULL,
    needs=_BOTH,
    explain="The average of the last five days does not change from tick to tick. Servers without"
    " the days' figures fill in today's volume, and a client that compares the two finds every"
    " stock on its average.",
)
async def average_volume(world: World) -> None:
    """See whether it follows the volume."""
    ticks = await _ticks(world, world.stocks[0])
    for row, data in ticks:
        expect_type(data.get("avg_volume_5d"), "a number or null", of=_place("avg_volume_5d", row))
    same = [row for row, data in ticks if data.get("avg_volume_5d") == row.volume]
    expect_that(len(same) < len(ticks), "an average that is not each tick's volume", "just that")


@case(
    "DAT-600",
    title="Within its 52-week range a stock has the feed's figures, and no flag is set",
    rules=("M-7", "G-FIELDS"),
    needs=_BOTH,
    explain="week_52_high and week_52_low are of 52 weeks, not of the day. Servers that begin them"
    " when they start set the flags at each new high of the day.",
)
async def within_range(world: World) -> None:
    """Compare the range with the tape's."""
    for row, data in await _ticks(world, *world.stocks[:3]):
        for name in ("week_52_high", "week_52_low"):
            expect_equal(data.get(name), getattr(row, name) / 100, of=_place(name, row))
        for name in ("is_new_week_52_high", "is_new_week_52_low"):
            expect_equal(data.get(name), False, of=_place(name, row))


@case(
    "DAT-610",
    title="A new 52-week high is flagged from the tick that makes it until the session ends",
    rules=("M-7",),
    profile=Profile.FULL,
    needs=_BOTH,
    at="11:00:28",
    explain="The flag is true from the tick that goes beyond the stored high on, also when the"
    " price has fallen back: a client that connects later has to see it. Servers compare with a"
    " figure that the tick itself has just raised, and flag one tick or none.",
)
async def new_high(world: World) -> None:
    """Play into the new high, and on until the price is back in its range."""
    await _expect_flag(world, HIGH_BROKEN, "is_new_week_52_high")


@case(
    "DAT-620",
    title="A new 52-week low is flagged from the tick that makes it until the session ends",
    rules=("M-7",),
    profile=Profile.FULL,
    needs=_BOTH,
    at="11:00:28",
    explain="As for the high. Servers that were tried on a rising market alone have it the wrong"
    " way round, or take an unknown low, 0, for one that nothing goes below.",
)
async def new_low(world: World) -> None:
    """Play into the new low, and on until the price is back in its range."""
    await _expect_flag(world, LOW_BROKEN, "is_new_week_52_low")


@case(
    "DAT-630",
    title="A new extreme is told at once, with today's date",
    rules=("M-7",),
    profile=Profile.FULL,
    needs=_BOTH,
    at="11:00:28",
    explain="While the flag is set week_52_high (low) is the day's high (low), and its date is"
    " today's. The feed goes on telling yesterday's figure, and servers pass that on beside the"
    " flag.",
)
async def new_extreme_told(world: World) -> None:
    """Compare figure and date after both extremes were broken."""
    for (symbol, since), side in ((HIGH_BROKEN, "high"), (LOW_BROKEN, "low")):
        stock = stock_of(world, symbol)
        for row, data in await _ticks(world, stock, until="11:00:34", go_back=True):
            if row.clock < since:
                continue
            wanted = getattr(row, side) / 100
            expect_equal(data.get(f"week_52_{side}"), wanted, of=_place(f"week_52_{side}", row))
            name = f"week_52_{side}_date"
            expect_equal(data.get(name), "2025-09-04", of=_place(name, row))


@case(
    "DAT-640",
    title="A price equal to the 52-week high is no new high",
    rules=("M-7",),
    profile=Profile.FULL,
    needs=_BOTH,
    at="11:00:38",
    explain="New is what goes strictly beyond. A server that compares with 'at least' flags each"
    " stock that comes back to its high, and every stock whose range is one price.",
)
async def equal_high(world: World) -> None:
    """Play over a tick at the 52-week high."""
    symbol, since = HIGH_TOUCHED
    ticks = await _ticks(world, stock_of(world, symbol), until="11:00:43")
    expect_that(
        any(row.clock >= since and row.ltp == row.week_52_high for row, _ in ticks),
        "the tick at the 52-week high",
        "others",
    )
    for row, data in ticks:
        name = "is_new_week_52_high"
        expect_equal(data.get(name), False, of=_place(name, row))


@case(
    "DAT-650",
    title="The next day compares with that day's range, the new high included",
    rules=("M-7",),
    profile=Profile.FULL,
    needs=_BOTH,
    at="11:00:35",
    explain="The flags end with the session, and the new high is the one to beat from then on. A"
    " server that goes on comparing with the figure it stored first flags a price that came near"
    " yesterday's high and did not reach it.",
)
async def next_day(world: World) -> None:
    """Go to the next day, on which the price nears the new high."""
    stock = stock_of(world, HIGH_BROKEN[0])
    peer = await world.connect()
    await subscribed(peer, stock.symbol)
    await world.until("11:00:37")
    await world.to("11:00:28", day="2025-09-05")
    await world.settle(peer)
    mark = peer.mark()
    await world.until("11:00:34")
    await world.settle(peer)
    rows = world.feed.rows(stock, "11:00:28", "11:00:34")
    for row, data in _matched(peer, stock, rows, since=mark):
        name = "is_new_week_52_high"
        expect_equal(data.get(name), False, of=_place(name, row))
        expect_equal(
            data.get("week_52_high"), row.week_52_high / 100, of=_place("52-week high", row)
        )


@case(
    "DAT-700",
    title="data.timestamp is the exchange's time of the update",
    rules=("M-8",),
    profile=Profile.FULL,
    needs=_BOTH,
    at="10:31:00",
    explain="A quote that comes by itself two minutes after its last trade says so by its time"
    " stamp. Servers put the time of sending there, and a price from before lunch looks fresh.",
)
async def exchange_time(world: World) -> None:
    """Let the state of a stock come again some time after its last tick."""
    stock = world.stocks[0]
    peer = await world.connect()
    await subscribed(peer, stock.symbol)
    await world.to("10:32:00")
    await world.settle(peer)
    row = world.feed.tick_of(stock)
    came = peer.data(stock.symbol)
    expect_that(came, f"the state of {stock.symbol}", "nothing")
    told = _data(came[-1]).get("timestamp")
    expect_type(told, "an integer", of="data.timestamp")
    assert isinstance(told, int)
    wanted = row.ts // 1_000_000
    expect_that(
        abs(told - wanted) <= _SLACK_MS,
        f"data.timestamp {wanted} ({row.clock}) to a second",
        f"{told} ({moment(told * 1_000_000):%H:%M:%S})",
    )


@case(
    "DAT-710",
    title="last_updated is a time of India, written as in RFC 3339",
    rules=("M-8", "H-4", "G-IST", "G-DATA"),
    needs=_BOTH,
    explain="2025-09-04T13:09:51.651469068+05:30, as in the guide. Servers write the time of their"
    " host, or UTC with a Z; a client that cuts out the time of day is then hours off.",
)
async def last_updated(world: World) -> None:
    """Look at its form and at its hour."""
    pattern = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+05:30"
    for _, data in await _ticks(world, world.stocks[0]):
        told = data.get("last_updated")
        like = "2025-09-04T13:09:51.651469068+05:30"
        expect_matches(told, pattern, of="last_updated", like=like)


@case(
    "DAT-720",
    title="last_updated has nine decimals",
    rules=("M-8",),
    profile=Profile.FULL,
    needs=_BOTH,
    explain="A text of fixed width sorts as time does. Servers cut off the zeroes at its end.",
)
async def nine_decimals(world: World) -> None:
    """Count them."""
    for _, data in await _ticks(world, world.stocks[0]):
        told = str(data.get("last_updated"))
        _, _, fraction = told.removesuffix("+05:30").partition(".")
        expect_equal(len(fraction), 9, of=f"number of decimals of last_updated {told}:")


@case(
    "DAT-730",
    title="last_updated and the envelope's timestamp are by the server's clock, the feed's in a"
    " replay",
    rules=("M-8",),
    profile=Profile.FULL,
    needs=_BOTH,
    explain="In a replay of last September nothing is of today, or a client that works out how old"
    " a quote is finds all of them a year old. One forgotten call of now() is enough.",
)
async def servers_clock(world: World) -> None:
    """Compare both with the market's time, where the server follows the feed's."""
    stock = world.stocks[0]
    peer = await world.connect()
    await subscribed(peer, stock.symbol)
    await world.settle(peer)
    mark, began = peer.mark(), world.now
    await world.until("11:00:03")
    await world.settle(peer)
    for message in _some(peer, stock, since=mark):
        written = str(_data(message).get("last_updated"))
        stamp = message.get("timestamp")
        expect_type(stamp, "an integer", of="timestamp")
        assert isinstance(stamp, int)
        if not world.exact:
            expect_equal(written[:10], f"{moment(began):%Y-%m-%d}", of="date of last_updated")
            continue
        first, last = began // 1_000_000, world.now // 1_000_000
        expect_that(first <= stamp <= last, f"timestamp from {first} to {last}", stamp)
        texts = [f"{moment(ts):%Y-%m-%dT%H:%M:%S}" for ts in (began, world.now)]
        expect_that(
            texts[0] <= written[:19] <= texts[1], f"last_updated from {' to '.join(texts)}", written
        )


async def _expect_flag(world: World, broken: tuple[str, str], name: str) -> None:
    symbol, since = broken
    stock = stock_of(world, symbol)
    peer = await world.connect()
    await subscribed(peer, stock.symbol)
    await world.settle(peer)
    mark = peer.mark()
    await world.until("11:00:36")
    await world.until("11:10:02")
    await world.settle(peer)
    rows = world.feed.rows(stock, "11:00:28", "11:10:02")
    seen = set()
    for row, data in _matched(peer, stock, rows, since=mark):
        expect_equal(data.get(name), row.clock >= since, of=_place(name, row))
        seen.add((row.clock >= since, row.clock >= "11:10:00"))
    expect_equal(len(seen), 3, of="number of: ticks before, in and after the new extreme, seen:")


async def _ticks(
    world: World, *stocks: Stock, until: str = "11:00:03", go_back: bool = False
) -> list[tuple[Row, Mapping[str, Any]]]:
    """
    Subscribe stocks, play from the case's time on, and return each tick's row and ``data``.

    Args:
        world: The case's.
        stocks: Which.
        until: How far to play.
        go_back: Whether to begin at the case's time again.

    """
    if go_back and f"{moment(world.now):%H:%M:%S}" != world.case.at:
        await world.to(world.case.at)
    peer = await world.connect()
    told = await subscribed(peer, *(stock.symbol for stock in stocks))
    if SPARSE in stocks and told.get("failed_stocks"):
        raise Inconclusive(f"the server does not know {SPARSE.symbol}")
    await world.settle(peer)
    mark = peer.mark()
    await world.until(until)
    await world.settle(peer)
    return [
        pair
        for stock in stocks
        for pair in _matched(peer, stock, world.feed.rows(stock, world.case.at, until), since=mark)
    ]


def _matched(
    peer: Peer, stock: Stock, rows: list[Row], *, since: int
) -> list[tuple[Row, Mapping[str, Any]]]:
    """
    Return the row of each tick of a stock.

    Ticks are known by their volume, be it a number or a text; one without a
    known volume by its place from the end: whether all come, and in which
    order, is another case's question.
    """
    known = {str(row.volume): row for row in rows}
    came = _some(peer, stock, since=since)[-len(rows) :]
    told = [_data(message) for message in came]
    return [
        (known.get(str(data.get("volume")), row), data)
        for row, data in zip(rows[-len(came) :], told, strict=True)
    ]


def _some(peer: Peer, stock: Stock, *, since: int) -> list[Message]:
    came = peer.data(stock.symbol, since=since)
    expect_that(came, f"ticks of {stock.symbol}", "none")
    return came


def _data(message: Message) -> Mapping[str, Any]:
    data = message.get("data")
    expect_type(data, "an object", of="data of market_data")
    assert isinstance(data, dict)
    return data


def _place(name: str, row: Row) -> str:
    return f"{name} of {row.stock.symbol} at {row.clock}"
