"""Encoders' dialogues: how they begin, why they are refused, and what stands in the log."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import RtmpConfig
from mediaserver.kernel.errors import Unavailable
from mediaserver.media.broadcast import BroadcastState
from mediaserver.media.events import BroadcastEnded, BroadcastWentLive
from mediaserver.media.gate import PublishRefused, PublishRequest
from mediaserver.media.rtmp import amf
from mediaserver.media.rtmp.chunks import ChunkReader, encode_message
from mediaserver.media.rtmp.ingest import Ingest
from tests.captures.manifest import CAPTURES, Capture
from tests.unit.media.captured import messages
from tests.unit.media.rtmp.encoder import C0_C1, Encoder, Server
from tests.unit.media.rtmp.wire import chunk, control, message

Line = MutableMapping[str, Any]


def lines(captured: list[Line]) -> list[tuple[str, str]]:
    """Level and text of what the ingest wrote."""
    return [
        (line["log_level"], line["event"])
        for line in captured
        if line["event"] != "broadcast ended"
    ]


async def connected(server: Server, app: str = "live") -> Encoder:
    encoder = await server.connect()
    await encoder.handshake()
    encoder.send("connect", 1, {"app": app, "flashVer": "test"})
    assert (await encoder.command())[0] == "_result"
    return encoder


# Beginnings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda capture: capture.name)
async def test_the_dialogue_of_real_encoders(capture: Capture) -> None:
    """What each encoder sends up to its publish, byte for byte."""
    data = capture.read()
    reader = ChunkReader()
    at = 3073
    name = ""
    while name != "publish":
        reader.feed(data[at : at + 1])
        at += 1
        for one in reader.messages():
            name = str(amf.decode(one.payload)[0]) if one.msg_type_id == 20 else ""

    server = Server()
    encoder = await server.connect()
    with capture_logs() as captured:
        encoder.writer.write(data[:at])
        assert len(await encoder.reader.readexactly(3073)) == 3073
        answers = []
        while len(answers) < 7:
            one = await encoder.answer()
            assert one is not None
            answers.append(one)
        await encoder.close()

    window, bandwidth, chunk_size, connect, create_stream, begin, status = answers
    assert (window.msg_type_id, window.payload) == (5, (2_500_000).to_bytes(4, "big"))
    assert (bandwidth.msg_type_id, bandwidth.payload) == (6, (2_500_000).to_bytes(4, "big") + b"\2")
    assert (chunk_size.msg_type_id, chunk_size.payload) == (1, (4096).to_bytes(4, "big"))
    assert amf.decode(connect.payload)[:2] == ["_result", 1.0]
    values = amf.decode(create_stream.payload)
    assert (values[0], values[2:]) == ("_result", [None, 1.0])
    assert (begin.msg_type_id, begin.payload) == (4, b"\0\0" + (1).to_bytes(4, "big"))
    assert status.msg_stream_id == 1
    assert amf.decode(status.payload)[3] == {
        "level": "status",
        "code": "NetStream.Publish.Start",
        "description": "You are publishing.",
    }
    (asked,) = server.gate.asked
    assert (asked.app, asked.stream_key) == ("live", "k")
    if not capture.name.endswith("librtmp"):  # it doesn't say what it is
        assert asked.encoder.startswith(("FMLE/3.0", "LNX "))
    assert lines(captured) == [("info", "publish opened"), ("info", "publish closed")]
    assert "k" not in [value for line in captured for value in line.values()]


@pytest.mark.parametrize(
    ("app", "name", "expected"),
    [
        ("live", "key", ("live", "key")),
        ("live/", "key", ("live", "key")),
        ("/live", "key", ("live", "key")),
        ("live", "key?bandwidth=1", ("live", "key")),
        ("live", " key ", ("live", "key")),
        ("live/key", "", ("live", "key")),
        ("live/key?x=1", "", ("live", "key")),
        ("live/other", "key", ("live", "key")),
        ("live", "", ("live", "")),
    ],
)
async def test_where_the_key_stands(app: str, name: str, expected: tuple[str, str]) -> None:
    server = Server()
    encoder = await connected(server, app)
    encoder.send("publish", 3, None, name, "live", stream_id=1)
    await encoder.status()
    await encoder.close()
    assert server.gate.asked == [PublishRequest(*expected, "unix", "test")]


@pytest.mark.parametrize("type_id", [17, 20])
async def test_commands_in_either_envelope(type_id: int) -> None:
    encoder = await Server().connect()
    await encoder.handshake()
    encoder.send("connect", 1, {"app": "live"}, type_id=type_id)
    assert (await encoder.command())[:2] == ["_result", 1.0]
    encoder.send("createStream", 2, None, type_id=type_id)
    assert await encoder.command() == ["_result", 2.0, None, 1.0]
    encoder.send("publish", 3, None, "k", type_id=type_id)
    assert await encoder.status() == ("NetStream.Publish.Start", "You are publishing.")
    await encoder.close()


async def test_whoever_offers_amf3_is_answered_in_amf0() -> None:
    """An encoder takes up what it is answered, and AMF3 values are refused."""
    encoder = await Server().connect()
    await encoder.handshake()
    encoder.send("connect", 1, {"app": "live", "objectEncoding": 3.0}, type_id=17)
    information = (await encoder.command())[3]
    assert isinstance(information, dict)
    assert information["objectEncoding"] == 0
    await encoder.close()


async def test_publish_without_create_stream_and_with_odd_messages() -> None:
    """Old encoders leave steps out; new ones send what nobody knows."""
    encoder = await connected(Server())
    encoder.send("releaseStream", 2, None, "k")
    encoder.send("somethingNew", 2, {"a": [1, None]})
    encoder.send("deleteStream", 2, None, 1)
    for type_id in (3, 4, 15, 16, 18, 19, 22, 99):
        encoder.send_message(message(b"", type_id=type_id))
        encoder.send_message(message(b"\x00\x00", type_id=type_id))
    encoder.writer.write(chunk(0, 4, b"", type_id=8) + chunk(0, 6, b"", type_id=9))
    encoder.writer.write(chunk(0, 4, b"\x17", type_id=9))  # media before publish is left alone
    encoder.send("publish", 3)
    assert await encoder.status() == ("NetStream.Publish.Start", "You are publishing.")
    await encoder.close()


async def test_a_ping_is_answered() -> None:
    encoder = await connected(Server())
    encoder.send_message(message(b"\0\6\x01\x02\x03\x04", chunk_id=2, type_id=4, stream_id=0))
    answer = await encoder.answer()
    assert answer is not None
    assert (answer.msg_type_id, answer.payload) == (4, b"\0\7\x01\x02\x03\x04")
    await encoder.close()


async def test_one_that_pings_and_never_reads_fills_no_memory() -> None:
    encoder = await Server().connect()
    await encoder.publish()
    assert encoder.server_writer is not None
    ping = encode_message(message(b"\0\6\x01\x02\x03\x04", chunk_id=2, type_id=4, stream_id=0), 128)
    encoder.writer.write(ping * 60_000)
    unread, waiting = -1, encoder.server_writer.transport.get_write_buffer_size
    while waiting() != unread:
        unread = waiting()
        for _ in range(100):
            await asyncio.sleep(0)
    assert unread < 128 * limits.KIB
    encoder.writer.transport.abort()
    await encoder.close()


# Refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("app", ["", "other", "Live", "live2", "x/live"])
async def test_another_application_is_refused(app: str) -> None:
    with capture_logs() as captured:
        encoder = await Server().connect()
        await encoder.handshake()
        encoder.send("connect", 1, {"app": app})
        assert await encoder.command() == [
            "_error",
            1.0,
            None,
            {
                "level": "error",
                "code": "NetConnection.Connect.Rejected",
                "description": f'Unknown application "{app.partition("/")[0]}". '
                "The server URL ends in /live.",
            },
        ]
        await encoder.closed()
    assert lines(captured) == [("info", "connection refused")]
    assert captured[0]["why"] == "wrong application"


@pytest.mark.parametrize(
    ("error", "code", "description"),
    [
        (PublishRefused("No such key."), "NetStream.Publish.Unauthorized", "No such key."),
        (
            PublishRefused("Taken.", "NetStream.Publish.BadName"),
            "NetStream.Publish.BadName",
            "Taken.",
        ),
        (Unavailable("Starting."), "NetStream.Publish.Failed", "Starting."),
    ],
)
async def test_the_gate_refuses(error: Exception, code: str, description: str) -> None:
    server = Server()
    server.gate.error = error
    with capture_logs() as captured:
        encoder = await connected(server)
        encoder.send("publish", 3, None, "secret", "live")
        assert await encoder.status() == (code, description)
        await encoder.closed()
    assert lines(captured) == [("info", "connection refused")]
    assert captured[0]["why"] == description
    assert "secret" not in str(captured)
    assert server.broadcasts.all() == []


async def test_a_second_publisher_is_refused() -> None:
    server = Server()
    first = await server.connect()
    await first.publish()
    second = await connected(server)
    second.send("publish", 3, None, "k", "live")
    assert await second.status() == (
        "NetStream.Publish.BadName",
        "This channel is live already. Stop the other encoder first.",
    )
    await second.closed()
    assert server.broadcasts.status("film") is not None
    await first.close()


async def test_play_is_refused() -> None:
    with capture_logs() as captured:
        encoder = await connected(Server())
        encoder.send("play", 3, None, "k")
        assert await encoder.status() == (
            "NetStream.Play.StreamNotFound",
            "Viewers watch in the browser.",
        )
        await encoder.closed()
    assert lines(captured) == [("info", "connection refused")]


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (control(1, 0), "chunk size 0, at least 128"),
        (chunk(3, 9), "chunk of type 3 on chunk stream 9, never opened"),
        (chunk(0, 3, length=70_000), "message of 70000 bytes, at most 65536"),
        (
            chunk(0, 3, b"\x02\x00\x07conn", type_id=20),
            "AMF data ends in the middle of a value",
        ),
        (chunk(0, 3, b"\x02\x00\x07publish", type_id=20), "publish before connect"),
    ],
)
async def test_protocol_errors(sent: bytes, why: str) -> None:
    with capture_logs() as captured:
        encoder = await Server().connect()
        await encoder.handshake()
        encoder.writer.write(sent)
        assert await encoder.status() == ("NetConnection.Call.Failed", f"Protocol error: {why}.")
        await encoder.closed()
    assert lines(captured) == [("info", "connection refused")]
    assert captured[0]["why"] == f"protocol error: {why}"


async def test_too_many_bytes_before_publish() -> None:
    encoder = await Server().connect()
    await encoder.handshake()
    for _ in range(10):
        encoder.send_message(message(bytes(60_000), type_id=18))
    assert await encoder.status() == (
        "NetConnection.Call.Failed",
        "Protocol error: too many bytes before publish.",
    )
    await encoder.closed()


async def test_a_second_publish_on_one_connection() -> None:
    with capture_logs() as captured:
        encoder = await Server().connect()
        await encoder.publish()
        encoder.send("publish", 4, None, "k", "live")
        assert (await encoder.status())[0] == "NetConnection.Call.Failed"
        await encoder.closed()
    assert lines(captured) == [("info", "publish opened"), ("info", "publish closed")]


@pytest.mark.parametrize(
    ("sent", "level", "why"),
    [
        (b"", "debug", "closed during the handshake"),
        (b"\x03", "info", "closed during the handshake"),
        (b"GET / HTTP/1.1\r\n\r\n", "info", "protocol error: HTTP was sent to the RTMP port"),
        (b"\x16\x03\x01\x00", "info", "protocol error: RTMP version 22 is not supported"),
        (C0_C1 + bytes(1536), "info", "closed by the encoder"),
    ],
)
async def test_strangers_leave_one_line(sent: bytes, level: str, why: str) -> None:
    server = Server()
    with capture_logs() as captured:
        encoder = await server.connect()
        encoder.writer.write(sent)
        encoder.writer.write_eof()
        await encoder.reader.read()
        await encoder.close()
    assert lines(captured) == [(level, "connection refused")]
    assert (captured[0]["peer"], captured[0]["why"]) == ("unix", why)
    assert 'mediaserver_rtmp_refused_total{why="before_publish"} 1.0' in (
        server.metrics.render().decode()
    )


@pytest.mark.parametrize(
    ("limit", "spoke"), [("RTMP_HANDSHAKE_TIMEOUT_S", False), ("RTMP_COMMAND_TIMEOUT_S", True)]
)
async def test_time_outs_before_publish(
    monkeypatch: pytest.MonkeyPatch, limit: str, spoke: bool
) -> None:
    monkeypatch.setattr(limits, limit, 0.001)
    with capture_logs() as captured:
        encoder = await Server().connect()
        if spoke:
            await encoder.handshake()
            assert await encoder.status() == (
                "NetConnection.Connect.Closed",
                "Nothing to publish came in time.",
            )
        await encoder.closed()
    assert lines(captured) == [("info" if spoke else "debug", "connection refused")]
    assert captured[0]["why"] == "time-out before publish"


# Publishing ---------------------------------------------------------------------------------------


def send_media(encoder: Encoder, *, until_ms: int = 5_000) -> None:
    for type_id, body, timestamp in messages("ffmpeg-5.1-silent-aac"):
        if timestamp < until_ms:
            encoder.send_message(message(body, chunk_id=6, type_id=type_id, timestamp=timestamp))


async def reaches(server: Server, state: BroadcastState) -> None:
    while (status := server.broadcasts.status("film")) is None or status.state is not state:
        await asyncio.sleep(0)


@pytest.mark.parametrize("goodbye", ["closeStream", "FCUnpublish", "deleteStream", "close"])
async def test_a_stream_goes_live_and_is_unpublished(goodbye: str) -> None:
    server = Server()
    with capture_logs() as captured:
        encoder = await server.connect()
        await encoder.publish()
        send_media(encoder)
        await asyncio.wait_for(reaches(server, BroadcastState.LIVE), 20)
        if goodbye != "close":
            encoder.send(goodbye, 0, None, 1)
            await encoder.closed()
        else:
            await encoder.close()
    assert lines(captured) == [("info", "publish opened"), ("info", "publish closed")]
    opened, closed = captured
    assert (opened["channel"], opened["peer"], opened["encoder"]) == ("film", "unix", "test")
    assert closed["why"] == (
        "closed by the encoder" if goodbye == "close" else "unpublished by the encoder"
    )
    status = server.broadcasts.status("film")
    assert status is not None
    assert status.state is BroadcastState.RECONNECTING


async def test_what_cannot_be_shown_is_told_to_the_encoder() -> None:
    server = Server()
    ended: list[BroadcastEnded] = []
    server.events.subscribe(BroadcastEnded, ended.append)
    with capture_logs() as captured:
        encoder = await server.connect()
        await encoder.publish()
        encoder.send_message(message(b"\x12\x00", type_id=9))
        text = "Sorenson H.263 video can't be played by browsers. Use H.264 (or HEVC or AV1)."
        assert await encoder.status() == ("NetStream.Publish.Rejected", text)
        await encoder.closed()
    assert lines(captured) == [("info", "publish opened"), ("info", "publish closed")]
    assert [line["why"] for line in captured if line["event"] == "publish closed"] == [text]
    assert [event.reason for event in ended] == [text]


async def test_a_stop_from_outside_is_told_to_the_encoder() -> None:
    server = Server()
    with capture_logs() as captured:
        encoder = await server.connect()
        await encoder.publish()
        assert server.broadcasts.stop("film", "Stopped by you.")
        assert await encoder.status() == ("NetStream.Publish.Rejected", "Stopped by you.")
        await encoder.closed()
    assert lines(captured) == [("info", "publish opened"), ("info", "publish closed")]
    assert captured[-1]["why"] == "Stopped by you."


async def test_a_stop_from_a_handler_of_its_own_frames_ends_the_connection() -> None:
    """An event handler runs in the publisher's own task."""
    server = Server()
    server.events.subscribe(
        BroadcastWentLive,
        lambda event: server.broadcasts.stop(event.channel, "Not now.") and None,
    )
    encoder = await server.connect()
    await encoder.publish()
    send_media(encoder)
    assert await encoder.status() == ("NetStream.Publish.Rejected", "Not now.")
    await encoder.closed()


async def test_a_silent_publisher_is_told_that_it_was_replaced() -> None:
    server = Server()
    first, second = await server.connect(), await server.connect()
    await first.publish()
    server.clock.advance(5_001)
    await second.publish()
    assert await first.status() == (
        "NetStream.Publish.Rejected",
        "Another encoder took over, as this one had fallen silent.",
    )
    await first.closed()
    assert server.broadcasts.status("film") is not None
    await second.close()


async def test_larger_messages_are_allowed_once_published() -> None:
    server = Server()
    encoder = await server.connect()
    await encoder.publish()
    encoder.writer.write(control(1, 1 << 20))
    encoder.writer.write(chunk(0, 6, b"\x27\x01\x00\x00\x00" + bytes(500_000), type_id=9))
    encoder.writer.write(chunk(0, 3, length=limits.RTMP_MESSAGE_BYTES_MAX + 1, type_id=9))
    code, description = await encoder.status()
    assert code == "NetConnection.Call.Failed"
    assert description == "Protocol error: message of 8388609 bytes, at most 8388608."
    await encoder.closed()


async def test_a_crash_closes_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """What only a bug can cause is logged by the task's owner; the socket doesn't stay open."""
    server = Server()
    encoder = await server.connect()
    await encoder.publish()

    def crash(payload: bytes, timestamp_ms: int) -> None:
        raise AssertionError("bug")

    monkeypatch.setattr("mediaserver.media.flv.parse_video", crash)
    with capture_logs() as captured:
        encoder.send_message(message(b"\x17\x01", type_id=9))
        assert await encoder.answer() is None
        with pytest.raises(AssertionError, match=r"^bug$"):
            await encoder.close()
    assert lines(captured) == [("info", "publish closed")]
    assert captured[0]["why"] == "server error"


async def test_an_old_connection_is_pinged() -> None:
    server = Server()
    encoder = await server.connect()
    await encoder.publish()
    server.clock.advance(30_001)
    send_media(encoder, until_ms=100)
    answer = await encoder.answer()
    assert answer is not None
    assert (answer.msg_type_id, answer.payload[:2]) == (4, b"\0\6")
    await encoder.close()


# The listener -------------------------------------------------------------------------------------


def ingest(server: Server, **config: Any) -> Ingest:
    return Ingest(
        RtmpConfig(host="127.0.0.1", port=0, **config),
        None,
        server.gate,
        server.broadcasts,
        FakeClock(monotonic_ms=100_000),
        server.metrics,
    )


def test_connections_are_counted_and_bounded() -> None:
    server = Server()
    door = ingest(server, connections_max=3, connections_per_address_max=2)
    with capture_logs() as captured:
        assert [door.admit("a"), door.admit("a"), door.admit("a")] == [True, True, False]
        assert [door.admit("b"), door.admit("b"), door.admit("c")] == [True, False, False]
    # One line for all of them.
    assert [line["event"] for line in captured] == ["too many encoder connections"]
    door.release("a")
    assert door.admit("c")
    text = server.metrics.render().decode()
    assert "mediaserver_rtmp_connections 3.0" in text
    assert 'mediaserver_rtmp_refused_total{why="limit"} 3.0' in text


async def test_the_listener_serves_refuses_and_stops() -> None:
    server = Server()
    door = ingest(server, connections_max=1)
    await door.start()
    assert door.tls_port is None
    encoder = Encoder(*await asyncio.open_connection("127.0.0.1", door.port))
    await encoder.publish()
    assert server.gate.asked[0].peer_address == "127.0.0.1"
    refused = Encoder(*await asyncio.open_connection("127.0.0.1", door.port))
    with contextlib.suppress(ConnectionError):  # it may see a reset or the end
        assert await refused.reader.read() == b""
    await refused.close()
    with capture_logs() as captured:
        await door.aclose()
    assert await encoder.answer() is None
    assert lines(captured) == [("info", "publish closed")]
    assert captured[0]["why"] == "server stops"
    await encoder.close()
