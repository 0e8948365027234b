from __future__ import annotations

import contextlib
import zlib
from time import thread_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.errors import FrameError
from streamer.odin import framing
from streamer.odin.framing import (
    HEADER_BYTES,
    MAX_BODY_BYTES,
    MAX_REQUEST_BYTES,
    MAX_STREAM_BYTES,
    TARGET_BODY_BYTES,
    Dialect,
    RequestDecoder,
    ResponseDecoder,
    Run,
    cut_body,
    encode_frames,
    encode_queue,
    encode_request_frame,
    split_body,
)
from tests.strategies import chunked

TEXT = b"63=FT3.0|64=350|65=46|66=04092026 101500|351=1"
OTHER = b"63=FT3.0|64=350|65=46|66=04092026 101500|351=2"

ascii_texts = st.text(
    st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=300
).map(lambda text: b"63=FT3.0|64=1|" + text.encode())


def frame(content: bytes, *, flag: int = 5, length: int | None = None) -> bytes:
    """Return a frame around a zlib stream of ``content``, with any length in its header."""
    stream = zlib.compress(content)
    return b"%c%05d%b" % (flag, len(stream) if length is None else length, stream)


def inner(text: bytes, length: int | None = None) -> bytes:
    """Return one text behind its inner header, with any length in it."""
    return b"\x02%05d%b" % (len(text) if length is None else length, text)


def bodies(frames: list[bytes]) -> list[bytes]:
    """Return what a new decoder makes of ``frames``."""
    decoder = ResponseDecoder()
    return [body for data in frames for body in decoder.feed(data)]


class TestEncoding:
    @given(st.lists(ascii_texts, max_size=30), st.sampled_from([1, 6, 9]))
    def test_texts_come_out_as_they_went_in(self, texts: list[bytes], level: int) -> None:
        """Any texts at any compression level survive frames, in order."""
        frames = encode_frames(texts, level)
        assert [text for body in bodies(frames) for text in split_body(body)] == texts

    @given(st.lists(ascii_texts, max_size=30))
    def test_they_do_without_the_accelerator(self, texts: list[bytes]) -> None:
        """Where isal is not installed zlib does its work, and any reader reads either."""
        assert framing.FAST_COMPRESS is not None
        fast = encode_frames(texts, 1)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(framing, "FAST_COMPRESS", None)
            plain = encode_frames(texts, 1)
        assert bodies(fast) == bodies(plain)
        assert [zlib.decompress(frame[HEADER_BYTES:]) for frame in fast] == bodies(plain)

    @given(st.lists(st.integers(50, 30_000), min_size=1, max_size=20))
    def test_no_frame_is_longer_than_clients_bear(self, sizes: list[int]) -> None:
        """Bodies stay under 60 KiB; each frame is one whole frame of its own."""
        frames = encode_frames([b"x" * size for size in sizes])
        for data in frames:
            (body,) = bodies([data])
            assert len(body) <= TARGET_BODY_BYTES
            assert int(data[1:6]) == len(data) - HEADER_BYTES

    @given(
        pieces=st.lists(st.one_of(ascii_texts, st.lists(ascii_texts, max_size=12)), max_size=12),
        batch=st.integers(1, 9),
        padding=st.sampled_from([0, 20_000]),
        skipped=st.integers(0, 3),
    )
    def test_runs_are_framed_as_their_texts_are(
        self, pieces: list[bytes | list[bytes]], batch: int, padding: int, skipped: int
    ) -> None:
        """Texts that stand side by side already give the frames of each so many, one by one."""
        texts: list[bytes] = []
        queue: list[bytes | Run] = []
        for piece in pieces:
            if isinstance(piece, bytes):
                queue.append(piece)
                texts.append(piece)
                continue
            longer = [text + b"x" * padding for text in piece]
            framed = [inner(OTHER)] * skipped + [inner(text) for text in longer]
            marks = [sum(map(len, framed[:count])) for count in range(len(framed) + 1)]
            run = Run(memoryview(b"".join(framed)), marks[skipped:])
            assert run.texts() == longer
            queue.append(run)
            texts += longer
        expected: list[bytes] = []
        for start in range(0, len(texts), batch):
            expected += encode_frames(texts[start : start + batch], 1)
        assert encode_queue(queue, batch, 1) == expected

    def test_a_longer_text_travels_alone(self) -> None:
        """A text over 60 KiB is neither cut nor joined with its neighbours."""
        texts = [TEXT, b"y" * 90_000, OTHER]
        assert [split_body(body) for body in bodies(encode_frames([TEXT, OTHER]))] == [
            [TEXT, OTHER]
        ]
        assert [len(body) for body in bodies(encode_frames(texts))] == [
            len(TEXT) + 6,
            90_006,
            len(OTHER) + 6,
        ]

    def test_what_five_digits_cannot_count_is_refused(self) -> None:
        """A text or a stream over 99,999 bytes is never written with a wrong length."""
        with pytest.raises(ValueError, match="99999"):
            encode_frames([b"x" * (MAX_STREAM_BYTES + 1)])
        noise = b"".join(zlib.crc32(b"%d" % i).to_bytes(4, "big") for i in range(26_000))
        with pytest.raises(ValueError, match="99999"):
            encode_request_frame(noise, Dialect.PLAIN)

    def test_nothing_to_say_makes_no_frame(self) -> None:
        """No messages, no bytes."""
        assert encode_frames([]) == []

    def test_the_two_dialects_differ_in_length_and_trailer(self) -> None:
        """Both lengths equal the number of bytes behind the header."""
        plain = encode_request_frame(TEXT, Dialect.PLAIN)
        plus_four = encode_request_frame(TEXT, Dialect.PLUS_FOUR)
        assert not plain.endswith(bytes(4))
        assert plus_four.endswith(bytes(4))
        for data in (plain, plus_four):
            assert int(data[1:6]) == len(data) - HEADER_BYTES


class TestDecoding:
    @given(st.data(), st.lists(ascii_texts, min_size=1, max_size=8))
    def test_any_chunking_gives_the_same_bodies(
        self, data: st.DataObject, texts: list[bytes]
    ) -> None:
        """Frames cut anywhere and joined anyhow are the same frames."""
        stream = b"".join(encode_frames([text])[0] for text in texts)
        pieces = data.draw(chunked(stream))
        assert bodies(pieces) == [inner(text) for text in texts]

    @given(st.data(), st.lists(ascii_texts, min_size=1, max_size=8))
    def test_any_chunking_gives_the_same_requests(
        self, data: st.DataObject, texts: list[bytes]
    ) -> None:
        """The dialects may even be mixed."""
        stream = b"".join(
            encode_request_frame(text, data.draw(st.sampled_from(Dialect))) for text in texts
        )
        decoder = RequestDecoder()
        found = [text for piece in data.draw(chunked(stream)) for text in decoder.feed(piece)]
        assert found == texts
        assert decoder.unparsed_bytes == 0

    def test_byte_by_byte(self) -> None:
        """One byte at a time is a chunking too."""
        stream = frame(TEXT) + frame(OTHER)
        assert bodies([stream[i : i + 1] for i in range(len(stream))]) == [TEXT, OTHER]

    @pytest.mark.parametrize("trailer", [b"\x00", bytes(4), bytes(1000)])
    def test_nuls_between_frames_are_skipped(self, trailer: bytes) -> None:
        """Some senders append NULs that their length does not count."""
        assert bodies([frame(TEXT) + trailer + frame(OTHER) + trailer]) == [TEXT, OTHER]

    def test_a_counted_trailer_is_ignored(self) -> None:
        """What stands behind the end of a zlib stream is not looked at."""
        stream = zlib.compress(TEXT) + bytes(4)
        assert bodies([b"\x05%05d%b" % (len(stream), stream) + frame(OTHER)]) == [TEXT, OTHER]

    def test_flag_2_is_inflated_or_else_taken_as_it_is(self) -> None:
        """Senders of flag 2 compress or not; the bytes tell which."""
        assert bodies([frame(TEXT, flag=2)]) == [TEXT]
        assert bodies([b"\x02%05d%b" % (len(TEXT), TEXT)]) == [TEXT]

    @pytest.mark.parametrize(
        "bad",
        [
            b"\x0500000",
            b"\x0500008notzlib!",
            b"\x05%05d%b" % (20, zlib.compress(TEXT)[:20]),
            b"\x05%05d%b\xff\xff\xff\xff" % (len(zlib.compress(TEXT)), zlib.compress(TEXT)[:-4]),
        ],
        ids=["length 0", "no zlib", "cut", "wrong checksum"],
    )
    def test_a_frame_that_does_not_inflate_is_lost_alone(self, bad: bytes) -> None:
        """Its end is certain, so its neighbours are read; the loss is counted and described."""
        decoder = ResponseDecoder()
        assert decoder.feed(frame(TEXT) + bad + frame(OTHER)) == [TEXT, OTHER]
        assert decoder.lost_frames == 1
        assert f"at byte {len(frame(TEXT))} " in str(decoder.last_problem)

    @pytest.mark.parametrize(
        ("decoder", "limit"),
        [(RequestDecoder(), MAX_REQUEST_BYTES), (ResponseDecoder(), MAX_BODY_BYTES)],
    )
    def test_a_bomb_is_lost_and_never_inflated(
        self, decoder: RequestDecoder | ResponseDecoder, limit: int
    ) -> None:
        """Exactly the limit is taken, one byte more is not."""
        assert [len(content) for content in decoder.feed(frame(bytes(limit)))] == [limit]
        assert decoder.feed(frame(bytes(limit + 1)) + frame(OTHER)) == [OTHER]
        assert decoder.lost_frames == 1

    @pytest.mark.parametrize(
        ("garbage", "offset"),
        [
            (b"garbage" + frame(TEXT), 0),
            (b"\x05\xff\xfe\xfd\xfc\xfb" + frame(TEXT), 0),
            (frame(TEXT) + b"\x0500x", len(frame(TEXT))),
            (frame(TEXT) + b"\x01", len(frame(TEXT))),
            (frame(TEXT, length=10), 16),
        ],
    )
    def test_what_is_no_frame_ends_the_stream(self, garbage: bytes, offset: int) -> None:
        """The error tells the place, and a broken decoder never recovers silently."""
        decoder = ResponseDecoder()
        with pytest.raises(FrameError) as raised:
            decoder.feed(garbage)
        assert raised.value.offset == offset
        with pytest.raises(FrameError):
            decoder.feed(frame(TEXT))
        assert decoder.unparsed_bytes == 0

    def test_the_offset_counts_from_the_beginning_of_the_connection(self) -> None:
        """Offsets are those of the stream, however it was cut."""
        decoder = ResponseDecoder()
        decoder.feed(frame(TEXT)[:9])
        decoder.feed(frame(TEXT)[9:])
        with pytest.raises(FrameError) as raised:
            decoder.feed(b"?")
        assert raised.value.offset == len(frame(TEXT))

    def test_a_length_of_six_digits_does_not_desynchronise(self) -> None:
        """A known client overwrites the first digit: the stream ends there, loudly."""
        stream = zlib.compress(bytes(100_000), 0)
        digits = b"%06d" % len(stream)
        decoder = RequestDecoder()
        with pytest.raises(FrameError):
            decoder.feed(b"\x05" + digits[1:] + stream + frame(TEXT))

    @given(st.lists(st.binary(max_size=200), max_size=5))
    def test_garbage_ends_in_the_documented_error_or_in_nothing(self, pieces: list[bytes]) -> None:
        """No bytes raise anything else, and no more than one frame is kept."""
        for decoder in (RequestDecoder(), ResponseDecoder()):
            with contextlib.suppress(FrameError):
                for piece in pieces:
                    decoder.feed(piece)
            assert decoder.unparsed_bytes < MAX_STREAM_BYTES + HEADER_BYTES

    @given(
        st.data(),
        st.binary(max_size=60).map(lambda noise: noise.replace(b"\x02", b"")),
        st.integers(0, 200),
    )
    def test_damaged_streams_never_give_a_text_that_was_not_sent(
        self, data: st.DataObject, noise: bytes, place: int
    ) -> None:
        """
        Whatever is overwritten in a stream, what comes out is what was sent, or less.

        Flag 2 is left out of the noise: it says that what follows is the text itself.
        """
        stream = frame(TEXT) + frame(OTHER)
        damaged = stream[:place] + noise + stream[place + len(noise) :]
        decoder = ResponseDecoder()
        found: list[bytes] = []
        with contextlib.suppress(FrameError):
            for piece in data.draw(chunked(damaged)):
                found += decoder.feed(piece)
        assert set(found) <= {TEXT, OTHER}


class TestCutting:
    @given(st.lists(ascii_texts, max_size=10))
    def test_without_inner_headers_a_body_is_cut_at_its_marks(self, texts: list[bytes]) -> None:
        """Real senders have been seen to leave the lengths out."""
        body = b"\x02".join(texts)
        assert split_body(body) == texts

    @pytest.mark.parametrize(
        ("body", "texts"),
        [
            (inner(TEXT), [TEXT]),
            (inner(TEXT) + inner(OTHER), [TEXT, OTHER]),
            (inner(TEXT).replace(b"\x02", b"\x05"), [TEXT]),
            (inner(TEXT) + b"\x00" + inner(OTHER) + b"\x00\x00", [TEXT, OTHER]),
            (inner(TEXT + b"\x00") + inner(OTHER + b"\x00"), [TEXT, OTHER]),
            (TEXT, [TEXT]),
            (b"\x02" + TEXT + b"\x02" + OTHER, [TEXT, OTHER]),
            (TEXT + b"\x00\x00", [TEXT]),
            (inner(TEXT, len(TEXT) + 10), [TEXT]),
            (inner(TEXT, len(TEXT) - 10), [TEXT]),
            (inner(TEXT, 0) + inner(OTHER), [TEXT, OTHER]),
            (b"", []),
            (bytes(10), []),
        ],
    )
    def test_accepted_variants(self, body: bytes, texts: list[bytes]) -> None:
        """Lengths win while they are consistent; else a text must tell its own length."""
        assert cut_body(body) == (texts, [])

    @pytest.mark.parametrize(
        ("body", "texts"),
        [
            (inner(TEXT[:-1], 99) + inner(OTHER), [OTHER]),
            (inner(OTHER) + inner(TEXT[:-1], 99), [OTHER]),
            (b"junk" + inner(OTHER), [OTHER]),
            (b"\x0200004", []),
            (inner(b"63=FT3.0|64=209|65=109|66=|50=" + b"x" * 64, 80), []),
            (b"\x02" + TEXT + b"\x02??\x02!!" + inner(OTHER), [TEXT, OTHER]),
        ],
    )
    def test_a_text_that_may_have_been_cut_is_left_out_and_told(
        self, body: bytes, texts: list[bytes]
    ) -> None:
        """A price whose last digits are missing looks like a price."""
        found, problems = cut_body(body)
        assert found == texts
        assert len(problems) == 1

    def test_a_native_block_may_hold_any_bytes(self) -> None:
        """With lengths that fit, marks and NULs inside a block mean nothing."""
        native = b"63=FT3.0|64=209|65=109|66=04092026 101500|50=" + b"\x02\x0000001|50=\x05" * 6
        body = inner(native) + inner(TEXT)
        assert split_body(body) == [native, TEXT]

    @given(st.binary(max_size=300))
    def test_garbage_is_cut_in_the_end(self, body: bytes) -> None:
        """Any body is cut, without an error and without adding bytes."""
        texts, _ = cut_body(body)
        assert sum(map(len, texts)) <= len(body)

    @pytest.mark.parametrize(
        "unit", [b"\x02", b"\x0263=F", b"\x0263=F\x02?", b"\x0200000", b"63=F|50=", b"\x00?"]
    )
    def test_the_largest_body_is_cut_in_time_that_grows_with_it_alone(self, unit: bytes) -> None:
        """No body of a mebibyte keeps the reader busy for seconds."""
        body = unit * (MAX_BODY_BYTES // len(unit))
        start = thread_time()
        cut_body(body)
        assert thread_time() - start < 5
