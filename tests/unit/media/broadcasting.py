"""Broadcasts on a clock that a test moves, fed with what an encoder has sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import MediaConfig, RtmpConfig
from mediaserver.kernel.events import Events
from mediaserver.kernel.metrics import Metrics
from mediaserver.media import events as media_events
from mediaserver.media.broadcast import Broadcast, BroadcastState
from mediaserver.media.broadcasts import Broadcasts
from mediaserver.media.gate import PublishGrant
from mediaserver.media.live_stream import PlaylistRequest
from mediaserver.media.origin import Origin
from tests.unit.media.captured import messages

GRANT = PublishGrant("chn_1", "film", "key_1")
HELD_GRANT = PublishGrant("chn_1", "film", "key_1", starts_automatically=False)
OTHER = PublishGrant("chn_2", "other", "key_2")
SILENT_AAC = messages("ffmpeg-5.1-silent-aac")  # 8 s, 30 frames a second
GROUP_MS = 2_000
Message = tuple[int, bytes, int]


class FakePublisher:
    """A connection that notes why it was ended."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def disconnect(self, reason: str) -> None:
        self.reasons.append(reason)


class Site:
    """Broadcasts on a clock that the test moves, and everything they report."""

    def __init__(self, *, bitrate_max_kbps: int = 20_000, **media: Any) -> None:
        self.clock = FakeClock()
        self.metrics = Metrics()
        self.origin = Origin()
        self.reported: list[object] = []
        events = Events()
        for name in ("Started", "WentLive", "Interrupted", "Resumed", "Ended"):
            events.subscribe(getattr(media_events, f"Broadcast{name}"), self.reported.append)
        self.events = events
        self.broadcasts = Broadcasts(
            MediaConfig(**media),
            RtmpConfig(bitrate_max_kbps=bitrate_max_kbps),
            self.origin,
            self.clock,
            events,
            self.metrics,
        )

    def open(self, grant: PublishGrant = GRANT) -> tuple[Broadcast, FakePublisher]:
        publisher = FakePublisher()
        return self.broadcasts.open(grant, publisher), publisher

    def pass_ms(self, ms: int) -> None:
        """Time goes by, with the half-second look of `Broadcasts.run`."""
        while ms > 0:
            self.clock.advance(min(500, ms))
            ms -= 500
            self.broadcasts.check()

    def send(
        self, broadcast: Broadcast, sent: Sequence[Message], *, real_time: bool = True
    ) -> None:
        """Messages at the pace of their timestamps."""
        last_ms = sent[0][2]
        for type_id, body, timestamp in sent:
            if real_time and timestamp > last_ms:
                self.clock.advance(timestamp - last_ms)
                if timestamp // 500 != last_ms // 500:
                    self.broadcasts.check()
                last_ms = timestamp
            push = broadcast.push_video if type_id == 9 else broadcast.push_audio
            push(body, timestamp)

    def names(self) -> list[str]:
        return [type(event).__name__.removeprefix("Broadcast") for event in self.reported]

    def state(self, channel: str = "film") -> BroadcastState | None:
        status = self.broadcasts.status(channel)
        return status.state if status is not None else None


def between(from_ms: int, until_ms: int) -> list[Message]:
    """The stream from its headers, then from `from_ms`, without its end of sequence."""
    headers = [one for one in SILENT_AAC if is_header(one)]
    return headers + [
        one
        for one in SILENT_AAC
        if from_ms <= one[2] < until_ms and not is_header(one) and one[1][:2] != b"\x17\x02"
    ]


def is_header(one: Message) -> bool:
    return one[1][1] == 0 and one[2] == 0


def media_of(sent: Sequence[Message]) -> list[Message]:
    return [one for one in sent if not is_header(one)]


def later(sent: Sequence[Message], ms: int) -> list[Message]:
    return [(type_id, body, timestamp + ms) for type_id, body, timestamp in sent]


def live_site(**options: Any) -> tuple[Site, Broadcast, FakePublisher]:
    """A site with a stream of 5 s that is live."""
    site = Site(**options)
    broadcast, publisher = site.open()
    site.send(broadcast, between(0, 5_000))
    assert site.state() is BroadcastState.LIVE
    return site, broadcast, publisher


async def playlist(broadcast: Broadcast) -> str:
    return (await broadcast.stream.playlist(PlaylistRequest())).plain.decode()
