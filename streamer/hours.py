"""
Whether the market is open, as the clock and the calendar tell (section 6 of the client protocol).

Follows the market's time and names each opening and closing once. Telling
clients about them is the hub's business.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from streamer.calendar import Halt, Phase, Session, StockPhase, TradingCalendar
from streamer.clock import FeedClock, Move, WallClock
from streamer.errors import RequestError
from streamer.ist import NS_PER_DAY, ist_clock, ist_date, ist_datetime, ist_midnight, ist_ns
from streamer.odin.messages import FeedMessage

CLASSIC_HOURS: Final = "09:15 - 15:30 IST"


class Change(NamedTuple):
    """One opening or closing of the market."""

    event: Literal["market_opened", "market_closed"]
    message: str
    is_open: bool


OPENED: Final = Change("market_opened", "Market is now open", True)
CLOSED: Final = Change("market_closed", "Market is now closed", False)


class MarketHours:
    """
    The market's time, and the trading session that it falls into.

    ``time`` is market time in UNIX nanoseconds as of the last call of
    :meth:`pass_time`; None before the feed has told one (rule H-5).
    """

    def __init__(self, calendar: TradingCalendar, clock: WallClock | FeedClock) -> None:
        self.calendar = calendar
        self.clock = clock
        self.time: int | None = None
        self.session: Session | None = None
        """The trading session that ``time`` falls into; None while the market is closed."""
        self._next_change: int | None = None
        self._halts: tuple[Halt, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether ``time`` lies inside a trading session."""
        return self.session is not None

    @property
    def next_timer(self) -> int | None:
        """When the machine's clock opens or closes the market or ends a halt; None if never."""
        if self.clock.kind != "wall":
            return None
        if not self._halts or self.time is None or self._next_change is None:
            return self._next_change
        ends = (halt.end for halt in self._halts if halt.end > self.time)
        return min([self._next_change, *ends])

    def halt_at(self, time: int) -> Halt | None:
        """Return why the phase is ``halted`` then: the operator's word, else the calendar's."""
        halts = (*self._halts, *self.calendar.day(ist_date(time)).halts)
        found = next((halt for halt in halts if halt.begin <= time < halt.end), None)
        if found is None or self.calendar.phase(time, halts) != "halted":
            return None
        return found

    def observe(self, message: FeedMessage) -> Move:
        """Let the clock read a message of the feed; call :meth:`pass_time` if it moved."""
        move = self.clock.observe(message)
        if move is Move.BACK:
            self._next_change = None
            # Another run of a replay, in which the operator has not said anything yet.
            self._halts = ()
        return move

    def pass_time(self, now: int) -> list[Change]:
        """Move ``time`` on to ``now`` and return what opened or closed on the way, in order."""
        time = self.time = self.clock.read(now)
        if time is None or (self._next_change is not None and time < self._next_change):
            return []
        session = self.calendar.session_at(time)
        before, self.session = self.session, session
        self._next_change = self.calendar.next_change(time)
        if session == before:
            return []
        return [CLOSED] * (before is not None) + [OPENED] * (session is not None)

    def halt(self, now: int, until: str | None = None) -> Halt:
        """
        Take the operator's word that the whole market stands still; one before is forgotten.

        Phases say so; quotes flow on as the feed sends them (rule H-1). The
        word is forgotten with its day, and when the feed's clock goes back.

        Args:
            now: The machine's time.
            until: When trading begins again, ``HH:MM`` of today in India; None
                leaves that to :meth:`resume`, or to the end of the day.

        Raises:
            RequestError: If there is no session to halt, or ``until`` is no
                later time of the day.

        """
        time = self.clock.read(now)
        sessions = () if time is None else self.calendar.day(ist_date(time)).sessions
        if time is None or not sessions or time >= sessions[-1].close:
            shown = "no time yet" if time is None else f"{ist_datetime(time)} IST"
            raise RequestError(
                "market_closed", f"Found the market closed at {shown}; expected a session to halt"
            )
        today = ist_date(time)
        try:
            end = ist_midnight(today) + NS_PER_DAY if until is None else ist_ns(today, until)
        except ValueError as error:
            raise RequestError("invalid_request", f"until: {error}") from error
        if end <= time:
            raise RequestError(
                "invalid_request",
                f"until: {until} found; a time after {ist_clock(time)} IST expected",
            )
        halt = Halt(time, end)
        self._halts = (halt,)
        return halt

    def resume(self, now: int) -> Phase | Literal["waiting"]:
        """Take the operator's word that the market is not halted; return its phase then."""
        self._halts = ()
        time = self.clock.read(now)
        return "waiting" if time is None else self.calendar.phase(time)

    def stock_phase(self, *, derivatives: bool) -> StockPhase | None:
        """Return the phase of the stocks with or without derivatives; None before any time."""
        if self.time is None:
            return None
        return self.calendar.stock_phase(self.time, derivatives=derivatives, halts=self._halts)

    def hours_text(self) -> str:
        """Return the day's hours in words, as ``09:15 - 15:30 IST``."""
        return CLASSIC_HOURS if self.time is None else self.calendar.market_hours(self.time)

    def clock_text(self) -> str | None:
        """Return the time of day in IST, ``HH:MM:SS``."""
        return None if self.time is None else ist_clock(self.time)

    def closed_text(self) -> str:
        """Return what a client is told that subscribes while the market is closed (rule S-10)."""
        if self.time is None:
            return "Market is closed; the feed has told no time yet"
        return (
            "Market is closed; streaming starts "
            f"{ist_datetime(self.calendar.next_open(self.time))} IST"
        )

    def status(self) -> dict[str, object]:
        """Return the calendar's part of ``market_status`` (rules S-7, H-5)."""
        time, calendar = self.time, self.calendar
        status: dict[str, object] = {"market_open": self.is_open, "market_hours": self.hours_text()}
        if time is None:
            unknown = dict.fromkeys(("current_time", "next_open", "next_close"))
            phases = {"derivatives": "waiting", "others": "waiting"}
            return status | unknown | {"phase": "waiting", "phases": phases, "trading_day": None}
        day = calendar.trading_day(time)
        return status | {
            "current_time": ist_datetime(time),
            "next_open": ist_datetime(calendar.next_open(time)),
            "next_close": ist_datetime(calendar.next_close(time)),
            "phase": calendar.phase(time, self._halts),
            "phases": {
                "derivatives": self.stock_phase(derivatives=True),
                "others": self.stock_phase(derivatives=False),
            },
            "trading_day": None if day is None else day.isoformat(),
        }
