"""
The life of the server, told twice: as log lines for people, as events for a parent process.

One line for each thing that happens to the server, none for ticks. What the
hub only shows as a state (the market opened, the calendar ended) is noticed
here by looking at it after each input.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from streamer.calendar import Halt, Session
from streamer.health import calendar_gap, calendar_notice
from streamer.hub import Hub, UpstreamState
from streamer.ist import IST_OFFSET_NS, NS_PER_DAY, ist_datetime

_logger = logging.getLogger("streamer")

Event = dict[str, object]


class Journal:
    """
    Args:
        emit: Takes each event, a dict with ``event`` first; None when nobody listens.

    """

    def __init__(self, emit: Callable[[Event], None] | None = None) -> None:
        self._emit = emit
        self._session: Session | None = None
        self._halt: Halt | None = None
        self._day: int | None = None
        self._is_notice_given = False

    def listening(self, host: str, port: int, url: str) -> None:
        """Clients may come."""
        _logger.info("listening on %s, port %d: %s", host, port, url)
        self._tell("listening", host=host, port=port, url=url)

    def upstream(self, state: UpstreamState) -> None:
        """The connection to the feed fares differently; why, it has logged itself."""
        _logger.debug("feed %s", state)
        self._tell("upstream", state=state)

    def client_connected(self, client_id: str, clients: int) -> None:
        """A client is connected; ``clients`` counts the connected ones, with it."""
        _logger.info("client %s connected (%d now)", client_id, clients)
        self._tell("client_connected", client_id=client_id, clients=clients)

    def client_gone(self, client_id: str, clients: int, code: int | None, reason: str) -> None:
        """A connection has ended, with a close code if there was a close frame."""
        _logger.info(
            "client %s gone (code %s%s; %d now)",
            client_id,
            code,
            f", {reason}" if reason else "",
            clients,
        )
        self._tell("client_gone", client_id=client_id, clients=clients, code=code)

    def operator_halts(self, halt: Halt) -> None:
        """The operator says that the market stands still."""
        self._halt = halt
        until = "it resumes" if halt.until is None else f"{halt.until} IST"
        _logger.warning("the operator says that the market is halted, until %s", until)

    def operator_resumes(self, phase: str) -> None:
        """The operator says that it does not any more; ``phase`` is the market's then."""
        self._halt = None
        _logger.info("the operator says that the market is not halted; it is %s", phase)

    def stopping(self, reason: str) -> None:
        """No more clients are let in."""
        _logger.info("stopping: %s", reason)
        self._tell("stopping", reason=reason)

    def stopped(self, reason: str, delivered: int) -> None:
        """All clients are gone."""
        _logger.info("stopped (%d updates delivered)", delivered)
        self._tell("stopped", reason=reason, delivered=delivered)

    def look_at(self, hub: Hub) -> None:
        """Tell what changed about the market since the last look."""
        for alarm in hub.take_alarms():
            _logger.warning("%s", alarm)
        time, session = hub.hours.time, hub.hours.session
        before, self._session = self._session, session
        if session != before:
            # The session's own times: a fast replay may be far beyond them when we look.
            if before is not None:
                _logger.info("market closed at %s IST", ist_datetime(before.close))
            if session is not None:
                _logger.info("market open since %s IST", ist_datetime(session.open))
        if time is None:
            return
        self._look_at_halt(hub, time)
        day = (time + IST_OFFSET_NS) // NS_PER_DAY
        if day != self._day:
            self._day = day
            self._give_notice(hub, time)
            gap = calendar_gap(hub, time)
            if gap is not None:
                _logger.warning("%s", gap)

    def _look_at_halt(self, hub: Hub, time: int) -> None:
        before, self._halt = self._halt, hub.hours.halt_at(time)
        if self._halt == before:
            return
        if self._halt is not None:
            _logger.info("market halted since %s IST", ist_datetime(self._halt.begin))
        elif before is not None:
            end = ist_datetime(min(before.end, time))
            _logger.info("market not halted any more since %s IST", end)

    def _give_notice(self, hub: Hub, time: int) -> None:
        """Warn once that the calendar ends soon; the date of a replay says nothing of today."""
        if self._is_notice_given or hub.hours.clock.kind != "wall":
            return
        notice = calendar_notice(hub, time)
        if notice is not None:
            self._is_notice_given = True
            _logger.warning("%s", notice)

    def _tell(self, event: str, **fields: object) -> None:
        if self._emit is not None:
            self._emit({"event": event, **fields})
