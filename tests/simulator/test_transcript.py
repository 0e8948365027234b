from __future__ import annotations

from typing import Any

import msgspec
import pytest

from simulator.columns import MAX_PRICE, MAX_QUANTITY, UNTOLD
from simulator.transcript import ROW, Transcript
from streamer.odin.messages import (
    BestFive,
    Heartbeat,
    Level,
    Logoff,
    LogonAnswer,
    ServerMessage,
    Touchline,
)
from streamer.odin.tags import LOGON_ACCEPTED, InstrumentKey
from tests.simulator.parquet_files import at

RELIANCE: InstrumentKey = (1, 2885)
SBIN: InstrumentKey = (1, 3045)
LONG_AGO = at("09:15") - 400 * 86_400 * 10**9


def touchline(clock: str, key: InstrumentKey = RELIANCE, **figures: Any) -> Touchline:
    """A touchline of 2025-09-04, last updated and sent at ``clock``."""
    moment = at(clock)
    told = dict.fromkeys(Touchline.__struct_fields__[2:18], 0)
    whole = told | {"ltp": 136550, "ltt": moment, "lut": moment, "sent": moment} | figures
    return Touchline(segment=key[0], token=key[1], **whole)


def logon(clock: str, *, simulated: bool = True) -> LogonAnswer:
    """A logon that is accepted at ``clock``."""
    return LogonAnswer(LOGON_ACCEPTED, simulated=simulated, sent=at(clock))


def transcript_of(
    *messages: ServerMessage, until: str | None = None, now: int = LONG_AGO
) -> Transcript:
    """A transcript that has taken messages, by a machine whose clock is far off."""
    transcript = Transcript([RELIANCE, SBIN], until=until, now=now)
    transcript.take(messages, now)
    return transcript


def rows_of(transcript: Transcript) -> list[dict[str, int]]:
    """The rows that wait, by the names of their columns."""
    return [dict(zip(ROW, row, strict=True)) for row in transcript.take_rows()[0]]


def test_a_touchline_becomes_a_row_with_all_its_figures() -> None:
    """Each figure of the wire stands in its column, in paise and shares."""
    names = {
        "ltp": "ltp",
        "bid_price": "bid",
        "ask_price": "ask",
        "open": "open",
        "high": "high",
        "low": "low",
        "prev_close": "close",
        "atp": "atp",
        "week_52_high": "high_52",
        "week_52_low": "low_52",
        "ltq": "ltq",
        "volume": "volume",
        "bid_qty": "bid_qty",
        "ask_qty": "ask_qty",
        "total_buy_qty": "total_buy",
        "total_sell_qty": "total_sell",
        "open_interest": "open_interest",
    }
    figures: dict[str, Any] = {name: 1000 + number for number, name in enumerate(names.values())}
    transcript = transcript_of(logon("09:15"), touchline("09:15:01", **figures))
    (row,) = rows_of(transcript)
    assert row == {
        "ts": at("09:15:01"),
        "segment": 1,
        "token": 2885,
        **{column: figures[name] for column, name in names.items()},
    }
    assert rows_of(transcript) == []


def test_a_best_five_tells_its_touchline() -> None:
    """A feed that answers so is recorded all the same."""
    five = (Level(1, 2, 3),) * 5
    transcript = transcript_of(logon("09:15"), BestFive(touchline("09:15:01"), five, five))
    assert [row["ltp"] for row in rows_of(transcript)] == [136550]


def test_time_never_goes_back_and_arrival_order_stays() -> None:
    """A late row gets the time of the row before it; equal times are kept as they are."""
    transcript = transcript_of(
        logon("09:15"),
        touchline("09:15:02", ltp=1),
        touchline("09:15:02", SBIN, ltp=2),
        touchline("09:15:01", ltp=3),
        touchline("09:15:03", ltp=4),
    )
    seconds = [(row["ts"] - at("09:15")) // 10**9 for row in rows_of(transcript)]
    assert seconds == [2, 2, 2, 3]
    assert (transcript.counts.rows, transcript.counts.late) == (4, 1)


def test_the_answer_to_a_subscribe_is_the_state_at_that_moment() -> None:
    """However old the last trade; but the state of an earlier day is none of this one."""
    yesterday = at("15:29") - 86_400 * 10**9
    transcript = transcript_of(
        logon("12:00"),
        touchline("09:20"),
        touchline("12:00", SBIN, lut=yesterday),
        touchline("12:00:01", SBIN),
    )
    assert [row["ts"] for row in rows_of(transcript)] == [at("12:00"), at("12:00:01")]
    assert (transcript.counts.late, transcript.counts.other_day) == (1, 1)


@pytest.mark.parametrize(
    ("lut", "sent", "expected"),
    [
        (0, at("09:15:03"), at("09:15:03")),
        (0, 0, at("09:15:02")),
        (at("09:15:30"), at("09:15:02"), at("09:15:30")),
        (at("10:15:30"), at("09:15:02"), at("09:15:02")),
        (10**9, at("09:15:02"), at("09:15:02")),
    ],
)
def test_times_that_cannot_be_are_not_believed(lut: int, sent: int, expected: int) -> None:
    """Without a usable LUT the header's time counts, and without that the feed's last."""
    transcript = transcript_of(
        logon("09:15"), Heartbeat(sent=at("09:15:02")), touchline("09:15", lut=lut, sent=sent)
    )
    assert [row["ts"] for row in rows_of(transcript)] == [expected]


def test_one_wrong_time_does_not_hold_up_what_follows() -> None:
    """A row from next year gets the feed's time, and the next one its own."""
    transcript = transcript_of(
        logon("09:15"),
        touchline("09:15:01", lut=at("09:15") + 400 * 86_400 * 10**9),
        touchline("09:15:02"),
    )
    assert [row["ts"] for row in rows_of(transcript)] == [at("09:15:01"), at("09:15:02")]
    assert transcript.counts.ahead == 1


@pytest.mark.parametrize(
    ("figures", "column", "expected"),
    [
        ({"ltp": 1365500, "locator": 1000}, "ltp", 136550),
        ({"bid": 13655001, "locator": 10000}, "bid_price", UNTOLD),
        ({"high": MAX_PRICE}, "high", MAX_PRICE),
        ({"high": MAX_PRICE + 1}, "high", UNTOLD),
        ({"volume": MAX_QUANTITY}, "volume", MAX_QUANTITY),
        ({"volume": MAX_QUANTITY + 1}, "volume", UNTOLD),
    ],
)
def test_figures_that_no_replay_would_accept_are_not_told(
    figures: dict[str, Any], column: str, expected: int
) -> None:
    """They become nulls; the row is kept for its price."""
    told: dict[str, Any] = {"ltp": 136550 * figures.get("locator", 100) // 100} | figures
    transcript = transcript_of(logon("09:15"), touchline("09:15:01", **told))
    assert [row[column] for row in rows_of(transcript)] == [expected]


@pytest.mark.parametrize(
    "figures", [{"ltp": 0}, {"ltp": MAX_PRICE + 1}, {"ltp": 1, "locator": 1000}]
)
def test_without_a_price_there_is_no_row(figures: dict[str, Any]) -> None:
    """Nothing has traded, or the price cannot be one: counted, not recorded."""
    transcript = transcript_of(logon("09:15"), touchline("09:15:01", **figures))
    assert rows_of(transcript) == []
    assert transcript.counts.no_price == 1


def test_what_nobody_asked_for_is_not_recorded() -> None:
    """The symbols of a file are known from its beginning."""
    transcript = transcript_of(logon("09:15"), touchline("09:15:01", (1, 9)))
    assert rows_of(transcript) == []
    assert transcript.counts.unasked == 1


def test_a_gap_is_noted_where_the_feed_comes_back() -> None:
    """It lies between two rows; being away before the first logon is none."""
    transcript = Transcript([RELIANCE], until=None, now=LONG_AGO)
    transcript.note_away("cannot be dialled")
    transcript.take([logon("09:15"), touchline("09:15:01")], LONG_AGO)
    transcript.note_away("closed the connection")
    transcript.take([logon("09:16"), touchline("09:15:05"), touchline("09:16:05")], LONG_AGO)
    rows, gaps = transcript.take_rows()
    assert [row[0] for row in rows] == [at("09:15:01"), at("09:16"), at("09:16:05")]
    (gap,) = gaps
    assert (gap.row, gap.after, gap.before) == (1, at("09:15:01"), at("09:16"))
    assert gap.why == "closed the connection"


def test_a_simulator_that_goes_back_ends_the_recording() -> None:
    """What follows is another pass: the same hours once more would be wrong."""
    messages: list[ServerMessage] = [
        logon("09:15"),
        Heartbeat(sent=at("10:00")),
        touchline("10:00"),
        Heartbeat(sent=at("09:15")),
        touchline("09:15:01"),
    ]
    transcript = transcript_of(*messages)
    assert len(rows_of(transcript)) == 1
    assert "another pass" in transcript.ended
    restarted = transcript_of(*messages[:3], logon("09:15"), touchline("09:15:01"))
    assert "another pass" in restarted.ended


def test_the_logoff_of_a_simulator_ends_the_recording_and_of_a_real_feed_does_not() -> None:
    """A real feed comes back on the next day; a replay that is over does not."""
    assert transcript_of(logon("09:15"), Logoff(reason="over")).ended
    assert not transcript_of(logon("09:15", simulated=False), Logoff(reason="over")).ended


def test_until_is_the_feeds_time_for_a_simulator() -> None:
    """Told by a heartbeat or by a row; the row of that very second is not recorded."""
    by_beat = transcript_of(logon("09:15"), Heartbeat(sent=at("10:00")), until="10:00")
    assert by_beat.ended == "it is 10:00"
    by_row = transcript_of(
        logon("09:59"), touchline("09:59:59"), touchline("10:00"), touchline("09:59"), until="10:00"
    )
    assert by_row.ended
    assert [row["ts"] for row in rows_of(by_row)] == [at("09:59:59")]
    assert not transcript_of(logon("10:00"), touchline("15:29:59"), until="10:00").ended


def test_until_is_the_machines_time_for_a_real_feed() -> None:
    """Also while the feed says nothing, and some seconds late for rows that still come."""
    transcript = Transcript([RELIANCE], until="15:30", now=at("09:00"))
    transcript.pass_time(at("15:30"))
    before = transcript.ended
    transcript.pass_time(at("15:30:02"))
    assert (before, transcript.ended) == ("", "it is 15:30")


def test_rows_are_not_changed_by_what_comes_later() -> None:
    """What was taken is the caller's."""
    transcript = transcript_of(logon("09:15"), touchline("09:15:01"))
    rows, _ = transcript.take_rows()
    transcript.take([msgspec.structs.replace(touchline("09:15:02"), ltp=5)], LONG_AGO)
    assert [row[3] for row in rows] == [136550]
    assert transcript.pending == 1
