"""CON: connection and welcome."""

from __future__ import annotations

from conformance.case import case
from conformance.expect import expect_equal, expect_reply, expect_that, expect_type
from conformance.world import World


@case(
    "CON-010",
    title="A new client is welcomed, by its own client_id",
    rules=("C-3", "G-WELCOME", "G-ENVELOPE"),
    explain="welcome is the first thing that a client hears: it tells that the line works and"
    " under which client_id the server knows it. A server that answers with another id, or with"
    " none, leaves the client unable to come back to its subscriptions.",
)
async def welcome(world: World) -> None:
    """Connect with an id of the client's own."""
    client_id = world.new_id()
    peer = await world.connect(client_id, read_welcome=False)
    message = await peer.wait_for(what="welcome as the first message")
    data = expect_reply(message, "welcome", "connected")
    expect_equal(message.get("client_id"), client_id, of="client_id of welcome")
    expect_type(data, "an object", of="data of welcome")
    expect_that(message.index == 0, "welcome before anything else", message)
