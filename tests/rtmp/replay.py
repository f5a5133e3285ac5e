"""Replays what a real encoder sent, byte for byte, with another stream key in it.

Only the `publish` message is written anew (the key differs in length); chunking, header types,
interleaving and timestamps of everything else stay as the encoder made them.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tests.captures.manifest import Capture
from tests.rtmp import amf
from tests.rtmp.chunks import AUDIO, COMMAND, VIDEO, ChunkReader, Message, chunks
from tests.rtmp.wire import HANDSHAKE_BYTES, PublishUrl, RtmpClient

PREFACE_BYTES = 1 + 2 * HANDSHAKE_BYTES


@dataclass(frozen=True, slots=True)
class Script:
    """A capture cut into what goes out before the publish answer and what after it, with times."""

    handshake: bytes
    until_publish: bytes
    media: tuple[tuple[int, bytes], ...]
    """(milliseconds, bytes): the bytes up to the end of the message of that timestamp."""


def messages(capture: Capture) -> list[Message]:
    """All messages of a capture, with the positions of their bytes in the file."""
    return ChunkReader(position=PREFACE_BYTES).feed(capture.read()[PREFACE_BYTES:])


def script(capture: Capture, stream_key: str) -> Script:
    """The capture with `stream_key` in place of its own."""
    data = capture.read()
    found = messages(capture)
    publish = next(
        message
        for message in found
        if message.type_id == COMMAND and amf.decode(message.payload)[0] == "publish"
    )
    values = amf.decode(publish.payload)
    values[3] = stream_key
    body = amf.encode(*values)
    # chunked at 128 whatever was announced before: one chunk at either size
    assert len(body) <= 128, "stream key too long for a single chunk"
    rewritten = chunks(
        body,
        csid=publish.csid,
        type_id=COMMAND,
        stream_id=publish.stream_id,
        timestamp=publish.timestamp,
    )
    until_publish = data[PREFACE_BYTES : publish.start] + rewritten
    media: list[tuple[int, bytes]] = []
    position = publish.end
    clock_ms = 0
    for message in found:
        if message.end <= position:
            continue
        if message.type_id in {AUDIO, VIDEO}:
            clock_ms = max(clock_ms, message.timestamp)
        media.append((clock_ms, data[position : message.end]))
        position = message.end
    media.append((clock_ms, data[position:]))
    return Script(data[:PREFACE_BYTES], until_publish, tuple(media))


async def replay(capture: Capture, url: str, *, speed: float = 1.0) -> RtmpClient:
    """Publish a capture to `url` at its own pace times `speed`; returns the still open client."""
    target = PublishUrl.parse(url)
    steps = script(capture, target.name)
    client = await RtmpClient.open(target.host, target.port)
    try:
        await client.handshake()
        await client.send(steps.until_publish)
        await client.wait_for(lambda: bool(client.statuses) or client.closed, "publish status")
        assert client.statuses, "closed without an answer to publish"
        assert client.statuses[0].code == "NetStream.Publish.Start", client.statuses
        loop = asyncio.get_running_loop()
        started = loop.time()
        for ms, data in steps.media:
            delay = started + ms / 1000 / speed - loop.time()
            if delay > 0:
                await asyncio.sleep(delay)
            if not await client.send(data):
                break
    except BaseException:
        await client.close()
        raise
    return client
