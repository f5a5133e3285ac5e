"""`python -m benchmarks.instant_clients JSON`: viewers with instant playback on raw sockets, so
that the client costs as little as Python can.

Options: `port`, `path`, `viewers`, `deaf` (more, who stop reading after 5 s), `seconds`. Says
{"watching"} when all have their first message; at the end what they saw.
"""

from __future__ import annotations

import asyncio
import json
import struct
import sys
import time
from array import array
from typing import Any

import uvloop

_DEAF_AFTER_S = 5.0
_ASK_EVERY_S = 8.0
_QUESTION = b'{"clock": 1}'
_QUESTION_FRAME = bytes((0x81, 0x80 | len(_QUESTION), 0, 0, 0, 0)) + _QUESTION
_FRAGMENT = 2
_HEAD_BYTES_MAX = 10 + 16
_ASK = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench/{number}\r\n"
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


class Viewer(asyncio.Protocol):
    """Reads message heads and skips the rest."""

    def __init__(self, number: int, path: str, delays: array[float]) -> None:
        self._ask = _ASK.format(path=path, number=number).encode()
        self._delays = delays
        self.first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost = False
        self._loop = asyncio.get_running_loop()
        self.byte_count = 0
        self.messages = 0
        self.missed = 0
        self.measures = False
        self._begun = False
        self._head = b""
        self._left = 0
        self._received_ms = 0.0
        self._sequence = -1

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self._ask)
        self._loop.call_later(_ASK_EVERY_S, self._question)

    def _question(self) -> None:
        """As a page does, which also tells the server that somebody is there."""
        if not self.lost:
            self.transport.write(_QUESTION_FRAME)
            self._loop.call_later(_ASK_EVERY_S, self._question)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True

    def data_received(self, data: bytes) -> None:
        self.byte_count += len(data)
        if not self._begun:
            head, blank, data = (self._head + data).partition(b"\r\n\r\n")
            if not blank:
                self._head = head
                return
            assert b" 101 " in head[:16], head
            self._begun, self._head = True, b""
        at = 0
        while at < len(data):
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
                if not self._left:
                    self._whole()
                continue
            head = self._head + data[at : at + _HEAD_BYTES_MAX - len(self._head)]
            took = self._read_head(head)
            if took < 0:
                self._head = head
                return
            at += took - len(self._head)
            self._head = b""

    def _read_head(self, head: bytes) -> int:
        """Bytes used, or -1 when there are too few."""
        if len(head) < 2:
            return -1
        size, used = head[1], 2
        if size == 126:
            if len(head) < 4:
                return -1
            (size,), used = struct.unpack_from(">H", head, 2), 4
        elif size == 127:
            if len(head) < 10:
                return -1
            (size,), used = struct.unpack_from(">Q", head, 2), 10
        wanted = min(size, 16)
        if len(head) < used + wanted:
            return -1
        self._received_ms = 0.0
        if head[0] == 0x82 and head[used] == _FRAGMENT:
            (sequence,) = struct.unpack_from(">I", head, used + 4)
            (self._received_ms,) = struct.unpack_from(">d", head, used + 8)
            if self._sequence >= 0 and self.measures:
                self.missed += sequence - self._sequence - 1
            self._sequence = sequence
        self._left = size - wanted
        return used + wanted

    def _whole(self) -> None:
        if not self._received_ms:
            return
        self.messages += 1
        if not self.first.done():
            self.first.set_result(None)
        if self.measures:
            self._delays.append(time.time() * 1000 - self._received_ms)


async def main() -> None:
    options = json.loads(sys.argv[1])
    loop = asyncio.get_running_loop()
    delays = array("d")

    async def connect(number: int) -> Viewer:
        viewer = Viewer(number, options["path"], delays)
        await loop.create_connection(lambda: viewer, "127.0.0.1", options["port"])
        return viewer

    count, deaf_count = options["viewers"], options["deaf"]
    viewers = [await connect(number) for number in range(count + deaf_count)]
    await asyncio.gather(*(viewer.first for viewer in viewers))
    reading, deaf = viewers[:count], viewers[count:]
    print(json.dumps({"watching": len(viewers)}), flush=True)
    await asyncio.sleep(2)  # all who joined at once have read their first group
    began = time.monotonic()
    for viewer in reading:
        viewer.measures, viewer.messages, viewer.byte_count = True, 0, 0
    await asyncio.sleep(_DEAF_AFTER_S)
    for viewer in deaf:
        viewer.transport.pause_reading()
    await asyncio.sleep(options["seconds"] - _DEAF_AFTER_S)
    seconds = time.monotonic() - began
    for viewer in reading:
        viewer.measures = False
    messages = sum(viewer.messages for viewer in reading)
    byte_count = sum(viewer.byte_count for viewer in reading)
    for viewer in deaf:
        viewer.transport.resume_reading()
    await asyncio.sleep(2)
    ordered = sorted(delays)
    said = {
        "seconds": seconds,
        "messages": messages,
        "bytes": byte_count,
        "lost": sum(viewer.lost for viewer in reading),
        "missed": sum(viewer.missed for viewer in reading),
        "sent_away": sum(viewer.lost for viewer in deaf),
    }
    for share in (50, 95, 99):
        said[f"p{share}_ms"] = ordered[len(ordered) * share // 100]
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
