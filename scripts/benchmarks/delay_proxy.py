"""`python -m benchmarks.delay_proxy JSON`: a TCP proxy that is far away.

Every byte takes half the round trip in each direction, in order and at any rate, and a new
connection carries nothing for one round trip, as its handshake would. With `jitter_ms` each piece
takes up to as much more or less in each direction, evenly spread, and as on any TCP connection what
follows a late piece waits for it. It has no congestion window and loses nothing: what it shows is
distance, not a bad line.

Options: `port` of the server, `rtt_ms`, `jitter_ms` (0). Says {"port"}.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import deque

import uvloop


class _End(asyncio.Protocol):
    """One side of a connection; what it receives leaves its peer later."""

    def __init__(self, proxy: Proxy, peer: _End | None = None) -> None:
        self._proxy = proxy
        self.peer = peer
        self.opened_at = 0.0
        self.transport: asyncio.Transport | None = None
        self._queue: deque[tuple[float, bytes | None]] = deque()
        self._latest = 0.0
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "write")
        self.transport = transport  # type: ignore[assignment]
        if self.peer is None:
            self.opened_at = self._loop.time()
            self.peer = _End(self._proxy, self)
            self.peer.opened_at = self.opened_at
            self._proxy.connect(self.peer)

    def data_received(self, data: bytes) -> None:
        self._pass(data)

    def eof_received(self) -> bool:
        self._pass(None)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._pass(None)

    def _pass(self, data: bytes | None) -> None:
        assert self.peer is not None
        sent = max(self._loop.time(), self.opened_at + self._proxy.rtt_s)
        jitter = random.uniform(-self._proxy.jitter_s, self._proxy.jitter_s)
        arrives = max(self._latest, sent + self._proxy.rtt_s / 2 + jitter)
        self._latest = arrives
        self.peer._queue.append((arrives, data))
        self._loop.call_at(arrives, self.peer.deliver)

    def deliver(self) -> None:
        """Send what has come far enough; called once for every piece, and on connecting."""
        while self.transport is not None and self._queue:
            if self._queue[0][0] > self._loop.time() + 0.0005:
                return
            data = self._queue.popleft()[1]
            if data is None:
                self.transport.close()
            elif not self.transport.is_closing():
                self.transport.write(data)


class Proxy:
    def __init__(self, port: int, rtt_s: float, jitter_s: float) -> None:
        assert jitter_s <= rtt_s / 2, "nothing arrives before it was sent"
        self.port = port
        self.rtt_s = rtt_s
        self.jitter_s = jitter_s
        self._tasks: set[asyncio.Task[None]] = set()

    def connect(self, end: _End) -> None:
        task = asyncio.get_running_loop().create_task(self._connect(end))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, end: _End) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: end, "127.0.0.1", self.port)
        except OSError:
            assert end.peer is not None
            assert end.peer.transport is not None
            end.peer.transport.abort()
        else:
            end.deliver()


async def main() -> None:
    options = json.loads(sys.argv[1])
    jitter_ms = options.get("jitter_ms", 0)
    proxy = Proxy(options["port"], options["rtt_ms"] / 1000, jitter_ms / 1000)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _End(proxy), "127.0.0.1", 0, backlog=1024)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
