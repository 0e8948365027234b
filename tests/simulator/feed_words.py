"""What a simulated feed says of a recording, as messages: logon, seconds, updates."""

from __future__ import annotations

from collections.abc import Iterator

from simulator.replay import Replay
from simulator.updates import Update
from streamer.odin.messages import Heartbeat, LogonAnswer, ServerMessage, decode_message
from streamer.odin.tags import LOGON_ACCEPTED

SECOND = 10**9
FOREVER = 2**62


def updates_of(replay: Replay) -> list[Update]:
    """All updates of a replay's window, in order."""
    taken: list[Update] = []
    while part := replay.take(FOREVER):
        taken += part
    return taken


def words_of(updates: list[Update]) -> Iterator[ServerMessage]:
    """What a client of the feed hears of them, through the bytes of the wire."""
    second = updates[0].sent
    yield LogonAnswer(LOGON_ACCEPTED, simulated=True, sent=second)
    for update in updates:
        if update.sent != second:
            second = update.sent
            yield Heartbeat(sent=second)
        yield decode_message(update.text)
