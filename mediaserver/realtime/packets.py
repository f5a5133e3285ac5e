"""What is sent: encoded once, framed once, handed to any number of clients."""

from __future__ import annotations

from typing import NamedTuple

from engineio.packet import MESSAGE, Packet

_FINAL_TEXT = 0x81  # FIN and opcode 1, RFC 6455 §5.2


class Outgoing(NamedTuple):
    """One packet as a poll carries it and as a WebSocket does."""

    packet: Packet
    frame: bytes


def outgoing(packet: Packet) -> Outgoing:
    return Outgoing(packet, text_frame(packet.encode().encode()))


def event(namespace: str, name: str, payload_json: str) -> Outgoing:
    """A Socket.IO event without an ack: packet type 2, the namespace, name and payload."""
    return outgoing(Packet(MESSAGE, f'2{namespace},["{name}",{payload_json}]'))


def text_frame(payload: bytes) -> bytes:
    """A whole, unmasked text frame, as a server sends it (RFC 6455 §5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((_FINAL_TEXT, size)) + payload
    if size < 1 << 16:
        return bytes((_FINAL_TEXT, 126)) + size.to_bytes(2, "big") + payload
    return bytes((_FINAL_TEXT, 127)) + size.to_bytes(8, "big") + payload
