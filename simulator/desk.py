"""
What the control port may see of a running replay, and do to it: one place for all of it.

The command line, the console page and programs come here by the same requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from simulator.announcements import Announcements
from simulator.commands import (
    BeginFault,
    ClearFaults,
    Command,
    Loop,
    Pause,
    PlanFault,
    Resume,
    Seek,
    Speed,
    Step,
    parse_command,
)
from simulator.faults import Planned
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
        refusals: Commands that cannot be carried out, and why.

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
        refusals: Mapping[type[Command], str] | None = None,
    ) -> None:
        self.announcements = announcements
        self.closed = ""
        """Why nothing can be asked any more; empty while something can."""
        self.ends_with_logoff = False
        """Whether a logoff would end the run's own streaming server."""
        self._player = player
        self._replay = replay
        self._feed = feed
        keys = replay.keys
        self._instruments = [
            instrument for key, instrument in instruments.items() if keys is None or key in keys
        ]
        self._status = status
        self._refusals = refusals or {}
        self._density: asyncio.Future[list[int]] | None = None
        self._density_from = replay.start

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
        command = parse_command(body, now=player.now)
        if type(command) in self._refusals:
            raise ValueError(self._refusals[type(command)])
        match command:
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
            case PlanFault() | BeginFault() | ClearFaults():
                self._change_faults(command)
        return self.status()

    def _change_faults(self, command: PlanFault | BeginFault | ClearFaults) -> None:
        plan, feed = self._feed.fault_plan, self._feed
        match command:
            case PlanFault(fault):
                self._permit(fault)
                plan.add(fault)
            case BeginFault(fault):
                self._permit(fault)
                # The feed's last second, which may lie just before the present moment.
                lasts_ns = max(fault.lasts_s, 1) * NS_PER_SECOND
                plan.begin(fault, feed.second, self._player.now + lasts_ns)
            case ClearFaults(name, number):
                plan.clear(name=name, number=number)
        feed.follow_faults()

    def _permit(self, fault: Planned) -> None:
        if fault.fault.name == "logged-off" and self.ends_with_logoff:
            raise ValueError(
                "logged-off found; expected another fault: this run's streaming server ends with"
                " a logoff. Start it with --hold, --feed-only or a --fault to log it off"
            )

    def faults(self) -> list[dict[str, object]]:
        """Return what runs and what is planned to go wrong."""
        return self._feed.fault_plan.described(self._player.now)

    async def ledger(self, after: int, limit: int) -> bytes:
        """Return lines of the ledger behind a number; the first call begins one if need be."""
        return await self._feed.open_ledger().lines(after, limit)

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
        """Return how many updates each stretch of the window has; counted once a window."""
        start, end = self._replay.start, self._replay.end
        minutes = -(-(end - start) // (MAX_STRETCHES * _MINUTE_NS))
        if self._density is None or self._density_from != start:
            self._density_from = start
            loop = asyncio.get_running_loop()
            self._density = loop.run_in_executor(None, self._replay.density, minutes * _MINUTE_NS)
        counts = await asyncio.shield(self._density)
        return {
            "start": ist_rfc3339(start),
            "end": ist_rfc3339(end),
            "stretch_s": minutes * 60,
            "updates": counts,
        }
