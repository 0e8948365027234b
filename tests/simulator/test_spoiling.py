from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.faults import CATALOGUE, Layer, Planned, parse_planned
from simulator.spoiling import Spoiler, Spoilt, spoilt_frame, with_fields
from simulator.updates import Update
from streamer.errors import FrameError, MessageError
from streamer.odin.framing import ResponseDecoder, encode_frames
from streamer.odin.messages import Heartbeat, Touchline, decode_message, encode_heartbeat
from tests.simulator.tapes import OPEN, SECOND, counted_rows, replay_of

AT_S = 9 * 3600 + 15 * 60
MESSAGE_FAULTS = [fault.name for fault in CATALOGUE if fault.layer is Layer.MESSAGE]
FRAME_FAULTS = [fault.name for fault in CATALOGUE if fault.layer is Layer.FRAME]


@pytest.fixture
def updates(tmp_path: Path) -> list[Update]:
    """Two seconds of two instruments that take turns."""
    return replay_of(tmp_path / "tape.parquet", counted_rows(200)).take(OPEN + 2 * SECOND)


def on(text: str, second: int = 0) -> list[tuple[int, Planned]]:
    """Return a fault, numbered, if it is on in a second after the open."""
    planned = parse_planned(text)
    return [(1, planned)] if planned.is_on(AT_S + second) else []


def spoil(text: str, updates: list[Update], *, seed: int = 0, size: int = 1000) -> list[bytes]:
    """Return the texts that a fault sends for updates, given ``size`` at a time."""
    spoiler = Spoiler(seed)
    sent = []
    for second in range(3):
        sent += spoiler.turn_to(on(text, second))
        due = [each for each in updates if (each.ts - OPEN) // SECOND == second]
        for start in range(0, len(due), size):
            sent += spoiler.spoil(due[start : start + size])
    return [update.text for update in [*sent, *spoiler.release()]]


@pytest.mark.parametrize("name", [*MESSAGE_FAULTS, "burst", "mute"])
def test_what_is_sent_follows_from_the_seed_alone(name: str, updates: list[Update]) -> None:
    """However many updates are due together; outside its time a fault changes nothing."""
    text = f"{name}@09:15:00+1s" if name in ("burst", "mute") else f"{name}:share=0.5@09:15:00+1s"
    whole = spoil(text, updates)
    assert spoil(text, updates, size=7) == whole
    assert whole != [update.text for update in updates] or name == "burst"
    assert whole[-100:] == [update.text for update in updates[100:]]
    if name not in ("burst", "mute"):
        assert spoil(text, updates, seed=1) != whole


@pytest.mark.parametrize("name", ["missing-tag", "non-numeric", "negative-price"])
def test_an_unusable_update_is_refused_by_the_reader(name: str, updates: list[Update]) -> None:
    """And only for the field that was spoilt: its length is told right."""
    for text in spoil(f"{name}@09:15:00", updates)[:100]:
        assert b"|65=%d|" % len(text) in text
        with pytest.raises(MessageError) as refused:
            decode_message(text)
        assert refused.value.tag == 8


@pytest.mark.parametrize(
    ("name", "moved_s"), [("stale-time", -300), ("time-ahead", 3600), ("date-change", 86_400)]
)
def test_faults_of_time_leave_the_header_alone(
    name: str, moved_s: int, updates: list[Update]
) -> None:
    """Tags 73 and 74 move; tag 66, which is the clock, does not, nor does anything else."""
    for update, text in zip(updates[:100], spoil(f"{name}@09:15:00", updates), strict=False):
        told, was = decode_message(text), decode_message(update.text)
        assert isinstance(told, Touchline)
        assert isinstance(was, Touchline)
        assert told.sent == was.sent == update.sent
        assert told.lut == was.lut + moved_s * SECOND
        assert told.ltt == was.ltt + moved_s * SECOND
        assert (told.key, told.ltp, told.volume) == (was.key, was.ltp, was.volume)


def test_an_unknown_token_goes_to_who_asked_for_the_known_one(updates: list[Update]) -> None:
    """Its key is the instrument's, its text is about another one."""
    spoiler = Spoiler(0)
    spoiler.turn_to(on("unknown-token:token=42@09:15:00"))
    (sent,) = spoiler.spoil(updates[:1])
    assert sent.key == updates[0].key
    message = decode_message(sent.text)
    assert isinstance(message, Touchline)
    assert message.key == (1, 42)


def test_every_form_of_text_is_spoilt(updates: list[Update]) -> None:
    """Touchline, LTP touchline and best five; a native block is left as it is."""
    spoiler = Spoiler(0)
    spoiler.turn_to(on("non-numeric@09:15:00"))
    (sent,) = spoiler.spoil(updates[:1])
    assert isinstance(sent, Spoilt)
    for text in (sent.text, sent.ltp_text, sent.best_five):
        assert b"|8=abc|" in text
        with pytest.raises(MessageError):
            decode_message(text)
    assert sent.native == updates[0].native


def test_reordering_stays_within_its_windows(updates: list[Update]) -> None:
    """Each window holds the updates that it would have held, and none is held over a second."""
    was = [update.text for update in updates]
    sent = spoil("reorder:window=8@09:15:00+1s", updates)
    assert sent != was
    for start in range(0, 96, 8):
        assert sorted(sent[start : start + 8]) == sorted(was[start : start + 8])
    assert sorted(sent[96:100]) == sorted(was[96:100])
    assert sent[100:] == was[100:]


def test_a_burst_is_in_order(updates: list[Update]) -> None:
    """What was held comes first, then what follows."""
    assert spoil("burst@09:15:00+1s", updates) == [update.text for update in updates]
    held = Spoiler(0)
    held.turn_to(on("burst@09:15:00+2s"))
    assert held.spoil(updates[:100]) == []
    assert held.turn_to(on("burst@09:15:00+2s", 1)) == []
    assert held.turn_to(on("burst@09:15:00+2s", 2)) == updates[:100]


def test_lost_updates_are_told(updates: list[Update]) -> None:
    """Each once, with the fault that swallowed it."""
    lost: list[tuple[object, str]] = []
    spoiler = Spoiler(3, lambda update, fault: lost.append((update, fault)))
    spoiler.turn_to(on("drop:share=0.5@09:15:00+1s"))
    sent = spoiler.spoil(updates[:100])
    assert {fault for _, fault in lost} == {"drop"}
    all_of_them = [*sent, *(each for each, _ in lost)]
    assert {id(each) for each in all_of_them} == {id(each) for each in updates[:100]}
    assert len(all_of_them) == 100


def test_falling_volume_tells_earlier_figures(updates: list[Update]) -> None:
    """Volume and price are together those of an earlier update of the same instrument."""
    known = set()
    for update in updates:
        known.add((update.key, update.ltp, update.touchline.volume))
    volumes = []
    for text in spoil("volume-falling:back=2@09:15:00+1s", updates)[:10]:
        message = decode_message(text)
        assert isinstance(message, Touchline)
        assert (message.key, message.ltp, message.volume) in known
        volumes.append(message.volume)
    assert volumes == [1, 1, 2, 2, 1, 1, 2, 2, 3, 3]


@given(st.binary(max_size=3), st.integers(1, 200))
def test_an_edited_text_tells_its_length(value: bytes, padding: int) -> None:
    """Whatever the edit does to the number of digits of its length."""
    value = b"".join(b"%d" % byte for byte in value) * padding
    text = with_fields(encode_heartbeat(OPEN, "echo"), {351: lambda _: value}, b"7777=x")
    assert b"|65=%d|" % len(text) in text
    message = decode_message(text)
    assert isinstance(message, Heartbeat)
    assert message.echo == value.decode()


@pytest.mark.parametrize("name", FRAME_FAULTS)
def test_a_spoilt_frame_is_read_or_lost(name: str) -> None:
    """Never misread: the reader finds the same texts, none, or the end of the stream."""
    texts = [encode_heartbeat(OPEN + second * SECOND, "echo") for second in range(20)]
    (frame,) = encode_frames(texts)
    planned = parse_planned(f"{name}@09:15:00")
    (whole,) = ResponseDecoder().feed(frame)
    for seed in range(50):
        decoder = ResponseDecoder()
        bodies: list[bytes] = []
        has_ended = False
        try:
            for message in spoilt_frame(planned, frame, OPEN, random.Random(seed)):
                bodies += decoder.feed(message)
            bodies += decoder.feed(frame)
        except FrameError:
            has_ended = True
        match name:
            case "bad-header" | "wrong-length":
                assert has_ended
                assert bodies == []
            case "truncated-zlib" | "corrupt-zlib":
                assert bodies == [whole]
                assert decoder.lost_frames == 1
            case "joined-frames":
                assert bodies[1:] == [whole, whole]
            case _:
                assert bodies == [whole, whole]
