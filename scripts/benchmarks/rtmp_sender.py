"""`python -m benchmarks.rtmp_sender JSON`: publishes a clip's loop at real pace, over and over.

Chunks are cut beforehand, so that a run costs this process next to nothing but the writing.
Options: `clip`, `port`, `keys` (one stream each), `chunk` (bytes), `seconds`. Says {"publishing"}
when every stream was accepted, and {"late_ms"}, its worst lateness, at the end.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import uvloop

from benchmarks.clip import LOOP_MS, Tag, read
from mediaserver.media.rtmp import amf, commands
from mediaserver.media.rtmp.chunks import ChunkReader, encode_message
from mediaserver.media.rtmp.vocabulary import Chunk, PingResponse, SetChunkSize

_ACCEPT_TIMEOUT_S = 10.0
_C1 = bytes(8) + os.urandom(1528)
_COMMAND_CHUNK_ID, _AUDIO_CHUNK_ID, _VIDEO_CHUNK_ID = 3, 4, 6


def _chunk(type_id: int, payload: bytes, chunk_id: int, stream_id: int, ms: int = 0) -> Chunk:
    return Chunk(
        chunk_type=0,
        chunk_id=chunk_id,
        timestamp=ms,
        msg_length=len(payload),
        msg_type_id=type_id,
        msg_stream_id=stream_id,
        payload=payload,
    )


def message(tag: Tag, chunk_size: int) -> bytes:
    """A tag as chunks with timestamp 0; `stamped` sets the time."""
    chunk_id = _VIDEO_CHUNK_ID if tag.type_id == commands.VIDEO else _AUDIO_CHUNK_ID
    return encode_message(_chunk(tag.type_id, tag.body, chunk_id, 1), chunk_size)


def stamped(encoded: bytes, ms: int) -> bytes:
    """With the three bytes of time behind the one-byte basic header of a type 0 chunk."""
    assert ms < 0xFFFFFF, "no run is four hours long"
    return encoded[:1] + ms.to_bytes(3, "big") + encoded[4:]


def command(name: str, transaction: int, *values: amf.AmfValue, stream_id: int = 0) -> bytes:
    payload = amf.encode(name, float(transaction), *values)
    return encode_message(
        _chunk(commands.COMMAND_AMF0, payload, _COMMAND_CHUNK_ID, stream_id), 1 << 16
    )


def set_chunk_size(size: int) -> bytes:
    return encode_message(SetChunkSize(chunk_size=size), 128)


class Publisher:
    """One stream's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.late_ms = 0.0

    async def accept(self, key: str, chunk_size: int) -> None:
        """Handshake to the server's yes."""
        writer, reader = self._writer, self._reader
        writer.write(b"\x03" + _C1)
        answer = await reader.readexactly(1 + 2 * 1536)
        writer.write(answer[1:1537])
        writer.write(set_chunk_size(1 << 16))
        writer.write(command("connect", 1, {"app": "live", "flashVer": "FMLE/3.0 (bench)"}))
        writer.write(command("createStream", 2, None))
        writer.write(command("publish", 3, None, key, "live", stream_id=1))
        writer.write(set_chunk_size(chunk_size))
        chunks = ChunkReader()
        while True:
            data = await reader.read(1 << 16)
            if not data:
                raise ConnectionError("the server closed before publish")
            chunks.feed(data)
            for got in chunks.messages():
                if b"NetStream.Publish.Start" in got.payload:
                    self._chunks = chunks
                    return
                if b"error" in got.payload and got.msg_type_id == commands.COMMAND_AMF0:
                    raise ConnectionError(f"refused: {got.payload!r}")

    async def listen(self) -> None:
        """Answer pings until the server closes."""
        while data := await self._reader.read(1 << 16):
            self._chunks.feed(data)
            for got in self._chunks.messages():
                if got.msg_type_id == commands.USER_CONTROL and got.payload[:2] == b"\x00\x06":
                    stamp = int.from_bytes(got.payload[2:6], "big")
                    self._writer.write(encode_message(PingResponse(stamp), 128))

    async def send(
        self,
        headers: Sequence[bytes],
        frames: Sequence[tuple[int, bytes]],
        start: float,
        end: float,
    ) -> None:
        """At real pace from the loop time `start` to `end`."""
        loop = asyncio.get_running_loop()
        for header in headers:
            self._writer.write(header)
        for turn in count():
            for frame_ms, encoded in frames:
                ms = turn * LOOP_MS + frame_ms
                due = start + ms / 1000
                if due >= end:
                    return
                if (early := due - loop.time()) > 0:
                    await asyncio.sleep(early)
                else:
                    self.late_ms = max(self.late_ms, -early * 1000)
                self._writer.write(stamped(encoded, ms))
                await self._writer.drain()


async def main() -> None:
    options = json.loads(sys.argv[1])
    headers, loop_frames = read(Path(options["clip"]))
    chunk_size, keys = options["chunk"], options["keys"]
    first = [message(tag, chunk_size) for tag in headers]
    frames = [(tag.ms, message(tag, chunk_size)) for tag in loop_frames]
    publishers = []
    for key in keys:
        reader, writer = await asyncio.open_connection("127.0.0.1", options["port"])
        publisher = Publisher(reader, writer)
        async with asyncio.timeout(_ACCEPT_TIMEOUT_S):
            await publisher.accept(key, chunk_size)
        publishers.append(publisher)
    print(json.dumps({"publishing": len(publishers)}), flush=True)
    start = asyncio.get_running_loop().time() + 0.05
    async with asyncio.TaskGroup() as tasks:
        listening = [tasks.create_task(publisher.listen()) for publisher in publishers]
        sending = [
            # Spread over a frame, as encoders that know nothing of each other are.
            tasks.create_task(
                publisher.send(first, frames, begin, begin + options["seconds"]),
            )
            for number, publisher in enumerate(publishers)
            for begin in [start + number / len(publishers) / 30]
        ]
        await asyncio.wait(sending)
        for task in listening:
            task.cancel()
    print(json.dumps({"late_ms": max(one.late_ms for one in publishers)}), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
