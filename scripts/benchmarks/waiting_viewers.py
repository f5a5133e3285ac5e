"""`python -m benchmarks.waiting_viewers JSON`: many viewers that wait for the same part, again and
again, on raw sockets, so that the client costs as little as Python can.

Options: `port`, `base`, `viewers`, `rounds`. Says {"rounds": [[seconds, …], …]}: from the moment
of publishing to each viewer's complete answer.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import uvloop

_ROUND_TIMEOUT_S = 10.0


class Viewer(asyncio.Protocol):
    """One kept-alive connection. Knows just enough HTTP: a head, and Content-Length bytes."""

    def __init__(self) -> None:
        self.answered_at = 0.0
        self.answer = b""
        self.done: asyncio.Future[None] | None = None
        self._left = -1
        self._pieces: list[bytes] = []

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def ask(self, request: bytes) -> None:
        self._left, self._pieces = -1, []
        self.done = asyncio.get_running_loop().create_future()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._pieces.append(data)
        if self._left < 0:
            so_far = b"".join(self._pieces) if len(self._pieces) > 1 else data
            head, blank, rest = so_far.partition(b"\r\n\r\n")
            if not blank:
                return
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            self._left = int(length) - len(rest)
        else:
            self._left -= len(data)
        if self._left <= 0 and self.done is not None:
            self.answered_at = time.monotonic()
            self.answer = b"".join(self._pieces)
            done, self.done = self.done, None
            done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.done is not None:
            self.done.set_exception(exc or ConnectionError("closed"))


def get(path: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: gzip\r\n"
        "User-Agent: Mozilla/5.0 (bench)\r\n\r\n"
    ).encode()


async def tell(control: Viewer, path: str) -> Any:
    control.ask(get(path))
    assert control.done is not None
    await control.done
    body = control.answer.partition(b"\r\n\r\n")[2]
    return json.loads(body) if body else None


async def one_round(control: Viewer, viewers: list[Viewer], base: str) -> list[float]:
    state = await tell(control, "/bench/state")
    msn, part = state["next"]
    request = get(f"{base}/media.m3u8?_HLS_msn={msn}&_HLS_part={part}")
    for viewer in viewers:
        viewer.ask(request)
    waiting = [viewer.done for viewer in viewers if viewer.done is not None]
    while state["waiters"] < len(viewers):
        state = await tell(control, "/bench/state")
    await tell(control, "/bench/publish")
    await asyncio.gather(*waiting)
    published = (await tell(control, "/bench/state"))["published"][-1]
    if any(b" 200 " not in viewer.answer[:16] for viewer in viewers):
        raise RuntimeError("a viewer was not answered with 200")
    return [viewer.answered_at - published for viewer in viewers]


async def main() -> None:
    options = json.loads(sys.argv[1])
    loop = asyncio.get_running_loop()

    async def connect() -> Viewer:
        return (await loop.create_connection(Viewer, "127.0.0.1", options["port"]))[1]

    control = await connect()
    viewers = [await connect() for _ in range(options["viewers"])]
    rounds = []
    for _ in range(options["rounds"]):
        async with asyncio.timeout(_ROUND_TIMEOUT_S):
            rounds.append(await one_round(control, viewers, options["base"]))
        await asyncio.sleep(0.2)
    print(json.dumps({"rounds": rounds}), flush=True)


if __name__ == "__main__":
    uvloop.run(main())
