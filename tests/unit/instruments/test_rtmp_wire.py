"""The raw RTMP client, its chunks, AMF0 and FLV, and the replay of captures."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import math

import pytest

from tests.captures.manifest import CAPTURES, Capture, capture
from tests.rtmp import amf
from tests.rtmp.chunks import (
    AUDIO,
    COMMAND,
    USER_CONTROL,
    VIDEO,
    ChunkReader,
    basic_header,
    chunks,
    message_header,
)
from tests.rtmp.clips import CLIP_S, clip, frames, headers, looped
from tests.rtmp.flv import FlvTag, aac_config, aac_frame, avc_config, avc_end, avc_frame, read_flv
from tests.rtmp.replay import PREFACE_BYTES, messages, replay, script
from tests.rtmp.wire import NoAnswer, PublishUrl, RtmpClient, open_publisher
from tests.unit.instruments.rtmp_server import scripted_server

# captures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", CAPTURES, ids=lambda entry: entry.name)
def test_each_capture_holds_what_the_manifest_says(entry: Capture) -> None:
    assert hashlib.sha256(entry.read()).hexdigest() == entry.sha256
    found = messages(entry)
    for type_id, expected in ((VIDEO, entry.video), (AUDIO, entry.audio)):
        kind = [message for message in found if message.type_id == type_id]
        if expected is None:
            assert kind == []
            continue
        assert len(kind) == expected.count
        assert sum(len(message.payload) for message in kind) == expected.payload_bytes
        assert kind[-1].timestamp == expected.last_ms


@pytest.mark.parametrize("entry", CAPTURES, ids=lambda entry: entry.name)
def test_a_replay_differs_only_in_the_stream_key(entry: Capture) -> None:
    key = "k" * 43
    steps = script(entry, key)
    data = steps.until_publish + b"".join(piece for _, piece in steps.media)
    assert len(data) == len(entry.read()) - PREFACE_BYTES + len(steps.until_publish) - _until(entry)
    found = ChunkReader().feed(data)
    original = messages(entry)
    assert len(found) == len(original)
    for ours, theirs in zip(found, original, strict=True):
        if theirs.type_id == COMMAND and amf.decode(theirs.payload)[0] == "publish":
            assert amf.decode(ours.payload)[3] == key
            continue
        assert (ours.type_id, ours.timestamp, ours.payload) == (
            theirs.type_id,
            theirs.timestamp,
            theirs.payload,
        )


def _until(entry: Capture) -> int:
    for message in messages(entry):
        if message.type_id == COMMAND and amf.decode(message.payload)[0] == "publish":
            return message.end - PREFACE_BYTES
    raise AssertionError


async def test_a_capture_is_replayed_through_a_socket() -> None:
    entry = capture("gstreamer-1.22-rtmp2sink")
    async with scripted_server() as server:
        client = await replay(entry, server.url, speed=100)
        await client.close()
        await asyncio.wait_for(server.ended.wait(), 5)
        video = [message for message in server.messages if message.type_id == VIDEO]
        assert entry.video is not None
        assert len(video) == entry.video.count


# chunks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("csid", [2, 3, 63, 64, 319, 320, 65_599])
@pytest.mark.parametrize("timestamp", [0, 1, 0xFFFFFE, 0xFFFFFF, 0x1000000, 0xFFFFFFFF])
@pytest.mark.parametrize("size", [0, 1, 128, 129, 1000])
def test_chunks_are_read_back(csid: int, timestamp: int, size: int) -> None:
    payload = bytes(index % 251 for index in range(size))
    data = chunks(payload, csid=csid, type_id=VIDEO, stream_id=1, timestamp=timestamp)
    for step in (1, 7, 100_000):
        reader = ChunkReader()
        found = [
            message
            for at in range(0, len(data), step)
            for message in reader.feed(data[at : at + step])
        ]
        assert [(m.csid, m.timestamp, m.payload, m.stream_id) for m in found] == [
            (csid, timestamp, payload, 1)
        ]
        assert (found[0].start, found[0].end) == (0, len(data))


def test_a_type_3_chunk_that_opens_a_message_advances_time() -> None:
    data = chunks(b"abc", csid=4, type_id=AUDIO, timestamp=100)
    data += chunks(b"def", csid=4, type_id=AUDIO, timestamp=21, fmt=1)
    data += chunks(b"ghi", csid=4, type_id=AUDIO, timestamp=22, fmt=2)
    data += chunks(b"jkl", csid=4, type_id=AUDIO, fmt=3) * 2
    assert [m.timestamp for m in ChunkReader().feed(data)] == [100, 121, 143, 165, 187]


def test_headers_have_the_sizes_of_the_specification() -> None:
    assert [len(basic_header(0, csid)) for csid in (2, 63, 64, 319, 320, 65_599)] == [
        *(1, 1, 2, 2, 3, 3)
    ]
    assert [len(message_header(fmt, 3)) for fmt in (0, 1, 2, 3)] == [12, 8, 4, 1]
    assert len(message_header(0, 3, timestamp=0xFFFFFF)) == 16


def test_an_unseen_chunk_stream_at_type_3_is_an_error() -> None:
    with pytest.raises(ValueError, match="unseen"):
        ChunkReader().feed(message_header(3, 9) + bytes(20))


# AMF0 and FLV -------------------------------------------------------------------------------------


def test_amf_is_read_back() -> None:
    value = {
        "number": 1.5,
        "yes": True,
        "none": None,
        "text": "é",
        "long": "x" * 70_000,
        "list": ["hvc1", 2.0, [None]],
        "map": {"a": {"b": False}},
    }
    assert amf.decode(amf.encode("name", 7, value)) == ["name", 7.0, value]
    assert amf.decode(amf.encode(amf.EcmaArray(a=1))) == [{"a": 1.0}]
    (number,) = amf.decode(amf.encode(math.nan))
    assert isinstance(number, float)
    assert math.isnan(number)
    assert amf.decode(amf.encode(amf.Undefined)) == [None]


def test_nested_amf_is_as_deep_as_it_says() -> None:
    (value,) = amf.decode(amf.nested(100))
    depth = 0
    while isinstance(value, dict):
        value, depth = value["a"], depth + 1
    assert depth == 100


@pytest.mark.parametrize("cut", [1, 5, 10])
def test_amf_that_is_cut_short_is_an_error(cut: int) -> None:
    with pytest.raises(ValueError):
        amf.decode(amf.encode("name", 1.0)[:-cut])


def test_tag_makers() -> None:
    assert avc_config(b"\x01").is_header
    assert not avc_config(b"\x01").is_keyframe
    assert avc_frame(b"x", 5, key=True).is_keyframe
    assert avc_frame(b"x", 5, key=False, cts_ms=-1).payload == b"\x27\x01\xff\xff\xffx"
    assert avc_end(9).is_end
    assert aac_config(b"\x12\x10").is_header
    assert not aac_frame(b"x", 1).is_header


def test_a_clip_is_whole_gops_and_whole_aac_frames() -> None:
    tags = clip(bframes=2)
    assert [tag.kind for tag in headers(tags)] in ([VIDEO, AUDIO], [AUDIO, VIDEO])
    body = frames(tags, CLIP_S * 1000)
    video = [tag for tag in body if tag.kind == VIDEO]
    assert len(video) == 30 * CLIP_S
    assert [tag.ms for tag in video if tag.is_keyframe] == [0, 2000, 4000, 6000]
    assert len([tag for tag in body if tag.kind == AUDIO]) == 375


def test_a_loop_goes_on_without_a_seam_and_wraps() -> None:
    start = 2**32 - 9_000
    tags = list(looped(clip(), start_ms=start, seconds=20))
    video = [tag.ms for tag in tags if tag.kind == VIDEO and not tag.is_header]
    assert len(video) == 600
    steps = {(after - before) & 0xFFFFFFFF for before, after in itertools.pairwise(video)}
    assert steps <= {33, 34}
    assert video[0] == start
    assert video[-1] < 20_000


def test_flv_that_is_cut_short_is_an_error() -> None:
    with pytest.raises(ValueError):
        read_flv(b"FLV\x01\x05\0\0\0\x09\0\0\0\0\x09\0\0\x09\0\0\0\0\0\0\0xx")


# the client ---------------------------------------------------------------------------------------


async def test_a_polite_publisher() -> None:
    async with scripted_server() as server:
        client = await open_publisher(server.url)
        async with client:
            assert client.statuses[0].code == "NetStream.Publish.Start"
            await client.wait_for(lambda: client.pings > 0 and bool(client.acknowledged), "ping")
            assert client.window == 2_500_000
            assert client.acknowledged == [3200]
            tags = list(looped(clip(), start_ms=0xFFFFFF - 300, seconds=1))
            assert await client.send_tags(tags, speed=None) == len(tags)
            await client.send_metadata({"width": 320, "list": [1, 2]})
            await client.stop("good")
        await asyncio.wait_for(server.ended.wait(), 5)
    media = [m for m in server.messages if m.type_id in {AUDIO, VIDEO}]
    assert [FlvTag(m.type_id, m.timestamp, m.payload) for m in media] == tags
    names = [amf.decode(m.payload)[0] for m in server.messages if m.type_id == COMMAND]
    assert names[:2] == ["connect", "releaseStream"] or names[1] == "createStream"
    assert names[-2:] == ["FCUnpublish", "deleteStream"]
    assert any(m.type_id == USER_CONTROL and m.payload[:2] == b"\0\x07" for m in server.messages)


async def test_a_refused_publisher_is_told_why() -> None:
    async with scripted_server() as server:
        client = await RtmpClient.open("127.0.0.1", server.port)
        async with client:
            status = await client.start("live", "bad-key")
            assert (status.level, status.code) == ("error", "NetStream.Publish.Unauthorized")
            outcome = await client.outcome()
            assert outcome.closed
            assert outcome.error is not None
            assert outcome.error.description == "no such key"
        with pytest.raises(NoAnswer, match="refused"):
            await open_publisher(f"rtmp://127.0.0.1:{server.port}/live/bad")


async def test_a_closed_connection_is_seen_without_a_status() -> None:
    async with scripted_server() as server:
        client = await RtmpClient.open("127.0.0.1", server.port)
        async with client:
            await client.send(b"GET / HTTP/1.1\r\n" + b"x" * 2000)
            outcome = await client.outcome()
            assert outcome == type(outcome)(None, True)
            assert not await client.send(b"more")


async def test_waits_are_bounded() -> None:
    async with scripted_server() as server:
        client = await RtmpClient.open("127.0.0.1", server.port)
        async with client:
            client.listen()
            with pytest.raises(NoAnswer):
                await client.wait_for(lambda: False, "wonder", deadline_s=0.05)
            outcome = await client.outcome(deadline_s=0.05)
            assert not outcome.closed


def test_publish_urls() -> None:
    assert PublishUrl.parse("rtmp://127.0.0.1:99/live/a_b-c") == PublishUrl(
        "127.0.0.1", 99, "live", "a_b-c"
    )
