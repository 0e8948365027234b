"""
What the control port may see of a running replay, and do to it: one place for all of it.

The command line, the console page and programs come here by the same requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from simulator.announcements import Announcements
from simulator.commands import Loop, Pause, Resume, Seek, Speed, Step, parse_command
from simulator.feed import FeedServer
from simulator.player import Player
from simulator.replay import Replay
from streamer.instruments import Instrument
from streamer.ist import NS_PER_SECOND, ist_clock, ist_rfc3339
from streamer.odin.tags import InstrumentKey

__all__ = ["MAX_STRETCHES", "SHOWN", "Desk"]

SHOWN = 200
"""Instruments that one look at the market shows at the most."""

MAX_STRETCHES = 1_000
"""Into how many stretches the window is cut, at the most, to tell how busy each is."""

_MINUTE_NS = 60 * NS_PER_SECOND


class Desk:
    """
    The controls of one replay.

    Args:
        player: Plays it.
        replay: What is played.
        feed: Where.
        instruments: All that may be shown, in their order.
        announcements: Where events are told.
        status: Returns how the replay stands.

    """

    def __init__(
        self,
        *,
        player: Player,
        replay: Replay,
        feed: FeedServer,
        instruments: Mapping[InstrumentKey, Instrument],
        announcements: Announcements,
        status: Callable[[], Mapping[str, object]],
    ) -> None:
        self.announcements = announcements
        self.closed = ""
        """Why nothing can be asked any more; empty while something can."""
        self._player = player
        self._replay = replay
        self._feed = feed
        keys = replay.keys
        self._instruments = [
            instrument for key, instrument in instruments.items() if keys is None or key in keys
        ]
        self._status = status
        self._density: asyncio.Future[list[int]] | None = None

    def status(self) -> Mapping[str, object]:
        """Return how the replay stands."""
        return self._status()

    async def command(self, body: Mapping[str, object]) -> Mapping[str, object]:
        """
        Carry out a command; return how the replay stands after it.

        Raises:
            ValueError: If it is none, or cannot be carried out now.

        """
        if self.closed:
            raise ValueError(f"nothing can be asked any more: {self.closed}")
        player = self._player
        match parse_command(body, now=player.now):
            case Pause():
                player.pause()
            case Resume():
                player.resume()
            case Speed(rate):
                player.set_rate(rate)
            case Seek(to):
                await player.seek(to)
            case Step(to):
                await player.step(to)
            case Loop(passes):
                player.set_passes(passes)
        return self.status()

    def market(self, find: str = "") -> list[dict[str, object]]:
        """
        Return the present state of instruments, at most `SHOWN`, prices in rupees.

        Args:
            find: Only those whose symbol has this in it.

        """
        wanted = find.strip().upper()
        shown: list[dict[str, object]] = []
        for instrument in self._instruments:
            if len(shown) == SHOWN:
                break
            if wanted in instrument.symbol.upper():
                shown.append(self._row(instrument))
        return shown

    def _row(self, instrument: Instrument) -> dict[str, object]:
        row: dict[str, object] = {"symbol": instrument.symbol, "exchange": instrument.exchange}
        state = self._replay.state(instrument.key)
        if state is None:
            return row
        t = state.touchline
        return row | {
            "time": ist_clock(state.ts),
            "ltp": t.ltp / 100,
            "prev_close": t.close / 100,
            "open": t.open / 100,
            "high": t.high / 100,
            "low": t.low / 100,
            "volume": t.volume,
        }

    def clients(self) -> list[dict[str, object]]:
        """Return the connections of the feed, and what waits for each."""
        return self._feed.clients()

    async def density(self) -> dict[str, object]:
        """Return how many updates each stretch of the window has; counted once."""
        window = self._replay.end - self._replay.start
        minutes = -(-window // (MAX_STRETCHES * _MINUTE_NS))
        if self._density is None:
            loop = asyncio.get_running_loop()
            self._density = loop.run_in_executor(None, self._replay.density, minutes * _MINUTE_NS)
        counts = await asyncio.shield(self._density)
        return {
            "start": ist_rfc3339(self._replay.start),
            "end": ist_rfc3339(self._replay.end),
            "stretch_s": minutes * 60,
            "updates": counts,
        }
