"""One connection's unsent messages."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode

from streamer.outbox import Outbox, deflated_frame, payload_of, text_frame
from tests.streamer.desk import RELIANCE, SBIN, TCS, messages_in


def frame(number: int) -> bytes:
    """Return a frame that holds a number."""
    return text_frame(b"%d" % number)


def numbers(outbox: Outbox) -> list[object]:
    """Return what waits, read back."""
    return list(messages_in(b"".join(outbox.take())))


@given(st.sampled_from([0, 1, 125, 126, 127, 65535, 65536, 70000]))
def test_a_frame_is_what_the_library_would_have_sent(size: int) -> None:
    """The prepared frame equals websockets' own unmasked text frame, at every size class."""
    payload = b"x" * size
    assert text_frame(payload) == Frame(Opcode.TEXT, payload).serialize(mask=False)
    assert payload_of(text_frame(payload)) == payload


@given(st.binary(max_size=3000), st.integers(9, 15), st.booleans())
def test_every_client_with_permessage_deflate_reads_a_compressed_frame(
    payload: bytes, window_bits: int, takeover: bool
) -> None:
    """Whatever window was agreed on, and whether it keeps the context of earlier messages."""
    framed = deflated_frame(payload)
    head = 2 if framed[1] < 126 else 4
    assert framed == b"\xc1" + text_frame(framed[head:])[1:]
    frame = Frame(Opcode.TEXT, framed[head:], fin=True, rsv1=True)
    reader = PerMessageDeflate(takeover, True, window_bits, 15)
    for _ in range(2):
        assert reader.decode(frame).data == payload


def test_a_client_that_reads_gets_every_update_in_order() -> None:
    """Nothing is conflated while the client keeps up (rule M-3)."""
    outbox = Outbox()
    assert outbox.put_quote(SBIN, frame(1))
    assert not outbox.put_quote(SBIN, frame(2))
    assert not outbox.put(frame(3))
    assert numbers(outbox) == [1, 2, 3]
    assert not outbox


def test_a_slow_client_gets_the_newest_quote_of_each_instrument() -> None:
    """Older quotes give way in place; replies stay in order (rule M-5)."""
    outbox = Outbox()
    outbox.slow = True
    outbox.put_quote(SBIN, frame(1))
    outbox.put(frame(2))
    outbox.put_quote(TCS, frame(3))
    outbox.put_quote(SBIN, frame(4))
    outbox.put(frame(5))
    assert numbers(outbox) == [4, 2, 3, 5]
    assert outbox.conflated == 1


def test_a_slow_client_that_asked_for_all_gets_all_until_the_bound() -> None:
    """With delivery ``all`` nothing is conflated, and the bound shows as overflow (rule M-5)."""
    outbox = Outbox(conflate=False, max_bytes=3 * len(frame(1)))
    outbox.slow = True
    for number in (1, 2, 3):
        outbox.put_quote(SBIN, frame(number))
    assert not outbox.overflow
    outbox.put_quote(SBIN, frame(4))
    assert outbox.overflow
    outbox.put(frame(5))
    assert not outbox


def test_an_unsubscribed_instruments_waiting_quote_is_dropped() -> None:
    """No quote follows the reply of an unsubscribe (rule M-2)."""
    outbox = Outbox()
    outbox.slow = True
    outbox.put_quote(SBIN, frame(1))
    outbox.put_quote(TCS, frame(2))
    outbox.drop_quote(SBIN)
    outbox.drop_quote(RELIANCE)
    outbox.put(frame(3))
    outbox.put_quote(SBIN, frame(4))
    assert numbers(outbox) == [2, 3, 4]


def test_no_quote_overtakes_a_notice() -> None:
    """After ``seal`` a newer quote no longer takes an older one's place before the notice (H-2)."""
    outbox = Outbox()
    outbox.slow = True
    outbox.put_quote(SBIN, frame(1))
    outbox.seal()
    outbox.put(frame(2))
    outbox.put_quote(SBIN, frame(3))
    assert numbers(outbox) == [1, 2, 3]


@given(st.lists(st.tuples(st.sampled_from([SBIN, TCS, None]), st.integers(0, 9))), st.booleans())
def test_the_size_is_what_waits(
    puts: list[tuple[tuple[int, int] | None, int]], conflate: bool
) -> None:
    """A slow client's outbox knows its bytes, and never drops a reply."""
    outbox = Outbox(conflate=conflate)
    outbox.slow = True
    for key, number in puts:
        if key is None:
            outbox.put(frame(number))
        else:
            outbox.put_quote(key, frame(number))
    size = outbox.size
    data = b"".join(outbox.take())
    assert len(data) == size
    replies = [number for key, number in puts if key is None]
    found = messages_in(data)
    assert len(found) >= len(replies)
    assert outbox.size == 0
