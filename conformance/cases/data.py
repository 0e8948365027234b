"""DAT: whom data comes to, in what order, and when a known quote comes again."""

from __future__ import annotations

from conformance.case import Need, Profile, case
from conformance.expect import (
    Inconclusive,
    expect_data_shape,
    expect_equal,
    expect_none_of,
    expect_order,
    expect_that,
    expect_type,
)
from conformance.peer import Message, Peer
from conformance.questions import stock_of, subscribed, unsubscribed
from conformance.tape import SPARSE, SPARSE_DAYS, Row, Stock
from conformance.world import World

_BOTH = (Need.FEED, Need.CLOCK)


@case(
    "DAT-010",
    title="A market_data message looks as in the guide",
    rules=("M-1", "G-DATA"),
    needs=_BOTH,
    explain="Envelope and data have the fields of the guide's example, in its order and with its"
    " types: token is a string, volume an integer, flags are booleans. Whoever reads the message"
    " by a schema or by position stumbles over each deviation.",
)
async def shape(world: World) -> None:
    """Look at one tick."""
    stock = world.stocks[0]
    peer = await world.connect()
    await subscribed(peer, stock.symbol)
    await world.until("11:00:02")
    await world.settle(peer)
    came = peer.data(stock.symbol)
    expect_that(came, f"a tick of {stock.symbol}", "none")
    expect_data_shape(came[-1])


@case(
    "DAT-020",
    title="seq is an integer behind the envelope's timestamp",
    rules=("M-1", "M-3"),
    profile=Profile.FULL,
    needs=_BOTH,
    explain="What our rules add to the guide's message stands behind it, so that whoever reads the"
    " guide's fields by position reads on as before.",
)
async def seq_stands_last(world: World) -> None:
    """Look at one tick's envelope."""
    stock = world.stocks[0]
    peer = await world.connect()
    await subscribed(peer, stock.symbol)
    await world.until("11:00:02")
    await world.settle(peer)
    for message in _some(peer, stock):
        expect_type(message.get("seq"), "an integer", of="seq")
        keys = ("type", "symbol", "token", "exchange", "data", "timestamp", "seq")
        expect_order(message, keys, of="market_data")


@case(
    "DAT-100",
    title="Each client gets the data of its own stocks and of no others",
    rules=("M-2", "P-4", "G-SUBSCRIBED"),
    needs=_BOTH,
    explain="Two clients, two stocks each, one of them in common. A server that sends every tick to"
    " everybody floods its clients, and tells each what the others watch.",
)
async def own_stocks(world: World) -> None:
    """Play with two clients whose lists overlap."""
    stocks = world.stocks[:3]
    peers = [await world.connect(), await world.connect()]
    for peer, wanted in zip(peers, (stocks[:2], stocks[1:]), strict=True):
        await subscribed(peer, *(stock.symbol for stock in wanted))
    await world.until("11:00:03")
    await world.settle()
    for peer, wanted in zip(peers, (stocks[:2], stocks[1:]), strict=True):
        found = sorted({str(message.get("symbol")) for message in peer.data()})
        expect_equal(found, sorted(stock.symbol for stock in wanted), of="stocks with data")


@case(
    "DAT-110",
    title="A client that subscribes nothing gets no data",
    rules=("M-2", "G-SUBSCRIBED"),
    needs=_BOTH,
    explain="Data begins with a subscription. A server that starts a newcomer with everything, or"
    " with what others watch, swamps clients that only want to ask something.",
)
async def nothing_subscribed(world: World) -> None:
    """Play while another client has a subscription."""
    silent, other = await world.connect(), await world.connect()
    await subscribed(other, world.stocks[0].symbol)
    await world.until("11:00:03")
    await world.settle()
    _some(other, world.stocks[0])
    expect_none_of(silent.data(), "market_data without a subscription")


@case(
    "DAT-120",
    title="From the reply to an unsubscribe on nothing of that stock comes, and the others go on",
    rules=("M-2", "G-UNSUBSCRIBE", "G-SUBSCRIBED"),
    needs=_BOTH,
    explain="An unsubscribe is carried out when it is answered. Ticks that were queued before it,"
    " or a feed that is told late, bring data of a stock that the page has taken away.",
)
async def until_unsubscribed(world: World) -> None:
    """Unsubscribe one of two stocks between ticks."""
    gone, kept = world.stocks[:2]
    peer = await world.connect()
    await subscribed(peer, gone.symbol, kept.symbol)
    await world.until("11:00:02")
    await unsubscribed(peer, gone.symbol)
    mark = peer.received.index(_replies(peer)[-1])
    await world.until("11:00:05")
    await world.settle(peer)
    expect_none_of(peer.data(gone.symbol, since=mark), f"data of {gone.symbol} afterwards")
    _some(peer, kept, since=mark)


@case(
    "DAT-130",
    title="A stock's first data follows the reply to its subscribe",
    rules=("M-2",),
    profile=Profile.FULL,
    needs=_BOTH,
    explain="A client prepares a row of its table when the reply comes. Data before it belongs to"
    " nothing that the client knows of yet, and is thrown away.",
)
async def reply_first(world: World) -> None:
    """Subscribe stocks whose quotes the server has."""
    peer = await world.connect()
    await subscribed(peer, *(stock.symbol for stock in world.stocks[:3]))
    await world.until("11:00:02")
    await world.settle(peer)
    kinds = [message.type for message in peer.messages("subscription_response", "market_data")]
    expect_equal(kinds[:1], ["subscription_response"], of="what comes first")


@case(
    "DAT-140",
    title="Two clients of a stock get the same data",
    rules=("M-1", "M-2", "G-DATA"),
    needs=_BOTH,
    explain="What is told of a stock depends on the stock alone. Servers that take turns, that"
    " share one queue among clients, or that change a message for one client and send it to the"
    " next, fail here.",
)
async def same_for_all(world: World) -> None:
    """Play with two clients of one stock."""
    stock = world.stocks[0]
    peers = [await world.connect(), await world.connect()]
    for peer in peers:
        await subscribed(peer, stock.symbol)
    await world.settle()
    marks = [peer.mark() for peer in peers]
    await world.until("11:00:05")
    await world.settle()
    first, second = (
        [message.get("data") for message in peer.data(stock.symbol, since=mark)]
        for peer, mark in zip(peers, marks, strict=True)
    )
    expect_that(first, f"data of {stock.symbol}", "none")
    expect_equal(second, first, of="data of the second client, as of the first,")


@case(
    "DAT-150",
    title="All stocks of a client come, each tick once, in the feed's order",
    rules=("M-2", "M-3", "G-DATA", "G-SUBSCRIBED"),
    needs=_BOTH,
    explain="Ten stocks with a tick a second. A server that keeps one slot for all, or sorts what"
    " it sends by symbol or by client, loses ticks or turns their order around: the price falls"
    " back to an older one.",
)
async def feeds_order(world: World) -> None:
    """Play five seconds of ten stocks."""
    peer = await world.connect()
    await subscribed(peer, *(stock.symbol for stock in world.stocks))
    await world.settle(peer)
    mark = peer.mark()
    await world.until("11:00:05")
    await world.settle(peer)
    for stock in world.stocks:
        rows = world.feed.rows(stock, "11:00:00", "11:00:05")
        volumes = [_volume(message) for message in peer.data(stock.symbol, since=mark)]
        expect_equal(volumes, [str(row.volume) for row in rows], of=f"volumes of {stock.symbol}")


@case(
    "DAT-200",
    title="An update that changes nothing is an update",
    rules=("M-3",),
    profile=Profile.FULL,
    needs=_BOTH,
    at="11:00:19",
    explain="The exchange says the same price and volume again, and so says that the stock is still"
    " quoted at it. Servers that compare before they send make such a stock look dead.",
)
async def unchanged(world: World) -> None:
    """Play ten seconds in which a stock repeats itself."""
    stock = stock_of(world, "TCS")
    peer = await world.connect()
    await subscribed(peer, stock.symbol)
    await world.settle(peer)
    mark = peer.mark()
    await world.until("11:00:29")
    await world.settle(peer)
    rows = world.feed.rows(stock, "11:00:19", "11:00:29")
    came = peer.data(stock.symbol, since=mark)
    expect_equal(len(came), len(rows), of=f"number of updates of {stock.symbol}")
    _expect_row(came[-1], rows[-1])


@case(
    "DAT-210",
    title="seq rises by one with each update of its instrument",
    rules=("M-3",),
    profile=Profile.FULL,
    needs=_BOTH,
    explain="A jump in seq tells a client how many updates it has missed. A number that stands"
    " still, that counts the messages of a connection, or all instruments together, tells nothing.",
)
async def seq_counts(world: World) -> None:
    """Compare how far seq and the tape have gone between any two ticks."""
    peer = await world.connect()
    stocks = world.stocks[:3]
    await subscribed(peer, *(stock.symbol for stock in stocks))
    await world.settle(peer)
    mark = peer.mark()
    await world.until("11:00:05")
    await world.settle(peer)
    for stock in stocks:
        rows = world.feed.rows(stock, "11:00:00", "11:00:05")
        seqs = _seqs(peer, stock, rows, since=mark)
        first, last = min(seqs), max(seqs)
        wanted = {index: seqs[first] + index - first for index in seqs}
        expect_equal(list(seqs.values()), list(wanted.values()), of=f"seq of {stock.symbol}")
        expect_that(last > first, f"more than one tick of {stock.symbol}", f"{len(seqs)}")


@case(
    "DAT-220",
    title="An update has the same seq for every client",
    rules=("M-3",),
    profile=Profile.FULL,
    needs=_BOTH,
    explain="seq numbers an instrument's updates within one epoch, whoever looks on and since when:"
    " so two processes can compare what they have. Counters of connections begin at 1 each time.",
)
async def seq_is_the_instruments(world: World) -> None:
    """Let a second client come later."""
    stock = world.stocks[0]
    early = await world.connect()
    await subscribed(early, stock.symbol)
    await world.until("11:00:03")
    late = await world.connect()
    await subscribed(late, stock.symbol)
    await world.settle()
    marks = [peer.mark() for peer in (early, late)]
    await world.until("11:00:06")
    await world.settle()
    rows = world.feed.rows(stock, "11:00:03", "11:00:06")
    first, second = (
        _seqs(peer, stock, rows, since=mark)
        for peer, mark in zip((early, late), marks, strict=True)
    )
    expect_equal(list(second.values()), list(first.values()), of="seq at the later client")


@case(
    "DAT-300",
    title="The last known quote follows a subscribe at once",
    rules=("M-4",),
    profile=Profile.FULL,
    needs=_BOTH,
    explain="A stock may not trade for minutes. Without its last quote the page stays empty until"
    " it does, and users believe that the subscribe has failed.",
)
async def last_quote(world: World) -> None:
    """Subscribe while the feed says nothing."""
    stocks = world.stocks[:3]
    peer = await world.connect()
    await subscribed(peer, *(stock.symbol for stock in stocks))
    await world.settle(peer)
    for stock in stocks:
        _expect_row(_some(peer, stock)[-1], world.feed.tick_of(stock))


@case(
    "DAT-310",
    title="Only what is newly subscribed gets its last quote",
    rules=("M-4", "S-3"),
    profile=Profile.FULL,
    needs=_BOTH,
    explain="Adding one stock to five hundred must not bring five hundred quotes again.",
)
async def last_quote_once(world: World) -> None:
    """Subscribe one stock, then it and another."""
    first, second = world.stocks[:2]
    peer = await world.connect()
    await subscribed(peer, first.symbol)
    await world.settle(peer)
    mark = peer.mark()
    await subscribed(peer, first.symbol, second.symbol)
    await world.settle(peer)
    expect_none_of(peer.data(first.symbol, since=mark), f"second quote of {first.symbol}")
    expect_equal(len(peer.data(second.symbol, since=mark)), 1, of=f"quotes of {second.symbol}")


@case(
    "DAT-320",
    title="A stock that nobody has subscribed before comes with its present state",
    rules=("M-4", "M-9"),
    profile=Profile.FULL,
    needs=_BOTH,
    at="10:32:00",
    explain="The feed answers a first subscribe with what it has; the server passes it on though"
    " nothing is traded. Servers that send only what comes later leave such a stock blank.",
)
async def first_of_all(world: World) -> None:
    """Subscribe a quiet stock two minutes after its last tick."""
    stock = world.quiet_stocks[0]
    peer = await world.connect()
    await subscribed(peer, stock.symbol)
    came = await peer.wait_for("market_data", what=f"the present state of {stock.symbol}")
    _expect_row(came, world.feed.tick_of(stock))


@case(
    "DAT-330",
    title="The feed's answer to a new subscribe is no update if it says nothing new",
    rules=("M-9", "M-4"),
    profile=Profile.FULL,
    needs=_BOTH,
    explain="A server that drops a stock at the feed with its last client, and asks again for the"
    " next one, hears the state that it has. Counted as an update it would make seq jump, and"
    " charts draw a trade that never was.",
)
async def asked_again(world: World) -> None:
    """Unsubscribe a quiet stock and subscribe it again, without time passing."""
    stock = world.quiet_stocks[1]
    peer = await world.connect()
    await subscribed(peer, stock.symbol)
    before = await peer.wait_for("market_data")
    await unsubscribed(peer, stock.symbol)
    await world.settle(peer)
    mark = peer.mark()
    await subscribed(peer, stock.symbol)
    again = await peer.wait_for("market_data", what="the last quote again")
    await world.settle(peer)
    expect_equal(again.get("seq"), before.get("seq"), of="seq of the same quote")
    expect_equal(len(peer.data(stock.symbol, since=mark)), 1, of=f"quotes of {stock.symbol}")


@case(
    "DAT-340",
    title="A quote of an earlier day does not pass for today's",
    rules=("M-4",),
    profile=Profile.FULL,
    needs=_BOTH,
    at="11:00:12",
    explain="In the morning the last known quote is yesterday's. Sent as market_data it looks as if"
    " the stock were trading at yesterday's close, with yesterday's volume.",
)
async def yesterdays_quote(world: World) -> None:
    """Go to another day, to before that day's first trade of a stock."""
    peer = await world.connect()
    await _subscribe_sparse(peer)
    await peer.wait_for("market_data", what=f"today's quote of {SPARSE.symbol}")
    await world.to("11:00:00", day=f"{SPARSE_DAYS[1]}")
    await world.settle(peer)
    mark = peer.mark()
    late = await world.connect()
    await _subscribe_sparse(late)
    await world.until("11:00:05")
    await world.settle()
    expect_none_of(late.data(SPARSE.symbol), "quote before the first trade of the day")
    expect_none_of(peer.data(SPARSE.symbol, since=mark), "quote before the day's first trade")
    await world.until("11:00:12")
    await world.settle()
    for one in (peer, late):
        _expect_row(_some(one, SPARSE)[-1], world.feed.tick_of(SPARSE))


async def _subscribe_sparse(peer: Peer) -> None:
    data = await subscribed(peer, SPARSE.symbol)
    if data.get("failed_stocks"):
        raise Inconclusive(f"the server does not know {SPARSE.symbol}")


def _some(peer: Peer, stock: Stock, *, since: int = 0) -> list[Message]:
    came = peer.data(stock.symbol, since=since)
    expect_that(came, f"data of {stock.symbol}", "none")
    return came


def _replies(peer: Peer) -> list[Message]:
    return peer.messages("subscription_response")


def _volume(message: Message) -> str:
    """Return what tells the ticks of a day apart; its type is another case's question."""
    data = message.get("data")
    return str(data.get("volume")) if isinstance(data, dict) else ""


def _expect_row(message: Message, row: Row) -> None:
    of = f"volume of {row.stock.symbol} at {row.clock}"
    expect_equal(_volume(message), str(row.volume), of=of)


def _seqs(peer: Peer, stock: Stock, rows: list[Row], *, since: int) -> dict[int, int]:
    """Return seq by the place of its tick on the tape, known by the volume."""
    places = {str(row.volume): index for index, row in enumerate(rows)}
    found: dict[int, int] = {}
    for message in _some(peer, stock, since=since):
        expect_type(message.get("seq"), "an integer", of="seq")
        if _volume(message) in places:
            found[places[_volume(message)]] = message["seq"]
    expect_that(found, f"ticks of {stock.symbol} with the volumes of the tape", "others")
    return found
