"""Bad input, item by item. Each time: the encoder sees a reason, the log has one line for it, a
healthy stream beside it does not notice, and memory comes back where it was at stake.

The tests of this module share an event loop, a server with short time-outs, and the healthy stream.
"""

from __future__ import annotations

import asyncio
import math
import os
import resource
import struct
from collections.abc import AsyncIterator, Iterable, Iterator

import aiohttp
import pytest
import pytest_asyncio

from tests.functional.conftest import MakeSite
from tests.functional.site import Channel, Site, until
from tests.functional.streams import HealthyStream, healthy_stream, viewer
from tests.hls.client import LiveHlsClient, Playback
from tests.rtmp import amf
from tests.rtmp.chunks import COMMAND, DATA, VIDEO, chunks, message_header
from tests.rtmp.clips import clip, encoded, frames, headers, looped
from tests.rtmp.flv import AUDIO, FlvTag
from tests.rtmp.publishers import wire_publisher
from tests.rtmp.wire import Outcome, RtmpClient, Status, open_publisher

pytestmark = pytest.mark.asyncio(loop_scope="module")

MIB = 1 << 20
MARGIN_BYTES = 48 * MIB
"""What a server may keep after an attack: allocator slack and the healthy stream's own window."""

CLOSE_DEADLINE_S = 25.0
SHORT_LIMITS = {
    "RTMP_HANDSHAKE_TIMEOUT_S": 2.0,
    "RTMP_COMMAND_TIMEOUT_S": 4.0,
    "FIRST_MEDIA_TIMEOUT_S": 8.0,
}


@pytest.fixture(scope="module")
def strict_site(make_site: MakeSite) -> Site:
    """A server that loses patience soon."""
    return make_site(limits=SHORT_LIMITS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(strict_site: Site) -> AsyncIterator[HealthyStream]:
    async with healthy_stream(strict_site) as stream:
        yield stream


@pytest_asyncio.fixture(loop_scope="module")
async def healthy(running: HealthyStream) -> AsyncIterator[HealthyStream]:
    """The healthy stream, checked before and after each test."""
    await running.check(parts=0)
    yield running
    await running.check(parts=2)


@pytest.fixture
def site(strict_site: Site, healthy: HealthyStream) -> Site:
    """Everything here happens beside the healthy stream."""
    return strict_site


async def raw(site: Site) -> RtmpClient:
    """A connected socket that has said nothing."""
    return await RtmpClient.open("127.0.0.1", site.rtmp_port)


async def shaken(site: Site) -> RtmpClient:
    """A connection behind its handshake."""
    client = await raw(site)
    await client.handshake()
    return client


async def publishing(channel: Channel) -> RtmpClient:
    return await open_publisher(channel.publish_url)


async def assert_one_line(site: Site, client: RtmpClient, *, secret: str = "") -> None:
    """The log says once why this connection ended, and never a stream key."""
    await until(
        lambda: len(site.closing_lines(client)) >= 1,
        f"a log line for {client.local_name}:\n{site.log_text()[-3000:]}",
        CLOSE_DEADLINE_S,
    )
    lines = site.closing_lines(client)
    assert len(lines) == 1, lines
    assert lines[0]["why"] not in {"", "server stops"}, "a crash has no reason to tell"
    assert not secret or secret not in site.log_text()


async def assert_ended(
    site: Site, client: RtmpClient, *, told: bool = True, secret: str = ""
) -> Status | None:
    """The server closes; with `told` the encoder got an error with words in it; one log line."""
    outcome: Outcome = await client.outcome(CLOSE_DEADLINE_S)
    assert outcome.closed, "the connection is still open"
    if told:
        assert outcome.error is not None, f"no reason was given: {client.statuses}"
        assert outcome.error.code.startswith("Net")
        assert len(outcome.error.description) > 10, outcome.error
    await client.close()
    await assert_one_line(site, client, secret=secret)
    return outcome.error


# who may publish ----------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["wrong", "", "x" * 500, "../../etc", "é€", "k?token=1", "a\x00b"])
async def test_wrong_key(site: Site, key: str) -> None:
    mark = len(site.log)
    client = await raw(site)
    async with client:
        status = await client.start("live", key)
        assert status.level == "error"
        assert status.code.startswith("NetStream.Publish.")
        await assert_ended(site, client, secret=key if len(key) > 8 else "")
    assert_one_refusal(site, mark)


def assert_one_refusal(site: Site, mark: int) -> None:
    """One refused encoder is one line, whichever part of the server writes it."""
    site.catch_up()
    lines = [line for line in site.log[mark:] if "refused" in str(line.get("event"))]
    assert len(lines) == 1, lines


async def test_revoked_key(site: Site) -> None:
    channel = await site.new_channel()
    path = f"/api/v1/channels/{channel.slug}/stream-keys/{channel.key_id}"
    status, body = await site.api("DELETE", path)
    assert status in {200, 204}, body
    mark = len(site.log)
    client = await raw(site)
    async with client:
        assert (await client.start("live", channel.key)).level == "error"
        await assert_ended(site, client, secret=channel.key)
    assert_one_refusal(site, mark)


async def test_a_key_that_is_revoked_while_it_is_live(site: Site) -> None:
    channel = await site.new_channel()
    async with wire_publisher(channel.publish_url) as publisher, viewer(channel) as client:
        await client.play(media_s=1, deadline_s=60)
        path = f"/api/v1/channels/{channel.slug}/stream-keys/{channel.key_id}"
        status, body = await site.api("DELETE", path)
        assert status in {200, 204}, body
        await assert_ended(site, publisher.client, secret=channel.key)


@pytest.mark.parametrize("app", ["wrong", "", "live2", "x" * 300])
async def test_wrong_application(site: Site, app: str) -> None:
    channel = await site.new_channel()
    client = await raw(site)
    async with client:
        assert (await client.start(app, channel.key)).level == "error"
        await assert_ended(site, client)


async def test_second_publisher_on_a_live_key(site: Site) -> None:
    channel = await site.new_channel()
    async with wire_publisher(channel.publish_url) as first, viewer(channel) as player:
        await player.play(media_s=2, deadline_s=60)
        client = await raw(site)
        async with client:
            status = await client.start("live", channel.key)
            assert status.level == "error"
            assert "live" in status.description.lower()
            await assert_ended(site, client, secret=channel.key)
        playback = await player.play(media_s=4, deadline_s=60)
        assert first.running
    playback.assert_clean()
    assert len(playback.epochs) == 1


# what is no RTMP ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /live HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(2000),  # a TLS hello
        b"\x06" + bytes(1536),  # RTMPE
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
    ids=["get", "post", "tls", "rtmpe", "ssh"],
)
async def test_another_protocol_on_the_rtmp_port(site: Site, request_bytes: bytes) -> None:
    client = await raw(site)
    async with client:
        await client.send(request_bytes)
        await assert_ended(site, client, told=False)


async def test_a_browser_is_told_in_its_own_words(site: Site) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", site.rtmp_port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(CLOSE_DEADLINE_S):
        answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 4")
    assert b"RTMP" in answer


@pytest.mark.parametrize("count", [1, 700, 1537, 1537 + 700])
async def test_half_a_handshake(site: Site, count: int) -> None:
    """C0 and some of C1, or all of C1 and some of C2, and then nothing more."""
    client = await raw(site)
    async with client:
        await client.send((b"\x03" + bytes(4) + os.urandom(4000))[:count])
        await assert_ended(site, client, told=False)


async def test_a_handshake_and_nothing_more(site: Site) -> None:
    client = await shaken(site)
    async with client:
        await assert_ended(site, client)


async def test_a_publish_and_nothing_more(site: Site) -> None:
    channel = await site.new_channel()
    client = await publishing(channel)
    async with client:
        await assert_ended(site, client)


# chunks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
@pytest.mark.parametrize("when", ["before connect", "while publishing"])
async def test_chunk_sizes_that_hurt(site: Site, size: int, when: str) -> None:
    """0 and 1 are refused; 2 GiB may be taken for what a message can be at most."""
    before = site.rss_bytes
    if when == "before connect":
        client = await shaken(site)
    else:
        client = await publishing(await site.new_channel())
    async with client:
        await client.set_chunk_size(size, use=False)
        if size in {0, 1}:
            await assert_ended(site, client)
            return
        # what follows is one whole message of the largest size that 24 bits can state
        await client.send(message_header(0, 6, length=0xFFFFFF, type_id=VIDEO, stream_id=1))
        await client.send(bytes(1 * MIB))
        await assert_ended(site, client)
    await site.wait_rss_below(before + MARGIN_BYTES, 30)


async def test_65_599_open_chunk_streams(site: Site) -> None:
    """Every chunk stream that the protocol can name, each with a message that never ends."""
    before = site.rss_bytes
    client = await shaken(site)
    async with client:
        for first in range(2, 65_600, 256):
            piece = b"".join(
                message_header(0, csid, length=60_000, type_id=VIDEO, stream_id=1) + bytes(128)
                for csid in range(first, min(first + 256, 65_600))
            )
            if not await client.send(piece):
                break
        await assert_ended(site, client)
    await site.wait_rss_below(before + MARGIN_BYTES, 30)


async def test_many_chunk_streams_while_publishing(site: Site) -> None:
    before = site.rss_bytes
    client = await publishing(await site.new_channel())
    async with client:
        for csid in range(7, 8000):
            header = message_header(0, csid, length=8 * MIB - 1, type_id=VIDEO, stream_id=1)
            if not await client.send(header + bytes(4096)):
                break
        await assert_ended(site, client)
    await site.wait_rss_below(before + MARGIN_BYTES, 30)


@pytest.mark.parametrize("when", ["before connect", "while publishing"])
async def test_a_message_of_16_mib(site: Site, when: str) -> None:
    before = site.rss_bytes
    if when == "before connect":
        client = await shaken(site)
        await client.set_chunk_size(4096)
    else:
        client = await publishing(await site.new_channel())
    async with client:
        payload = b"\x17\x01\0\0\0" + bytes(16 * MIB - 6)
        data = chunks(payload, csid=6, type_id=VIDEO, stream_id=1, chunk_size=4096)
        for at in range(0, len(data), MIB):
            if not await client.send(data[at : at + MIB]):
                break
        await assert_ended(site, client)
    await site.wait_rss_below(before + MARGIN_BYTES, 30)


@pytest.mark.parametrize("fmt", [2, 3])
async def test_a_header_that_refers_to_nothing(site: Site, fmt: int) -> None:
    client = await shaken(site)
    async with client:
        await client.send(message_header(fmt, 9, timestamp=5) + bytes(128))
        await assert_ended(site, client)


async def test_type_1_opens_a_chunk_stream(site: Site) -> None:
    """librtmp does so: what it needs is in the header but the message stream, which is 0."""
    client = await shaken(site)
    async with client:
        body = amf.encode("connect", 1, {"app": "live"})
        await client.send(chunks(body, csid=9, type_id=COMMAND, fmt=1))
        await client.wait_for(lambda: 1.0 in client.replies or client.closed, "connect reply")
        assert client.replies[1.0][0] == "_result"


async def test_noise_behind_the_handshake(site: Site) -> None:
    client = await shaken(site)
    async with client:
        await client.send(bytes(range(256)) * 64)
        await assert_ended(site, client)


# AMF ----------------------------------------------------------------------------------------------


async def test_amf_nested_1000_deep_in_connect(site: Site) -> None:
    client = await shaken(site)
    async with client:
        body = amf.encode("connect", 1) + amf.nested(1000)
        await client.message(COMMAND, body)
        await assert_ended(site, client)


async def test_amf_nested_1000_deep_in_metadata(site: Site) -> None:
    """Metadata is not believed in any case: the stream may go on, or end with a reason."""
    channel = await site.new_channel()
    client = await publishing(channel)
    async with client:
        body = amf.encode("@setDataFrame", "onMetaData") + amf.nested(1000)
        await client.message(DATA, body, csid=5, stream_id=1)
        await plays_or_is_told(site, channel, client)


@pytest.mark.parametrize(
    "body",
    [
        amf.encode("connect", math.nan, {"app": "live"}),
        amf.encode("connect", 1, {"app": math.nan}),
        amf.encode("connect", 1)[:-3],
        amf.encode("connect", 1) + b"\x03\xff\xff",
        amf.encode("connect", 1) + b"\x0a\xff\xff\xff\xff",
        amf.encode("connect", 1) + b"\x0c\xff\xff\xff\xff",
        amf.encode("connect", 1) + b"\x08\xff\xff\xff\xff\x00\x00\x09",
        amf.encode("publish", 1, None, "k", "live"),
        amf.encode("createStream"),
        amf.encode(1, 2, 3),
        b"",
        b"\xff" * 50,
    ],
    ids=lambda body: body[:24].hex() or "empty",
)
async def test_commands_that_are_broken(site: Site, body: bytes) -> None:
    """Refused with a reason, or waited out: never an exception, never a connection for ever."""
    client = await shaken(site)
    async with client:
        await client.message(COMMAND, body)
        await assert_ended(site, client)


async def test_nan_in_amf_data(site: Site) -> None:
    """NaN and infinity where numbers are expected: the stream does not depend on metadata."""
    channel = await site.new_channel()
    client = await publishing(channel)
    async with client:
        for value in (math.nan, math.inf, -math.inf, -1.0, 1e300):
            await client.send_metadata(
                dict.fromkeys(
                    ("duration", "width", "height", "framerate", "videodatarate", "timestamp"),
                    value,
                )
            )
        await plays_or_is_told(site, channel, client, must_play=True)


async def plays_or_is_told(
    site: Site, channel: Channel, client: RtmpClient, *, must_play: bool = False
) -> None:
    sending = asyncio.create_task(client.send_tags(looped(clip())))
    try:
        async with LiveHlsClient(channel.playlist_url) as player:
            waiting = asyncio.create_task(player.wait_ready(40))
            while not waiting.done() and not client.closed:
                await asyncio.sleep(0.05)
            if client.closed:
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)
                assert not must_play, client.statuses
                await assert_ended(site, client)
                return
            await waiting
            (await player.play(media_s=3, deadline_s=40)).assert_clean()
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


# media --------------------------------------------------------------------------------------------


def jumping(jump_ms: int, *, after_ms: int = 6000) -> Iterator[FlvTag]:
    """A stream whose clock is set by `jump_ms` in the middle; the pace stays."""
    for tag in looped(clip(), start_ms=7_200_000):
        if tag.ms - 7_200_000 >= after_ms:
            yield tag.at(tag.ms + jump_ms)
        else:
            yield tag


async def send_paced(
    client: RtmpClient, tags: Iterable[FlvTag], original: Iterable[FlvTag]
) -> None:
    """Send `tags` at the pace of `original`."""
    loop = asyncio.get_running_loop()
    started, first = loop.time(), None
    for tag, pace in zip(tags, original, strict=False):
        first = pace.ms if first is None else first
        if (delay := started + (pace.ms - first) / 1000 - loop.time()) > 0:
            await asyncio.sleep(delay)
        if not await client.send_tag(tag):
            return


async def play_two_epochs(channel: Channel, **options: bool) -> Playback:
    async with viewer(channel, **options) as player:
        return await player.play(
            until=lambda so_far: len(so_far.epochs) >= 2 and so_far.epochs[1].duration_s >= 2,
            deadline_s=60,
        )


@pytest.mark.parametrize("jump_ms", [3_600_000, -3_600_000], ids=["+1h", "-1h"])
async def test_timestamps_jump_by_an_hour(site: Site, jump_ms: int) -> None:
    channel = await site.new_channel()
    client = await publishing(channel)
    async with client:
        sending = asyncio.create_task(
            send_paced(client, jumping(jump_ms), looped(clip(), start_ms=7_200_000))
        )
        try:
            playback = await play_two_epochs(channel)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        assert not client.closed
    playback.assert_clean()
    assert len(playback.epochs) == 2


def followed_by(first: tuple[FlvTag, ...], second: tuple[FlvTag, ...]) -> Iterator[FlvTag]:
    """8 s of one clip, then another for ever, on one time line."""
    yield from looped(first, seconds=8)
    yield from looped(second, start_ms=8000)


@pytest.mark.parametrize("second", ["size", "hevc", "opus"])
async def test_the_codec_changes_mid_stream(site: Site, second: str) -> None:
    """A new configuration is a new epoch with its own init segment."""
    channel = await site.new_channel()
    wishes = {
        "size": {"size": "640x360"},
        "hevc": {"video": "libx265"},
        "opus": {"audio": "libopus"},
    }
    later = await encoded(**wishes[second])
    async with wire_publisher(channel.publish_url, followed_by(clip(), later)) as publisher:
        playback = await play_two_epochs(channel)
        assert publisher.running, publisher.client.statuses
    playback.assert_clean()
    codecs = [[track.codec for track in epoch.checker.init.tracks] for epoch in playback.epochs[:2]]
    assert codecs[0] == ["avc1", "mp4a"]
    expected = {
        "size": ["avc1", "mp4a"],
        "hevc": ["hvc1", "mp4a"],
        "opus": ["avc1", "Opus"],
    }
    assert codecs[1] == expected[second]
    assert playback.epochs[0].map_uri != playback.epochs[1].map_uri


@pytest.mark.parametrize("lost", ["audio", "video"])
async def test_a_track_stops_mid_stream(site: Site, lost: str) -> None:
    """The other goes on: with silence filled in, or as a new epoch without the lost track."""
    channel = await site.new_channel()
    later = await encoded(**{lost: None})
    async with (
        wire_publisher(channel.publish_url, followed_by(clip(), later)) as publisher,
        viewer(channel) as player,
    ):
        playback = await player.play(media_s=18, deadline_s=90)
        assert publisher.running, publisher.client.statuses
    playback.assert_clean()


def without_keyframes(tags: Iterable[FlvTag], from_ms: int) -> Iterator[FlvTag]:
    return (tag for tag in tags if not (tag.is_keyframe and tag.ms >= from_ms))


@pytest.mark.parametrize("from_ms", [0, 4500], ids=["from the start", "mid-stream"])
async def test_no_keyframe_for_60_s(site: Site, from_ms: int) -> None:
    """A minute of media without a keyframe, sent as fast as it goes."""
    channel = await site.new_channel()
    client = await publishing(channel)
    async with client:
        await client.send_tags(without_keyframes(looped(clip(), seconds=64), from_ms), speed=None)
        error = await assert_ended(site, client)
    assert error is not None


@pytest.mark.parametrize("pix_fmt", ["yuv422p10le", "yuv420p10le", "yuv422p", "yuv444p"])
async def test_h264_that_browsers_cannot_play(site: Site, pix_fmt: str) -> None:
    channel = await site.new_channel()
    unplayable = await encoded(pix_fmt=pix_fmt)
    client = await publishing(channel)
    async with client:
        await client.send_tags(looped(unplayable, seconds=4), speed=None)
        error = await assert_ended(site, client)
    assert error is not None
    assert "H.264" in error.description


async def test_silence_and_then_data(site: Site) -> None:
    """The connection stands but nothing comes for longer than a stall; then it goes on."""
    channel = await site.new_channel()
    client = await publishing(channel)
    async with client, LiveHlsClient(channel.playlist_url) as player:
        sent = await client.send_tags(looped(clip(), seconds=6))
        assert sent > 0
        await player.wait_ready(40)
        await site.wait_state(channel.slug, "reconnecting", 30)
        playing = asyncio.create_task(
            player.play(
                until=lambda so_far: len(so_far.epochs) == 2 and so_far.epochs[1].duration_s >= 2,
                deadline_s=60,
            )
        )
        # the clock of the encoder went on meanwhile, as it does when a network stalls
        sending = asyncio.create_task(client.send_tags(looped(clip(), start_ms=14_000)))
        try:
            playback = await playing
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        await site.wait_state(channel.slug, "live", 20)
    playback.assert_clean()


async def test_a_stream_of_noise_in_frames(site: Site) -> None:
    """Right tags around wrong bytes: passed on or refused, never an exception."""
    channel = await site.new_channel()
    client = await publishing(channel)
    async with client:
        for header in headers(clip()):
            await client.send_tag(header)
        for tag in frames(clip(), 8000):
            head = 5 if tag.kind != AUDIO else 2
            if not await client.send_tag(
                FlvTag(tag.kind, tag.ms, tag.payload[:head] + os.urandom(len(tag.payload)))
            ):
                break
        for body in (
            b"",
            b"\x17",
            b"\x17\x00",
            b"\x17\x00\0\0\0\x01\x64",
            b"\x90hvc1",
            b"\xff" * 9,
        ):
            await client.message(VIDEO, body, csid=6, stream_id=1, timestamp=8100)
            await client.message(AUDIO, body, csid=4, stream_id=1, timestamp=8100)
    await assert_one_line(site, client)


async def test_a_publisher_over_the_bitrate(make_site: MakeSite, healthy: HealthyStream) -> None:
    # In a thread, as what feeds the healthy stream runs in this one.
    site = await asyncio.to_thread(make_site, config={"rtmp": {"bitrate_max_kbps": 1000}})
    channel = await site.new_channel()
    client = await publishing(channel)
    async with client:
        tags = looped(clip())
        padding = bytes(12_000)  # a filler NAL unit makes each picture 2.9 Mb/s worth of bytes
        filler = struct.pack(">I", len(padding) + 1) + b"\x0c" + padding
        fat = (
            FlvTag(tag.kind, tag.ms, tag.payload + filler)
            if tag.kind == VIDEO and not tag.is_header
            else tag
            for tag in tags
        )
        sending = asyncio.create_task(client.send_tags(fat))
        try:
            error = await assert_ended(site, client)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
    assert error is not None


# viewers and connections --------------------------------------------------------------------------


async def test_slow_loris_viewers(site: Site, healthy: HealthyStream) -> None:
    """Requests that never end, and answers that are never read."""
    before = site.rss_bytes
    path = f"/live/{healthy.channel.slug}/index.m3u8"
    writers: list[asyncio.StreamWriter] = []
    try:
        for number in range(300):
            _, writer = await asyncio.open_connection("127.0.0.1", site.http_port)
            writers.append(writer)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nX-Slow-{number}: ".encode())
        media = healthy.newest_segment_path
        for _ in range(100):
            _, writer = await asyncio.open_connection("127.0.0.1", site.http_port)
            writers.append(writer)
            writer.write(f"GET {media} HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 20)
            writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket transport
        for _ in range(5):
            for writer in writers[:300]:
                writer.write(b"x")
            await healthy.check(parts=1)
    finally:
        for writer in writers:
            writer.transport.abort()
    await site.wait_rss_below(before + 2 * MARGIN_BYTES, 60)


async def idle_connections(site: Site, count: int, healthy: HealthyStream) -> None:
    """Open `count` TCP connections, hold them, and see everybody else served."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count + 500:
        pytest.skip(f"this machine allows {hard} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    before, files = site.rss_bytes, site.open_files
    lines = len(site.log)
    writers: list[asyncio.StreamWriter] = []
    try:
        for first in range(0, count, 250):
            opened = await asyncio.gather(
                *(
                    asyncio.open_connection(
                        "127.0.0.1", site.rtmp_port, local_addr=(f"127.0.1.{first // 250 + 1}", 0)
                    )
                    for _ in range(250)
                ),
                return_exceptions=True,
            )
            for pair in opened:
                if isinstance(pair, BaseException):
                    assert isinstance(pair, OSError), pair
                else:
                    writers.append(pair[1])
        assert len(writers) > count // 2
        await healthy.check(parts=3)
    finally:
        for writer in writers:
            writer.transport.abort()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    await until(lambda: site.open_files < files + 50, "sockets closed", 60)
    await site.wait_rss_below(before + 2 * MARGIN_BYTES, 60)
    channel = await site.new_channel()
    async with wire_publisher(channel.publish_url), viewer(channel) as player:
        (await player.play(media_s=1, deadline_s=60)).assert_clean()
    told = len(site.log) - lines
    assert told < count // 10, f"{told} log lines for {count} idle connections"


@pytest.mark.alone  # it takes the whole machine
async def test_10_000_idle_connections(site: Site, healthy: HealthyStream) -> None:
    """With the limits of a fresh installation all but a few are closed at once."""
    await idle_connections(site, 10_000, healthy)


@pytest.mark.alone  # it takes the whole machine
async def test_10_000_idle_connections_that_are_let_in(make_site: MakeSite) -> None:
    """With the limits raised they are held until the handshake's time-out."""
    site = await asyncio.to_thread(
        make_site,
        config={"rtmp": {"connections_max": 12_000, "connections_per_address_max": 12_000}},
        limits=SHORT_LIMITS,
    )
    async with healthy_stream(site) as stream:
        await idle_connections(site, 10_000, stream)
        await stream.check()


async def test_players_that_leave_while_they_wait(site: Site, healthy: HealthyStream) -> None:
    """Five hundred blocked reloads, half of whose askers hang up."""
    before = site.open_files
    url = healthy.next_question
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        asking = [asyncio.create_task(_ask(session, url)) for _ in range(500)]
        await asyncio.sleep(0)
        for task in asking[::2]:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
    await until(lambda: site.open_files <= before + 20, "sockets closed", 30)


async def _ask(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(url) as response:
        await response.read()
        return response.status
