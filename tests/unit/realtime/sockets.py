"""A connection without a wire."""

from __future__ import annotations

from mediaserver.realtime.engine import Socket
from mediaserver.realtime.packets import Outgoing


class QuietSocket(Socket):
    """Keeps what it is sent."""

    def __init__(self, sid: str = "s") -> None:
        self.sid = sid
        self.got: list[str] = []

    def push(self, out: Outgoing) -> None:
        self.got.append(str(out.packet.data))
