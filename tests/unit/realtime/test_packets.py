from __future__ import annotations

import pytest

from mediaserver.realtime import packets


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65_535, b"\x81\x7e\xff\xff"),
        (65_536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_frames_of_each_kind_of_length(size: int, head: bytes) -> None:
    assert packets.text_frame(b"x" * size) == head + b"x" * size


def test_an_event_as_a_poll_and_as_a_websocket_carry_it() -> None:
    out = packets.event("/chat", "live", '{"channel":"ada"}')
    text = '42/chat,["live",{"channel":"ada"}]'
    assert out.packet.encode() == text
    assert out.frame == bytes((0x81, len(text))) + text.encode()


def test_characters_beyond_ascii_count_in_bytes() -> None:
    out = packets.event("/chat", "x", '"é\U0001f44b"')
    assert out.frame[1] == len(out.frame) - 2
