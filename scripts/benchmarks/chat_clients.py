"""`python -m benchmarks.chat_clients JSON`: thousands of people in one chat, on raw sockets, so
that they cost as little as Python can.

Options: `port`, `channel`; `clients`, those who read; `deaf`, those who stop reading once they are
in; `tickets`, of those who write; `rate`, lines a second over all; `seconds`. Says {"joined"} when
all are in, then, at the end, what each of them saw: see `result`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from typing import Any

import uvloop

_JOIN_TIMEOUT_S = 120.0
_CONNECTING_MAX = 100
_LAST_LINES_S = 3.0
_BINS_MS = 10_000
_ZERO_MASK = bytes(4)  # a mask of zeros leaves the payload as it is
_EVENTS = b'42/chat,["events",'


def text_frame(text: str) -> bytes:
    payload = text.encode()
    size = len(payload)
    if size < 126:
        return bytes((0x81, 0x80 | size)) + _ZERO_MASK + payload
    return bytes((0x81, 0x80 | 126)) + size.to_bytes(2, "big") + _ZERO_MASK + payload


class Lines:
    """What a packet carries, read once for all who get the same one."""

    def __init__(self) -> None:
        self._payload = b""
        self._lines: list[tuple[int, int]] = []

    def read(self, payload: bytes) -> list[tuple[int, int]]:
        """(sequence, sent at, in ns of the monotonic clock) of each line."""
        if payload != self._payload:
            (_, packet) = json.loads(payload[payload.index(b"[") :])
            self._lines = [
                (event["sequence"], int(event["text"].partition(" ")[0]))
                for event in packet["events"]
            ]
            self._payload = payload
        return self._lines


class Client(asyncio.Protocol):
    """One connection: handshake, join, then every line checked."""

    def __init__(self, shared: Run, ticket: str | None, is_deaf: bool) -> None:
        self.shared = shared
        self.ticket = ticket
        self.is_deaf = is_deaf
        self.joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.last = 0
        self.first = 0
        self.seen = 0
        self.faults = 0
        self.closed_at = 0.0
        self.acks: dict[int, asyncio.Future[Any]] = {}
        self._id = 0
        self._in_frames = False
        self._buffer = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        port = self.shared.options["port"]
        transport.write(
            (
                "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
                f"Host: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            ).encode()
        )

    def send(self, text: str) -> None:
        self.transport.write(text_frame(text))

    def emit(self, event: str, payload: dict[str, Any]) -> asyncio.Future[Any]:
        self._id += 1
        answer = self.acks[self._id] = asyncio.get_running_loop().create_future()
        self.send(f"42/chat,{self._id}{json.dumps([event, payload])}")
        return answer

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        if not self._in_frames:
            head, blank, data = data.partition(b"\r\n\r\n")
            if not blank:
                self._buffer = head
                return
            if b" 101 " not in head[:16]:
                raise RuntimeError(f"refused: {head[:200]!r}")
            self._in_frames = True
        start, end = 0, len(data)
        while end - start >= 2:
            size, body = data[start + 1], start + 2
            if size == 126:
                size, body = int.from_bytes(data[body : body + 2], "big"), body + 2
            elif size == 127:
                size, body = int.from_bytes(data[body : body + 8], "big"), body + 8
            if end < body + size:
                break
            if data[start] == 0x81:
                self.handle(data[body : body + size])
            start = body + size
        self._buffer = data[start:]

    def handle(self, payload: bytes) -> None:
        if payload.startswith(_EVENTS):
            now = time.monotonic_ns()
            for sequence, sent_at in self.shared.lines.read(payload):
                if sequence <= self.first:
                    continue  # was in the answer to join
                if sequence != self.last + 1:
                    self.faults += 1
                self.last = sequence
                self.seen += 1
                self.shared.delays_ms[min(_BINS_MS, (now - sent_at) // 1_000_000)] += 1
        elif payload == b"2":
            self.send("3")
        elif payload.startswith(b"0"):
            auth = json.dumps({"ticket": self.ticket}) if self.ticket else ""
            self.send(f"40/chat,{auth}")
        elif payload.startswith(b"40/chat"):
            joining = self.emit("join", {"channel": self.shared.options["channel"]})
            joining.add_done_callback(self._joined)
        elif payload.startswith(b"43/chat,"):
            digits, _, rest = payload[8:].partition(b"[")
            answer = self.acks.pop(int(digits))
            if not answer.done():
                answer.set_result(json.loads(rest[:-1]))

    def _joined(self, answer: asyncio.Future[Any]) -> None:
        if not answer.result()["ok"]:
            raise RuntimeError(f"join: {answer.result()}")
        self.first = self.last = answer.result()["sequence"]
        if not self.joined.done():
            self.joined.set_result(None)
        if self.is_deaf:
            self.transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed_at = time.monotonic()
        if not self.joined.done():
            self.joined.set_exception(ConnectionError("closed before it was in"))


class Run:
    """All clients, and what they saw together."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        self.lines = Lines()
        self.delays_ms: Counter[int] = Counter()
        self.refused: Counter[str] = Counter()
        self._connecting = asyncio.Semaphore(_CONNECTING_MAX)

    async def connect(self, ticket: str | None = None, *, is_deaf: bool = False) -> Client:
        loop = asyncio.get_running_loop()
        async with self._connecting:
            _, client = await loop.create_connection(
                lambda: Client(self, ticket, is_deaf), "127.0.0.1", self.options["port"]
            )
            await client.joined
            return client

    async def write(self, writers: list[Client]) -> int:
        """Lines at an even pace, the writers in turn; how many were written."""
        began, answers = time.monotonic(), []
        count = int(self.options["rate"] * self.options["seconds"])
        for index in range(count):
            await asyncio.sleep(max(0.0, began + index / self.options["rate"] - time.monotonic()))
            text = f"{time.monotonic_ns()} line {index} of a busy chat, long as lines are"
            nonce = f"bench-{index:08}"
            say = {"channel": self.options["channel"], "text": text, "nonce": nonce}
            answers.append(writers[index % len(writers)].emit("say", say))
        written = 0
        async with asyncio.timeout(_LAST_LINES_S + 10):
            for answer in answers:
                ack = await answer
                written += ack["ok"]
                if not ack["ok"]:
                    self.refused[ack["error"]["code"]] += 1
        return written


async def main() -> None:
    options = json.loads(sys.argv[1])
    run = Run(options)
    began = time.monotonic()
    async with asyncio.timeout(_JOIN_TIMEOUT_S):
        readers = await asyncio.gather(*(run.connect() for _ in range(options["clients"])))
        deaf = await asyncio.gather(*(run.connect(is_deaf=True) for _ in range(options["deaf"])))
        writers = await asyncio.gather(*(run.connect(one) for one in options["tickets"]))
    print(json.dumps({"joined": time.monotonic() - began}), flush=True)
    started = time.monotonic()
    cpu = time.process_time()
    written = await run.write(writers)
    await asyncio.sleep(_LAST_LINES_S)
    everybody = [*readers, *writers]
    result = {
        "written": written,
        "refused": dict(run.refused),
        "clients": len(everybody),
        "complete": sum(one.seen == written and one.faults == 0 for one in everybody),
        "faults": sum(one.faults for one in everybody),
        "lost": sum(bool(one.closed_at) for one in everybody),
        "delays_ms": sorted(run.delays_ms.items()),
        "cpu": (time.process_time() - cpu) / (time.monotonic() - started),
    }
    for one in deaf:
        one.transport.resume_reading()  # only so does a client learn that it was cut
    await asyncio.sleep(1)
    result["deaf_dropped"] = sum(bool(one.closed_at) for one in deaf)
    print(json.dumps(result), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
