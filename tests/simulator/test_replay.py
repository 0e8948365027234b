from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.columns import Batch
from simulator.recording import Recording
from simulator.replay import BLOCK_ROWS, Replay
from simulator.updates import Update
from streamer.errors import RecordingError
from streamer.ist import ist_date, ist_midnight
from streamer.odin.messages import BestFive, Level, LtpTouchline, Touchline, decode_message
from streamer.odin.tags import InstrumentKey
from tests.simulator.parquet_files import REAL_DATA, at, opened, rows, write
from tests.simulator.recording_strategies import FullRow, columns_of, tapes

FOREVER = 2**62
SECOND = 10**9


def updates(
    recording: Recording,
    start: int,
    end: int,
    keys: Collection[InstrumentKey] | None = None,
    limit: int = 7,
) -> list[Update]:
    """All updates of a window, taken a few at a time; none if the window has none."""
    try:
        replay = Replay(recording, start=start, end=end, keys=keys)
    except RecordingError:
        assert not recording.count(start, end, keys=keys)
        return []
    taken: list[Update] = []
    while part := replay.take(FOREVER, limit):
        taken += part
    assert len(taken) == replay.rows_taken == replay.rows_total
    assert replay.next_due() is None
    return taken


def touchlines(of: Collection[Update]) -> list[Touchline]:
    """What updates say."""
    return [update.touchline for update in of]


@given(data=st.data(), tape=tapes())
@settings(max_examples=80)
def test_windows_join(
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    tape: tuple[list[str], list[FullRow]],
) -> None:
    """[a, b) and then [b, c) say what [a, c) says, for any instruments."""
    columns, told = tape
    path = tmp_path_factory.mktemp("replay") / "a.parquet"
    size = data.draw(st.integers(1, 20))
    recording = opened(write(path, columns_of(columns, told), row_group_size=size))
    edges = [ts for ts, _, _ in told] + [told[0][0] - 1, told[-1][0] + 1]
    a, b, c = sorted(data.draw(st.sampled_from(edges)) for _ in range(3))
    some = st.sets(st.sampled_from(sorted({(1, token) for _, token, _ in told})), min_size=1)
    keys = data.draw(st.none() | some)
    joined = updates(recording, a, b, keys) + updates(recording, b, c, keys)
    assert touchlines(joined) == touchlines(updates(recording, a, c, keys))


@given(data=st.data(), tape=tapes())
@settings(max_examples=80)
def test_a_window_in_mid_day_begins_with_the_day_so_far(
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    tape: tuple[list[str], list[FullRow]],
) -> None:
    """The state at a window's start is the state that a replay from the beginning reaches."""
    columns, told = tape
    path = tmp_path_factory.mktemp("replay") / "a.parquet"
    size = data.draw(st.integers(1, 20))
    recording = opened(write(path, columns_of(columns, told), row_group_size=size))
    start = data.draw(st.sampled_from([ts for ts, _, _ in told]))
    whole = Replay(recording, start=recording.start, end=recording.end + 1)
    while whole.take(start - 1, data.draw(st.integers(1, 50))):
        pass
    late = Replay(recording, start=start, end=recording.end + 1)
    for key in recording.keys:
        reached, begun = whole.state(key), late.state(key)
        if reached is not None and ist_date(reached.ts) != ist_date(start):
            reached = None  # the day of the late start has not begun for the other
        assert (reached and reached.touchline) == (begun and begun.touchline)
        assert (reached and reached.text) == (begun and begun.text)


@given(tape=tapes(), limit=st.integers(1, 9))
@settings(max_examples=40)
def test_taking_is_by_time(
    tmp_path_factory: pytest.TempPathFactory, tape: tuple[list[str], list[FullRow]], limit: int
) -> None:
    """Each step takes what is due, as told before; the state is what was taken last."""
    columns, told = tape
    path = tmp_path_factory.mktemp("replay") / "a.parquet"
    recording = opened(write(path, columns_of(columns, told), row_group_size=3))
    replay = Replay(recording, start=recording.start, end=recording.end + 1)
    taken: list[Update] = []
    while (due := replay.next_due()) is not None:
        assert replay.take(due - 1) == []
        ahead = replay.upcoming_rows(due + 1, 1)
        step = replay.take(due, limit)
        assert [(update.ts, update.text) for update in ahead] == [(due, step[0].text)]
        assert 0 < len(step) <= limit
        assert {update.ts for update in step} == {due}
        for update in step:
            assert replay.state(update.key) is not None
        last = step[-1]
        state = replay.state(last.key)
        assert state is not None
        assert (state.ts, state.ltp, state.text) == (last.ts, last.ltp, last.text)
        taken += step
    assert [update.ts for update in taken] == [ts for ts, _, _ in told]
    assert len(replay.upcoming_rows(FOREVER, 1)) == 0


def test_begin_starts_over(tmp_path: Path) -> None:
    """A replay that begins again says the same again; before it moved, beginning is nothing."""
    recording = opened(write(tmp_path / "a.parquet", rows(600, ltp=[100 + i for i in range(600)])))
    replay = Replay(recording, start=at("09:16"), end=at("09:24"))
    replay.begin()
    before = replay.state((1, 2885))
    first = replay.take(FOREVER)
    replay.begin()
    assert replay.rows_taken == 0
    again = replay.state((1, 2885))
    assert before is not None
    assert again is not None
    assert again.touchline == before.touchline
    assert touchlines(replay.take(FOREVER)) == touchlines(first)


@given(data=st.data(), tape=tapes())
@settings(max_examples=60)
def test_after_a_seek_all_is_as_in_a_replay_that_begins_there(
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    tape: tuple[list[str], list[FullRow]],
) -> None:
    """Forwards and back, wherever it stood: the same states, then the same updates, to the end."""
    columns, told = tape
    path = tmp_path_factory.mktemp("replay") / "a.parquet"
    size = data.draw(st.integers(1, 20))
    recording = opened(write(path, columns_of(columns, told), row_group_size=size))
    start, end = recording.start, recording.end + 1
    tokens = sorted({token for _, token, _ in told})
    keys = data.draw(st.none() | st.just([(1, tokens[0])]))
    if not recording.count(start, end, keys=keys):
        keys = None
    apart = data.draw(st.integers(1, 10))
    replay = Replay(recording, start=start, end=end, keys=keys, rows_apart=apart)
    edges = [ts for ts, _, _ in told] + [told[-1][0] + 1]
    for _ in range(data.draw(st.integers(1, 5))):
        replay.take(data.draw(st.sampled_from(edges)), data.draw(st.integers(0, 30)))
        to = data.draw(st.sampled_from(edges))
        replay.seek(to)
        assert replay.rows_taken == recording.count(start, to, keys=keys)
        if not recording.count(to, end, keys=keys):
            assert replay.next_due() is None
            continue
        fresh = Replay(recording, start=to, end=end, keys=keys)
        for key in recording.keys:
            there, expected = replay.state(key), fresh.state(key)
            assert (there and there.touchline) == (expected and expected.touchline)
        count = data.draw(st.integers(1, 60))
        assert touchlines(replay.take(FOREVER, count)) == touchlines(fresh.take(FOREVER, count))
    replay.begin()
    assert touchlines(replay.take(FOREVER)) == touchlines(updates(recording, start, end, keys))


def test_a_seek_to_where_it_has_been_reads_little(tmp_path: Path) -> None:
    """It costs the rows since the checkpoint before, not those since the start of the file."""
    columns = rows(20_000, ltp=[100 + i % 50 for i in range(20_000)])
    path = write(tmp_path / "a.parquet", columns, row_group_size=500)
    recording = opened(path)
    replay = Replay(recording, start=recording.start, end=recording.end + 1, rows_apart=500)
    while replay.take(FOREVER):
        pass
    read = 0
    plain = recording.batches

    def counted(start: int, end: int, **options: Any) -> Iterator[Batch]:
        nonlocal read
        for batch in plain(start, end, **options):
            read += len(batch.ts)
            yield batch

    recording.batches = counted  # type: ignore[method-assign]
    replay.seek(recording.start + 19_000 * SECOND)
    assert read <= 2_000
    (update,) = replay.take(FOREVER, 1)
    assert update.ts == recording.start + 19_000 * SECOND


def test_a_seek_out_of_the_window_is_refused(tmp_path: Path) -> None:
    """The error tells the window; the replay stays where it was."""
    recording = opened(write(tmp_path / "a.parquet", rows(600)))
    replay = Replay(recording, start=at("09:16"), end=at("09:24"))
    (first,) = replay.take(FOREVER, 1)
    for to in (at("09:16") - 1, at("09:24") + 1):
        with pytest.raises(ValueError, match="09:16:00 to 2025-09-04 09:24:00 IST expected"):
            replay.seek(to)
    state = replay.state(first.key)
    assert state is not None
    assert (state.ts, state.text) == (first.ts, first.text)
    replay.seek(at("09:24"))
    assert replay.next_due() is None
    assert replay.rows_taken == replay.rows_total


@given(tape=tapes(), shift=st.integers(-(10**6), 10**6).map(lambda seconds: seconds * SECOND))
@settings(max_examples=40)
def test_a_shift_moves_every_time_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, tape: tuple[list[str], list[FullRow]], shift: int
) -> None:
    """Row, last trade, last update, header: all by the same; the figures stay the day's."""
    columns, told = tape
    path = tmp_path_factory.mktemp("replay") / "a.parquet"
    recording = opened(write(path, columns_of(columns, told)))
    start, end = recording.start, recording.end + 1
    plain = Replay(recording, start=start, end=end)
    shifted = Replay(recording, start=start, end=end, shift=shift)
    assert (shifted.start, shifted.end) == (plain.start + shift, plain.end + shift)
    while due := plain.take(FOREVER, 1):
        (one,) = due
        (other,) = shifted.take(FOREVER, 1)
        t = one.touchline
        assert other.touchline == msgspec.structs.replace(
            t, ltt=t.ltt + shift, lut=t.lut + shift, sent=t.sent + shift
        )
        assert (other.ts, other.sent) == (one.ts + shift, one.sent + shift)
        for key in recording.keys:
            assert (plain.state(key) is None) == (shifted.state(key) is None)


def test_rows_of_a_batch_come_in_blocks(tmp_path: Path) -> None:
    """More rows than are made at a time come whole, whatever the limit."""
    count = 3 * BLOCK_ROWS + 1
    recording = opened(write(tmp_path / "a.parquet", rows(count)))
    assert len(updates(recording, recording.start, recording.end + 1, limit=FOREVER)) == count
    assert len(updates(recording, recording.start, recording.end + 1, limit=100)) == count


def test_a_new_day_begins_anew(tmp_path: Path) -> None:
    """On a new day figures start again, no state is old, yesterday's last price is the close."""
    days = [date(2025, 9, 4), date(2025, 9, 4), date(2025, 9, 5), date(2025, 9, 5)]
    clocks = ("09:15", "15:31", "09:15", "09:16")
    moments = [at(clock, day) for clock, day in zip(clocks, days, strict=True)]
    tokens = [2885, 3045, 3045, 2885]
    columns = rows(4, ts=moments, token=tokens, ltp=[100, 200, 210, 110], ltq=[1, 2, 3, 4])
    recording = opened(write(tmp_path / "a.parquet", columns))
    replay = Replay(recording, start=recording.start, end=recording.end + 1)
    replay.take(moments[2])
    assert replay.state((1, 2885)) is None
    (update,) = replay.take(FOREVER)
    t = update.touchline
    assert (t.open, t.high, t.low, t.close, t.volume) == (11000, 11000, 11000, 10000, 4)


def test_a_day_left_out_gives_no_previous_close(tmp_path: Path) -> None:
    """The last price of a day before the day before is no previous close."""
    moments = [at("15:31", date(2025, 9, 3)), at("09:15", date(2025, 9, 5))]
    recording = opened(write(tmp_path / "a.parquet", rows(2, ts=moments)))
    midnight = ist_midnight(date(2025, 9, 5))
    (update,) = updates(recording, midnight, recording.end + 1)
    assert update.touchline.close == 0


def test_no_rows_in_the_window(tmp_path: Path) -> None:
    """A window without rows is refused, and the recording's own span is told."""
    recording = opened(write(tmp_path / "a.parquet", rows(2)))
    with pytest.raises(RecordingError) as caught:
        Replay(recording, start=at("10:00"), end=at("11:00"))
    assert caught.value.problem == "no row between 2025-09-04 10:00:00 and 2025-09-04 11:00:00 IST"
    assert "2025-09-04 09:15:00 to 2025-09-04 09:15:01 IST" in caught.value.expected
    with pytest.raises(RecordingError):
        Replay(recording, start=recording.start, end=recording.end + 1, keys=[(1, 3045)])


def test_an_update_in_every_form(tmp_path: Path) -> None:
    """Each form of an update decodes to its figures, headed by its time in whole seconds."""
    columns = rows(
        1,
        ts=[at("09:15", ms=250)],
        ltq=[7],
        volume=[100],
        bid_price=[1372.5],
        bid_qty=[10],
        ask_price=[1372.6],
        ask_qty=[20],
        prev_close=[1370.0],
        week_52_high=[1551.0],
        week_52_low=[1115.55],
        open_interest=[3],
        total_buy_qty=[1000],
        total_sell_qty=[2000],
    )
    recording = opened(write(tmp_path / "a.parquet", columns))
    (update,) = updates(recording, recording.start, recording.end + 1)
    t = update.touchline
    assert t == Touchline(
        segment=1,
        token=2885,
        ltp=137260,
        ltq=7,
        volume=100,
        atp=137260,
        bid_qty=10,
        bid=137250,
        ask_qty=20,
        ask=137260,
        total_buy=1000,
        total_sell=2000,
        open=137260,
        high=137260,
        low=137260,
        close=137000,
        ltt=at("09:15", ms=250),
        lut=at("09:15", ms=250),
        high_52=155100,
        low_52=111555,
        open_interest=3,
        sent=at("09:15"),
    )
    text = decode_message(update.text)
    assert isinstance(text, Touchline)
    assert (text.ltp, text.bid, text.lut, text.sent) == (137260, 137250, at("09:15"), at("09:15"))
    native = decode_message(update.native)
    assert isinstance(native, Touchline)
    assert (native.ltp, native.open, native.sent) == (137260, 137260, at("09:15"))
    short = decode_message(update.ltp_text)
    assert short == LtpTouchline(1, 2885, at("09:15"), 137260, 137000, sent=at("09:15"))
    best = decode_message(update.best_five)
    assert isinstance(best, BestFive)
    assert (best.buys, best.sells) == update.levels
    assert [level.price for level in best.buys][:1] == [137250]
    assert update.text is update.text
    assert repr(update) == "<Update 2025-09-04 09:15:00 (1, 2885) ltp=137260>"


def test_depth_of_the_recording(tmp_path: Path) -> None:
    """Levels that the recording tells are used, with orders made up where it tells none."""
    columns = rows(
        1,
        bid_price=[100.0],
        bid_qty=[10],
        bid_orders=[2],
        bid_price_2=[99.95],
        bid_qty_2=[20],
        bid_orders_2=[3],
        bid_price_3=[99.90],
        bid_qty_3=[30],
        ask_price=[100.05],
        ask_qty=[5],
    )
    recording = opened(write(tmp_path / "a.parquet", columns))
    (update,) = updates(recording, recording.start, recording.end + 1)
    buys, sells = update.levels
    assert buys[:2] == (Level(10, 10000, 2), Level(20, 9995, 3))
    assert (buys[2].quantity, buys[2].price) == (30, 9990)
    assert buys[2].orders > 0
    assert buys[3:] == (Level(), Level())
    assert (sells[0].quantity, sells[0].price) == (5, 10005)
    assert sells[1:] == (Level(),) * 4


def test_orders_of_the_best_alone(tmp_path: Path) -> None:
    """A recording that tells the orders of the best level alone keeps them, the rest is made up."""
    columns = rows(
        1, bid_price=[100.0], bid_qty=[10], bid_orders=[9], ask_price=[100.05], ask_qty=[5]
    )
    recording = opened(write(tmp_path / "a.parquet", columns))
    (update,) = updates(recording, recording.start, recording.end + 1)
    buys, sells = update.levels
    assert buys[0] == Level(10, 10000, 9)
    assert all(level.price for level in (*buys, *sells))


def test_prefetching_changes_nothing(tmp_path: Path) -> None:
    """Reading ahead in another thread gives the same updates, and reads a bounded way ahead."""
    columns = rows(2_000, ltp=[100 + i % 50 for i in range(2_000)])
    recording = opened(write(tmp_path / "a.parquet", columns, row_group_size=100))
    plain = touchlines(updates(recording, recording.start, recording.end + 1))
    replay = Replay(recording, start=recording.start, end=recording.end + 1)
    assert [replay.prefetch() for _ in range(3)] == [True, False, False]
    stop = threading.Event()

    def read_ahead() -> None:
        while not stop.is_set():
            replay.prefetch()

    thread = threading.Thread(target=read_ahead)
    thread.start()
    taken: list[Update] = []
    while part := replay.take(FOREVER, 37):
        taken += part
    stop.set()
    thread.join()
    assert touchlines(taken) == plain
    assert not replay.prefetch()


def test_texts_that_are_expected_are_the_same(tmp_path: Path) -> None:
    """Written ahead for some instruments or all, every update says what it says otherwise."""
    recording = opened(write(tmp_path / "a.parquet", rows(300), row_group_size=50))

    def begin() -> Replay:
        return Replay(recording, start=recording.start, end=recording.end + 1)

    plain = [update.text for update in begin().take(FOREVER, FOREVER)]
    for keys in (recording.keys, recording.keys[:1]):
        replay = begin()
        replay.expect_texts(frozenset(keys))
        taken = replay.take(FOREVER, FOREVER)
        assert [update.text for update in taken] == plain
        assert any(update.made_touchline is None for update in taken)


@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the real recordings are not on this machine")
def test_real_recording_replays_whole() -> None:
    """A day recorded from a real feed replays straight from its file, every row once, in order."""
    recording = opened(REAL_DATA / "nse-2021-06-09-seed10-clean.parquet")
    replay = Replay(recording, start=recording.start, end=recording.end + 1)
    assert replay.rows_total == 209_060
    count, last = 0, 0
    while part := replay.take(FOREVER):
        count += len(part)
        assert all(a.ts <= b.ts for a, b in pairwise(part))
        assert last <= part[0].ts
        last = part[-1].ts
        for update in part[::997]:
            t = update.touchline
            assert t.low <= t.ltp <= t.high
            assert t.low <= t.open <= t.high
            assert isinstance(decode_message(update.best_five), BestFive)
    assert count == 209_060
    reliance = replay.state((1, 2885))
    assert reliance is not None
    t = reliance.touchline
    assert (t.open, t.high, t.low, t.ltp) == (221635, 221940, 215830, 217500)
    assert t.volume == 5_265_248
