"""The log of a case keeps what is needed to understand it, and stays small."""

from __future__ import annotations

from conformance.wire import MAX_FRAMES, MAX_TEXT, WireLog


def test_frames_are_kept_in_order_with_their_times() -> None:
    """What went out, came in and was done, by connection."""
    log = WireLog()
    log.add("peer 1", "out", '{"action":"ping"}')
    log.note("time passes")
    log.add("peer 1", "in", b"\x00\xff")
    frames = log.frames()
    assert [(frame.peer, frame.direction) for frame in frames] == [
        ("peer 1", "out"),
        ("", "note"),
        ("peer 1", "in"),
    ]
    assert frames[2].text == r"binary: b'\x00\xff'"
    assert frames[0].ms <= frames[1].ms <= frames[2].ms


def test_a_long_frame_is_cut() -> None:
    """What is cut is told."""
    log = WireLog()
    log.add("p", "in", "x" * (MAX_TEXT + 5))
    assert log.frames()[0].text.endswith(f"… ({MAX_TEXT + 5} characters in all)")


def test_the_middle_of_very_many_is_left_out() -> None:
    """The first and the last frames stay, and how many are missing is told."""
    log = WireLog()
    for number in range(MAX_FRAMES + 50):
        log.add("p", "in", str(number))
    kept = [frame.text for frame in log.frames()]
    assert len(kept) == MAX_FRAMES
    assert log.left_out == 50
    assert kept[0] == "0"
    assert kept[-1] == str(MAX_FRAMES + 49)
