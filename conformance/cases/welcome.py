"""CON: what the welcome tells."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from conformance.case import Need, Profile, case, family
from conformance.expect import (
    expect_equal,
    expect_has,
    expect_matches,
    expect_that,
    expect_type,
)
from conformance.peer import REPLY_TYPES, Peer
from conformance.questions import subscribed
from conformance.tape import moment
from conformance.world import World

ACTIONS: Final = tuple(REPLY_TYPES)

TYPES: Final = {
    "message": "a string",
    "client_id": "a string",
    "features": "a list of strings",
    "market_hours": "a string",
    "market_open": "true or false",
    "current_time": "a string",
    "subscribed_stocks": "an integer",
    "restored": "true or false",
    "restored_stocks": "a list of strings",
    "simulated": "true or false",
    "instructions": "an object",
}


@case(
    "CON-200",
    title="The welcome has all its fields, each of its type",
    rules=("C-3",),
    profile=Profile.FULL,
    explain="The welcome tells a client all that it needs to begin: who it is, whether the market"
    " is open, what was restored, which process it talks to. A key that is missing or of another"
    " type shows up as undefined in a page, much later.",
)
async def fields(world: World) -> None:
    """Look at each field."""
    data = _data(await world.connect())
    expect_has(data, *TYPES, "epoch", of="data of welcome")
    for name, kind in TYPES.items():
        expect_type(data[name], kind, of=f"{name} of welcome")
    expect_that(data["epoch"] not in (None, ""), "an epoch", data)


@case(
    "CON-210",
    title="The welcome names the client in its data too",
    rules=("C-3",),
    profile=Profile.FULL,
    explain="Clients of the guide read message.data, not the envelope. Both must say the same.",
)
async def same_id(world: World) -> None:
    """Connect with an id of the client's own."""
    client_id = world.new_id()
    peer = await world.connect(client_id)
    expect_equal(_data(peer).get("client_id"), client_id, of="data.client_id")


@case(
    "CON-220",
    title="A new client has nothing restored",
    rules=("C-3",),
    profile=Profile.FULL,
    explain="restored tells a client whether it has to subscribe. A server that always says true"
    " leaves new clients without data, waiting for what they never asked for.",
)
async def nothing_restored(world: World) -> None:
    """Connect with an id that was never used."""
    data = _data(await world.connect())
    expect_equal(data.get("restored"), False, of="restored")
    expect_equal(data.get("restored_stocks"), [], of="restored_stocks")
    expect_equal(data.get("subscribed_stocks"), 0, of="subscribed_stocks")


@case(
    "CON-230",
    title="The welcome tells a client that comes back what it subscribes, oldest first",
    rules=("C-3", "P-1"),
    profile=Profile.FULL,
    explain="With the count and the list a client need not ask. Lists kept in a set come back in"
    " any order; counts taken before the session is read are 0.",
)
async def restored(world: World) -> None:
    """Subscribe, leave, come back."""
    symbols = [stock.symbol for stock in world.stocks[:3]]
    peer = await world.connect()
    await subscribed(peer, symbols[0], symbols[2], symbols[1])
    await peer.close()
    data = _data(await world.connect(peer.client_id))
    expect_equal(data.get("restored"), True, of="restored")
    expect_equal(data.get("subscribed_stocks"), 3, of="subscribed_stocks")
    wanted = [symbols[0], symbols[2], symbols[1]]
    expect_equal(data.get("restored_stocks"), wanted, of="restored_stocks")


@case(
    "CON-240",
    title="A client that comes back gets its welcome before its data",
    rules=("C-3", "G-WELCOME"),
    needs=(Need.FEED, Need.CLOCK),
    explain="Data that overtakes the welcome reaches a client that does not know yet whose it is;"
    " many throw it away, or take it for the answer to something. It happens where a client is"
    " registered for ticks before its welcome is written.",
)
async def before_data(world: World) -> None:
    """Come back to stocks whose quotes are known."""
    peer = await world.connect()
    await subscribed(peer, *(stock.symbol for stock in world.stocks[:3]))
    await peer.close()
    again = await world.connect(peer.client_id, read_welcome=False)
    first = await again.wait_for(what="welcome as the first message")
    expect_equal(first.type, "welcome", of="type of the first message")


@case(
    "CON-250",
    title="The welcome tells the market's hours",
    rules=("C-3",),
    profile=Profile.FULL,
    needs=(Need.CLOCK,),
    explain="Pages show this text as it is: 09:15 - 15:30 IST on any regular day.",
)
async def market_hours(world: World) -> None:
    """Read the text on a regular day."""
    found = _data(await world.connect()).get("market_hours")
    expect_equal(found, "09:15 - 15:30 IST", of="market_hours")


@family(
    "CON-260",
    variants={"open": ("11:00:00", True), "closed": ("16:00:00", False)},
    title="The welcome tells whether the market is open: {variant}",
    rules=("C-3",),
    profile=Profile.FULL,
    needs=(Need.CLOCK,),
    explain="A client that connects in the evening must know that silence is no fault.",
)
async def market_open(world: World, moment_: tuple[str, bool]) -> None:
    """Connect at noon or in the evening."""
    time, wanted = moment_
    if f"{moment(world.now):%H:%M:%S}" != time:
        await world.to(time)
    expect_equal(_data(await world.connect()).get("market_open"), wanted, of="market_open")


@case(
    "CON-270",
    title="The welcome tells the time in India",
    rules=("C-3", "H-4", "G-IST"),
    profile=Profile.FULL,
    needs=(Need.CLOCK,),
    explain="All times are IST. Servers on machines that run on UTC tell UTC, five and a half hours"
    " behind, unless the zone is given each time.",
)
async def current_time(world: World) -> None:
    """Compare current_time with the market's time."""
    found = _data(await world.connect()).get("current_time")
    expect_matches(found, r"\d\d:\d\d:\d\d", of="current_time", like="11:00:00")
    slack = 0 if world.exact else 60
    near = {
        f"{moment(world.now) + timedelta(seconds=second):%H:%M:%S}" for second in range(slack + 1)
    }
    wanted = f"current_time {moment(world.now):%H:%M:%S}"
    expect_that(found in near, wanted + (f" or up to {slack} s later" if slack else ""), found)


@case(
    "CON-280",
    title="The epoch is the same for all clients of one process",
    rules=("C-3", "M-3"),
    profile=Profile.FULL,
    explain="seq counts within an epoch. An epoch made up for each connection tells clients at"
    " every reconnect that all their numbers are worthless.",
)
async def one_epoch(world: World) -> None:
    """Connect twice."""
    first, second = _data(await world.connect()), _data(await world.connect())
    expect_equal(second.get("epoch"), first.get("epoch"), of="epoch, as another client was told,")


@case(
    "CON-290",
    title="The epoch is another one after a restart",
    rules=("C-3", "M-3"),
    profile=Profile.FULL,
    needs=(Need.RESTART,),
    explain="After a restart seq begins again. With the epoch unchanged, a client takes the small"
    " numbers for old updates and throws them away.",
)
async def next_epoch(world: World) -> None:
    """Restart the server between two connections."""
    before = _data(await world.connect()).get("epoch")
    await world.restart()
    after = _data(await world.connect()).get("epoch")
    expect_that(after != before, f"another epoch than {before}", after)


@case(
    "CON-300",
    title="The welcome says that the market is simulated",
    rules=("C-3",),
    profile=Profile.FULL,
    needs=(Need.FEED,),
    explain="The feed of this suite is a simulator and says so. A client that trades must be able"
    " to tell a replay from the exchange, so that nobody acts on a price of last year.",
)
async def simulated(world: World) -> None:
    """Look at simulated on the suite's feed."""
    expect_equal(_data(await world.connect()).get("simulated"), True, of="simulated")


@case(
    "CON-310",
    title="The instructions of the welcome have a sample request for each action, and each works",
    rules=("C-3",),
    profile=Profile.FULL,
    explain="Somebody who connects by hand copies a sample and sends it. Samples that were written"
    " once and never sent are wrong in the end.",
)
async def samples(world: World) -> None:
    """Send every sample."""
    peer = await world.connect()
    instructions = _data(peer).get("instructions")
    expect_type(instructions, "an object", of="instructions")
    assert isinstance(instructions, dict)
    expect_has(instructions, *ACTIONS, of="instructions")
    for action in ACTIONS:
        sample = instructions[action]
        expect_type(sample, "an object", of=f"the sample of {action}")
        expect_equal(sample.get("action"), action, of=f"action of the sample of {action}")
        await peer.send_json(sample)
        reply = await peer.reply_to(action)
        expect_equal(reply.type, REPLY_TYPES[action], of=f"type of the reply to {sample}:")


def _data(peer: Peer) -> Mapping[str, Any]:
    """Return the data of a client's welcome."""
    data = peer.welcome.get("data")
    expect_type(data, "an object", of="data of welcome")
    assert isinstance(data, dict)
    return data
