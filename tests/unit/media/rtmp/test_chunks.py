"""The chunk reader: what real encoders sent, the spec's corners, its bounds, any bytes at all."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediaserver.kernel import limits
from mediaserver.media.rtmp.chunks import ChunkReader, ProtocolError, encode_message
from mediaserver.media.rtmp.vocabulary import Chunk
from tests.captures.manifest import CAPTURES, Capture, Messages
from tests.unit.media.rtmp.wire import basic_header, chunk, control, message

HANDSHAKE_BYTES = 1 + 1536 + 1536
SET_CHUNK_SIZE, ABORT = 1, 2
AUDIO, VIDEO = 8, 9


def read(reader: ChunkReader, *pieces: bytes) -> list[Chunk]:
    found: list[Chunk] = []
    for piece in pieces:
        reader.feed(piece)
        found += reader.messages()
    return found


def times(messages: Iterable[Chunk]) -> list[int]:
    return [one.timestamp for one in messages]


def payloads(messages: Iterable[Chunk]) -> list[bytes]:
    return [one.payload for one in messages]


def fields(one: Chunk) -> tuple[int, int, int, int, bytes]:
    return one.chunk_id, one.timestamp, one.msg_type_id, one.msg_stream_id, one.payload


# What encoders sent -------------------------------------------------------------------------------


def figures(messages: list[Chunk], type_id: int) -> Messages | None:
    of_type = [one for one in messages if one.msg_type_id == type_id]
    if not of_type:
        return None
    return Messages(len(of_type), sum(one.msg_length for one in of_type), of_type[-1].timestamp)


def in_steps(data: bytes, seed: str) -> Iterable[bytes]:
    dice = random.Random(seed)
    at = 0
    while at < len(data):
        step = dice.choice((1, 2, 11, 127, 128, 129, 1_000, 5_000, 70_000))
        yield data[at : at + step]
        at += step


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda capture: capture.name)
def test_captures_match_the_manifest(capture: Capture) -> None:
    data = capture.read()[HANDSHAKE_BYTES:]
    reader = ChunkReader()
    whole = read(reader, data)
    assert figures(whole, VIDEO) == capture.video
    assert figures(whole, AUDIO) == capture.audio
    assert reader.chunk_size == capture.chunk_size
    assert reader.bytes_read == len(data)
    assert reader.buffered_bytes == 0

    expected = [fields(one) for one in whole]
    bytewise = read(ChunkReader(), *(data[at : at + 1] for at in range(len(data))))
    assert [fields(one) for one in bytewise] == expected
    for seed in range(3):
        stepwise = read(ChunkReader(), *in_steps(data, f"{capture.name}{seed}"))
        assert [fields(one) for one in stepwise] == expected


def test_silent_aac_of_equal_sizes_keeps_its_time() -> None:
    """Frames of one size are sent with type 3 headers alone: the delta counts again each time."""
    capture = next(one for one in CAPTURES if one.name == "ffmpeg-5.1-silent-aac")
    messages = read(ChunkReader(), capture.read()[HANDSHAKE_BYTES:])
    audio = [one for one in messages if one.msg_type_id == AUDIO][1:]
    exact_ms = [number * 1024 * 1000 / 48000 for number in range(len(audio))]
    assert all(abs(one.timestamp - ms) < 1 for one, ms in zip(audio, exact_ms, strict=True))


# Time ---------------------------------------------------------------------------------------------


def test_type_3_that_opens_a_message_repeats_the_delta() -> None:
    messages = read(
        ChunkReader(),
        chunk(0, 4, b"a", time=1000),
        chunk(1, 4, b"b", time=21),
        chunk(3, 4, b"c"),
        chunk(3, 4, b"d"),
        chunk(2, 4, b"e", time=5),
        chunk(3, 4, b"f"),
    )
    assert times(messages) == [1000, 1021, 1042, 1063, 1068, 1073]
    assert payloads(messages) == [b"a", b"b", b"c", b"d", b"e", b"f"]


def test_type_3_after_type_0_takes_its_timestamp_as_the_delta() -> None:
    messages = read(ChunkReader(), chunk(0, 4, b"a", time=23), chunk(3, 4, b"b"))
    assert times(messages) == [23, 46]


@pytest.mark.parametrize("repeated", [True, False])
def test_extended_timestamp_on_continuation_repeated_or_left_out(repeated: bool) -> None:
    body = bytes(range(256)) + bytes(44)
    tail = (0x01020304).to_bytes(4, "big") if repeated else b""
    data = chunk(0, 6, body[:128], time=0xFFFFFF, length=300, extended=0x01020304)
    data += basic_header(3, 6) + tail + body[128:256]
    data += basic_header(3, 6) + tail + body[256:]
    data += chunk(0, 6, b"next", time=7)
    for pieces in ([data], [data[at : at + 1] for at in range(len(data))]):
        messages = read(ChunkReader(), *pieces)
        assert times(messages) == [0x01020304, 7]
        assert payloads(messages) == [body, b"next"]


@pytest.mark.parametrize("repeated", [True, False])
def test_extended_delta_on_a_type_3_that_opens_a_message(repeated: bool) -> None:
    delta = 0x01000000
    data = chunk(0, 4, b"aaaa", time=5)
    data += chunk(1, 4, b"bbbb", time=0xFFFFFF, extended=delta)
    data += chunk(3, 4, b"cccc", extended=delta if repeated else None)
    data += chunk(0, 4, b"dddd", time=9)
    messages = read(ChunkReader(), data)
    assert times(messages) == [5, 5 + delta, 5 + 2 * delta, 9]
    assert payloads(messages) == [b"aaaa", b"bbbb", b"cccc", b"dddd"]


def test_a_sum_of_ffffff_is_no_marker() -> None:
    body = bytes(200)
    data = chunk(0, 4, b"a", time=0xFFFFF0)
    data += chunk(1, 4, body[:128], time=0x0F, length=200)
    data += chunk(3, 4, body[128:])
    data += chunk(2, 4, body[:128], time=1) + chunk(3, 4, body[128:])
    assert times(read(ChunkReader(), data)) == [0xFFFFF0, 0xFFFFFF, 0x1000000]


def test_an_extended_timestamp_below_the_marker_is_taken_as_it_is() -> None:
    assert times(read(ChunkReader(), chunk(0, 4, b"a", time=0xFFFFFF, extended=5))) == [5]


def test_time_goes_round_at_32_bits() -> None:
    data = chunk(0, 4, b"a", time=0xFFFFFF, extended=0xFFFFFFF0) + chunk(1, 4, b"b", time=0x20)
    assert times(read(ChunkReader(), data)) == [0xFFFFFFF0, 0x10]


# Messages -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk_id", [2, 63, 64, 319, 320, 65_599])
def test_every_form_of_the_chunk_stream_id(chunk_id: int) -> None:
    data = chunk(0, chunk_id, bytes(128), length=130, time=3) + chunk(3, chunk_id, b"zz")
    for pieces in ([data], [data[at : at + 1] for at in range(len(data))]):
        (found,) = read(ChunkReader(), *pieces)
        assert fields(found) == (chunk_id, 3, AUDIO, 1, bytes(128) + b"zz")
    assert encode_message(message(bytes(130), chunk_id=chunk_id), 128).startswith(
        basic_header(0, chunk_id)
    )


def test_small_ids_in_long_forms_name_the_same_chunk_stream() -> None:
    """The two- and three-byte forms overlap; both name 64 + the number."""
    two = bytes((0 << 6, 70 - 64))
    three = bytes((0 << 6 | 1, 70 - 64, 0))
    header = (0).to_bytes(3, "big") + (1).to_bytes(3, "big") + b"\x08" + bytes(4)
    messages = read(ChunkReader(), two + header + b"a" + three + header + b"b")
    assert [one.chunk_id for one in messages] == [70, 70]


def test_messages_without_a_payload_come_out() -> None:
    data = chunk(0, 4, time=9, type_id=AUDIO) + chunk(3, 4) + chunk(1, 4, b"x", time=1)
    messages = read(ChunkReader(), data)
    assert payloads(messages) == [b"", b"", b"x"]
    assert times(messages) == [9, 18, 19]


def test_chunk_streams_interleave() -> None:
    audio, video = bytes([1]) * 200, bytes([2]) * 300
    data = (
        chunk(0, 6, video[:128], length=300, type_id=VIDEO, time=40)
        + chunk(0, 4, audio[:128], length=200, time=41)
        + chunk(3, 6, video[128:256])
        + chunk(3, 4, audio[128:])
        + chunk(3, 6, video[256:])
    )
    messages = read(ChunkReader(), data)
    assert [fields(one) for one in messages] == [
        (4, 41, AUDIO, 1, audio),
        (6, 40, VIDEO, 1, video),
    ]


def test_abort_drops_the_unfinished_message() -> None:
    data = chunk(0, 4, bytes(128), length=200, time=10)
    data += control(ABORT, 4)
    data += chunk(1, 4, b"new", time=5)
    reader = ChunkReader()
    messages = read(reader, data)
    assert [(one.msg_type_id, one.payload) for one in messages[1:]] == [(AUDIO, b"new")]
    assert reader.buffered_bytes == 0


@pytest.mark.parametrize("payload", [b"", b"\x00", (99).to_bytes(4, "big")])
def test_abort_of_nothing_changes_nothing(payload: bytes) -> None:
    data = chunk(0, 2, payload, type_id=ABORT) + chunk(0, 4, b"x")
    assert payloads(read(ChunkReader(), data)) == [payload, b"x"]


def test_the_chunk_size_may_change_inside_a_message() -> None:
    body = random.Random(1).randbytes(1000)
    data = chunk(0, 6, body[:128], length=1000, type_id=VIDEO)
    data += control(SET_CHUNK_SIZE, 500)
    data += chunk(3, 6, body[128:628])
    data += control(SET_CHUNK_SIZE, 200)
    data += chunk(3, 6, body[628:828]) + chunk(3, 6, body[828:])
    reader = ChunkReader()
    assert payloads(read(reader, data))[-1] == body
    assert reader.chunk_size == 200


# Bounds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 127, 1 << 31, 0xFFFFFFFF])
def test_chunk_sizes_out_of_bounds_are_refused(size: int) -> None:
    with pytest.raises(ProtocolError, match=rf"^chunk size {size}, at least 128$"):
        read(ChunkReader(), control(SET_CHUNK_SIZE, size))


@pytest.mark.parametrize(
    ("asked", "taken"),
    [
        (128, 128),
        (60_000, 60_000),
        (16 * limits.MIB + 1, 16 * limits.MIB),
        ((1 << 31) - 1, 1 << 24),
    ],
)
def test_chunk_sizes_in_bounds_are_taken(asked: int, taken: int) -> None:
    reader = ChunkReader()
    read(reader, control(SET_CHUNK_SIZE, asked))
    assert reader.chunk_size == taken


def test_a_chunk_size_cut_short_is_refused() -> None:
    with pytest.raises(ProtocolError):
        read(ChunkReader(), chunk(0, 2, b"\x00\x10", type_id=SET_CHUNK_SIZE))


def test_one_chunk_stream_too_many_is_refused() -> None:
    reader = ChunkReader()
    ids = range(3, 3 + limits.RTMP_CHUNK_STREAMS_MAX)
    assert len(read(reader, *(chunk(0, chunk_id, b"x") for chunk_id in ids))) == len(ids)
    assert len(read(reader, chunk(0, 3, b"x"))) == 1
    with pytest.raises(ProtocolError, match=r"^more than 32 chunk streams$"):
        read(reader, chunk(0, 3 + limits.RTMP_CHUNK_STREAMS_MAX, b"x"))


def test_an_oversize_message_is_refused_before_its_bytes_come() -> None:
    reader = ChunkReader(message_bytes_max=1000)
    read(reader, chunk(0, 4, bytes(128), length=1000))
    with pytest.raises(ProtocolError, match=r"^message of 1001 bytes, at most 1000$"):
        read(reader, chunk(0, 5, length=1001))


def test_unfinished_messages_share_one_bound() -> None:
    reader = ChunkReader(message_bytes_max=1000)
    read(reader, *(chunk(0, chunk_id, bytes(128), length=900) for chunk_id in range(3, 10)))
    assert reader.buffered_bytes == 7 * 128
    with pytest.raises(ProtocolError, match=r"^unfinished messages exceed 1000 bytes$"):
        read(reader, chunk(0, 10, bytes(128), length=900))


@pytest.mark.parametrize("fmt", [2, 3])
def test_types_2_and_3_need_a_chunk_stream_that_was_opened(fmt: int) -> None:
    with pytest.raises(ProtocolError, match=rf"^chunk of type {fmt} on chunk stream 5, never open"):
        read(ChunkReader(), chunk(fmt, 5, bytes(20)))


def test_type_1_on_a_new_chunk_stream_is_tolerated() -> None:
    (found,) = read(ChunkReader(), chunk(1, 2, bytes(6), time=30, type_id=4))
    assert fields(found) == (2, 30, 4, 0, bytes(6))


@pytest.mark.parametrize("fmt", [0, 1, 2])
def test_a_header_inside_an_unfinished_message_is_refused(fmt: int) -> None:
    reader = ChunkReader()
    read(reader, chunk(0, 4, bytes(128), length=200))
    with pytest.raises(ProtocolError, match=rf"^chunk of type {fmt} inside an unfinished message$"):
        read(reader, chunk(fmt, 4, bytes(20)))


def test_the_bound_may_be_raised_between_two_messages() -> None:
    reader = ChunkReader(message_bytes_max=10)
    reader.feed(chunk(0, 4, b"publish") + chunk(0, 6, bytes(100), type_id=VIDEO))
    found = []
    for one in reader.messages():
        found.append(one.payload)
        reader.message_bytes_max = 100
    assert found == [b"publish", bytes(100)]


# Properties ---------------------------------------------------------------------------------------

MESSAGES = st.builds(
    message,
    st.binary(max_size=700),
    timestamp=st.one_of(
        st.integers(0, 0xFFFFFFFF), st.sampled_from([0, 0xFFFFFE, 0xFFFFFF, 0x1000000, 0xFFFFFFFF])
    ),
    type_id=st.sampled_from([3, 4, AUDIO, VIDEO, 18, 20]),
    stream_id=st.integers(0, 0xFFFFFFFF),
)


def as_chunks(one: Chunk, chunk_size: int) -> list[bytes]:
    """`encode_message`'s bytes, cut where its chunks begin."""
    data = encode_message(one, chunk_size)
    header = len(basic_header(0, one.chunk_id))
    extended = 4 if one.timestamp >= 0xFFFFFF else 0
    end = header + 11 + extended + min(chunk_size, len(one.payload))
    pieces = [data[:end]]
    while end < len(data):
        step = header + extended + chunk_size
        pieces.append(data[end : end + step])
        end += step
    assert b"".join(pieces) == data
    return pieces


@given(st.data())
def test_what_is_encoded_is_read_again_however_it_is_mixed_and_split(data: st.DataObject) -> None:
    chunk_size = data.draw(st.sampled_from([128, 129, 200, 4096, 65_536]))
    ids = data.draw(st.lists(st.integers(3, 65_599), min_size=1, max_size=4, unique=True))
    sent: dict[int, list[Chunk]] = {}
    queues: dict[int, list[bytes]] = {}
    for chunk_id in ids:
        sent[chunk_id] = data.draw(st.lists(MESSAGES, max_size=4))
        for one in sent[chunk_id]:
            one.chunk_id = chunk_id
        queues[chunk_id] = [piece for one in sent[chunk_id] for piece in as_chunks(one, chunk_size)]
    wire = control(SET_CHUNK_SIZE, chunk_size)
    while any(queues.values()):
        chunk_id = data.draw(st.sampled_from([one for one in ids if queues[one]]))
        wire += queues[chunk_id].pop(0)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=8)))
    pieces = [wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True)]

    reader = ChunkReader()
    found = read(reader, *pieces)
    assert found.pop(0).msg_type_id == SET_CHUNK_SIZE
    for chunk_id in ids:
        mine = [fields(one) for one in found if one.chunk_id == chunk_id]
        assert mine == [fields(one) for one in sent[chunk_id]]
    assert reader.buffered_bytes == 0


LIKELY_CHUNKS = st.one_of(
    st.builds(
        chunk,
        st.integers(0, 3),
        st.sampled_from([2, 3, 4, 64, 320]),
        st.binary(max_size=140),
        time=st.sampled_from([0, 20, 0xFFFFFF]),
        length=st.sampled_from([None, 0, 10, 128, 140, 300, 3000, 0xFFFFFF]),
        type_id=st.sampled_from([1, 2, 8, 9]),
        extended=st.sampled_from([None, None, 0, 0x1000000]),
    ),
    st.builds(
        control, st.sampled_from([SET_CHUNK_SIZE, ABORT]), st.sampled_from([2, 4, 128, 1000])
    ),
    st.binary(max_size=20),
)


@settings(max_examples=300)
@given(st.one_of(st.binary(max_size=3000), st.lists(LIKELY_CHUNKS).map(b"".join)), st.data())
def test_any_bytes_are_read_or_refused_within_the_bound(wire: bytes, data: st.DataObject) -> None:
    step = data.draw(st.sampled_from([1, 7, 100, 4000]))
    reader = ChunkReader(message_bytes_max=1000)
    # What is not complete: messages up to their bound, one chunk up to the same, and one read.
    bound = 2 * 1000 + 18 + step
    try:
        for at in range(0, len(wire), step):
            reader.feed(wire[at : at + step])
            for one in reader.messages():
                assert len(one.payload) <= 1000
            assert reader.buffered_bytes <= bound
    except ProtocolError:
        pass
