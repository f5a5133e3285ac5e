"""Streams are found by channel and by session."""

from __future__ import annotations

import pytest

from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.errors import NotFound
from mediaserver.media.live_stream import LiveStream
from mediaserver.media.origin import Origin
from mediaserver.media.parts import PRESETS


def _stream(session: str) -> LiveStream:
    return LiveStream(session, PRESETS["low"], 40, FakeClock())


def test_streams_of_channels() -> None:
    origin, first, second = Origin(), _stream("session"), _stream("other")
    for find in (lambda: origin.current("c"), lambda: origin.stream("c", "session")):
        with pytest.raises(NotFound):
            find()
    origin.add("c", first)
    assert origin.current("c") is origin.stream("c", "session") is first
    origin.add("c", second)
    assert origin.current("c") is second
    assert origin.stream("c", "session") is first
    assert origin.channels() == ["c"]
    assert origin.all() == [first, second]
    origin.remove("c", first)
    assert origin.current("c") is second
    with pytest.raises(NotFound):
        origin.stream("c", "session")
    origin.remove("c", second)
    origin.remove("c", second)
    assert origin.channels() == origin.all() == []
