"""Instant playback: what each viewer is sent, from real streams, down to the sample."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import pytest

from mediaserver.kernel import limits
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.config import MediaConfig
from mediaserver.kernel.errors import Unavailable
from mediaserver.kernel.metrics import Metrics
from mediaserver.media.fmp4 import Muxer
from mediaserver.media.frames import AudioConfig, Frame, Kind, VideoConfig
from mediaserver.media.instant import (
    CLOSE_ENDED,
    CLOSE_SLOW,
    InstantRoom,
    InstantStream,
    Seat,
)
from mediaserver.media.packager import Packager
from mediaserver.media.parts import PRESETS, Epoch
from tests.instant_messages import EpochHead, FragmentMessage, Message, read_websocket
from tests.unit.media.captured import tags

Tag = VideoConfig | AudioConfig | Frame
STREAM = "ffmpeg-5.1-silent-aac"  # 8 s, 30 pictures a second, a keyframe every 2 s
B_FRAMES = "ffmpeg-5.1-h264-bframes-aac"
SOUND = "ffmpeg-5.1-audio-only"
WALL_MS = 1_700_000_000_000


class FakeViewer:
    """A connection that reads at once, or not at all."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.unsent_bytes = 0
        self.reads = True
        self.closed: list[int] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)
        if not self.reads:
            self.unsent_bytes += len(data)

    def close(self, code: int, reason: str) -> None:
        assert reason
        self.closed.append(code)

    @property
    def messages(self) -> list[Message]:
        return read_websocket(b"".join(self.written))

    @property
    def fragments(self) -> list[FragmentMessage]:
        return [one for one in self.messages if isinstance(one, FragmentMessage)]


class Stream:
    """Frames through a packager into an instant output, as a broadcast does it."""

    def __init__(self, viewers_max: int = 100) -> None:
        self.clock = FakeClock()
        self.room = InstantRoom(MediaConfig(instant_viewers_max=viewers_max))
        self.instant = InstantStream(self.room, self.clock, Metrics())
        self.packager = Packager(PRESETS["low"])
        self.epochs: list[Epoch] = []
        self.muxers: list[Muxer] = []
        self.muxed = 0

    def push(self, given: Iterable[Tag]) -> None:
        for tag in given:
            if not isinstance(tag, Frame):
                outputs = self.packager.configure(tag)
            else:
                outputs = self.packager.push(tag, WALL_MS + tag.timestamp_ms)
            for output in outputs:
                if isinstance(output, Epoch):
                    self.epochs.append(output)
                    self.muxers.append(self._counting(Muxer(output)))
                    self.instant.begin_epoch(output, self.muxers[-1])
            self.instant.push(self.packager.take_fresh())

    def _counting(self, muxer: Muxer) -> Muxer:
        fragment: Callable[..., bytes] = muxer.fragment

        def counted(*arguments: object) -> bytes:
            self.muxed += 1
            return fragment(*arguments)

        muxer.fragment = counted  # type: ignore[method-assign]
        return muxer

    def join(self) -> tuple[FakeViewer, Seat]:
        viewer = FakeViewer()
        return viewer, self.instant.join(viewer)


def until(given: Sequence[Tag], ms: int) -> list[Tag]:
    return [tag for tag in given if not isinstance(tag, Frame) or tag.timestamp_ms < ms]


def since(given: Sequence[Tag], ms: int, until_ms: int = 1 << 31) -> list[Frame]:
    return [tag for tag in given if isinstance(tag, Frame) and ms <= tag.timestamp_ms < until_ms]


def pictures(frames: Sequence[Frame]) -> list[Frame]:
    return [frame for frame in frames if frame.kind is Kind.VIDEO]


def without(kind: type[VideoConfig] | type[AudioConfig], given: Sequence[Tag]) -> list[Tag]:
    gone = Kind.VIDEO if kind is VideoConfig else Kind.AUDIO
    return [
        tag
        for tag in given
        if not isinstance(tag, kind) and not (isinstance(tag, Frame) and tag.kind is gone)
    ]


def later(frames: Sequence[Frame], ms: int) -> list[Frame]:
    return [dataclasses.replace(frame, timestamp_ms=frame.timestamp_ms + ms) for frame in frames]


@pytest.mark.parametrize("name", [STREAM, B_FRAMES])
def test_each_picture_is_a_message_at_once(name: str) -> None:
    given = tags(name)
    stream = Stream()
    stream.push(until(given, 5_000))
    viewer, _ = stream.join()
    joined_with = len(viewer.fragments)
    sent = since(given, 5_000, 7_000)
    for number, frame in enumerate(pictures(sent), 1):
        stream.push(sent[: sent.index(frame) + 1])
        sent = sent[sent.index(frame) + 1 :]
        assert len(viewer.fragments) == joined_with + number, "no frame waits for the next"
    head = viewer.messages[0]
    assert isinstance(head, EpochHead)
    init = head.init
    assert init.video is not None
    assert init.audio is not None
    fresh = viewer.fragments[joined_with:]
    frames = pictures(since(given, 5_000, 7_000))
    assert [one.keyframe for one in fresh] == [frame.keyframe for frame in frames]
    ends: list[int] = []
    for one, frame, following in zip(fresh, frames, [*frames[1:], None], strict=True):
        media = one.media(init)
        video = media.track(init.video.track_id)
        assert video is not None
        (sample,) = video.samples
        assert frame.data in one.data
        assert sample.sync == frame.keyframe
        assert sample.cts == frame.composition_ms * 90
        # Whatever comes next comes before twice its duration.
        assert sample.duration == limits.INSTANT_PICTURE_HOLD_MS * 90
        assert one.received_ms == WALL_MS + frame.timestamp_ms
        assert one.start_s == pytest.approx((video.tfdt + sample.cts) / 90_000)
        assert one.end_s == pytest.approx(one.start_s + 1 / 30, abs=0.001)
        if following is not None:
            step = (following.timestamp_ms - frame.timestamp_ms) * 90
            ends.append(video.tfdt + step)
    starts = [
        track.tfdt
        for one in fresh[1:]
        for track in one.media(init).tracks
        if track.track_id == init.video.track_id
    ]
    assert starts == ends, "each is at its own time, whatever was said of the one before"


def test_sound_goes_along_without_hole_or_overlap() -> None:
    given = tags(STREAM)
    stream = Stream()
    stream.push(until(given, 4_500))
    viewer, _ = stream.join()
    stream.push(since(given, 4_500))
    head = viewer.messages[0]
    assert isinstance(head, EpochHead)
    assert head.init.audio is not None
    track_id = head.init.audio.track_id
    sounds = [
        track
        for one in viewer.fragments
        for track in one.media(head.init).tracks
        if track.track_id == track_id
    ]
    assert len(sounds) > 100
    assert all(before.end == after.tfdt for before, after in pairwise(sounds))


def test_nothing_is_muxed_while_nobody_watches() -> None:
    given = tags(STREAM)
    stream = Stream()
    stream.push(until(given, 5_000))
    assert stream.muxed == 0
    viewer, seat = stream.join()
    assert stream.muxed == 1, "the group so far is one fragment"
    stream.push(since(given, 5_000, 5_500))
    assert stream.muxed == len(viewer.fragments)
    other, _ = stream.join()
    stream.push(since(given, 5_500, 6_000))
    assert stream.muxed == len(viewer.fragments), "once for all"
    assert viewer.written[-10:] == other.written[-10:]
    assert viewer.written[-1] is other.written[-1], "and framed once"
    stream.instant.leave(seat)
    assert stream.room.viewers == 1


def test_a_viewer_begins_with_the_last_keyframe() -> None:
    given = tags(STREAM)
    stream = Stream()
    stream.push(until(given, 5_000))
    first, _ = stream.join()
    stream.push(since(given, 5_000, 5_600))
    second, _ = stream.join()
    stream.push(since(given, 5_600, 6_600))
    third, _ = stream.join()
    keyframe_s = [
        frame.timestamp_ms / 1000 for frame in pictures(since(given, 0)) if frame.keyframe
    ]
    for viewer, latest_s in ((first, 5.0), (second, 5.6), (third, 6.6)):
        head, *fragments = viewer.messages
        assert isinstance(head, EpochHead)
        begun = fragments[0]
        assert isinstance(begun, FragmentMessage)
        assert begun.keyframe
        began_s = max(one for one in keyframe_s if one < latest_s)
        assert begun.start_s - 10 + keyframe_s[0] == pytest.approx(began_s, abs=0.05)
        sequences = [one.sequence for one in viewer.fragments]
        assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
    # All have all pictures since, in the same bytes.
    assert first.fragments[-30:] == second.fragments[-30:]


def test_a_slow_viewer_skips_to_a_keyframe_and_nobody_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "INSTANT_UNSENT_BYTES_MAX", 20_000)
    given = tags(STREAM)
    stream = Stream()
    stream.push(until(given, 3_000))
    quick, _ = stream.join()
    slow, _ = stream.join()
    slow.reads = False
    stream.push(since(given, 3_000, 5_000))
    largest = max(len(one) for one in quick.written)
    assert slow.unsent_bytes <= 20_000 + sum(map(len, quick.written[:1])) + largest
    missed = len(slow.fragments)
    assert missed < len(quick.fragments)
    # It reads again, in the middle of a group: nothing comes before the next keyframe.
    slow.reads, slow.unsent_bytes = True, 0
    stream.push(since(given, 5_000, 5_500))
    assert len(slow.fragments) == missed
    stream.push(since(given, 5_500, 7_000))
    back = slow.fragments[missed]
    assert back.keyframe
    assert back.sequence > slow.fragments[missed - 1].sequence + 1
    assert slow.fragments[missed:] == quick.fragments[-len(slow.fragments[missed:]) :]
    assert [one.sequence for one in quick.fragments] == list(
        range(quick.fragments[0].sequence, quick.fragments[-1].sequence + 1)
    )
    assert slow.closed == []


def test_a_viewer_who_never_reads_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "INSTANT_UNSENT_BYTES_MAX", 10_000)
    given = tags(STREAM)
    stream = Stream()
    stream.push(until(given, 3_000))
    stuck, _ = stream.join()
    stuck.reads = False
    stream.push(since(given, 3_000, 5_000))
    held = stuck.unsent_bytes
    stream.push(since(given, 5_000, 6_000))
    assert stuck.closed == []
    stream.clock.advance(int(limits.INSTANT_STUCK_S * 1000) + 1)
    stream.push(since(given, 6_000))
    assert stuck.closed == [CLOSE_SLOW]
    assert stuck.unsent_bytes == held, "memory is bounded"


def test_the_group_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "INSTANT_GROUP_MESSAGES_MAX", 20)
    given = tags(STREAM)
    stream = Stream()
    stream.push(until(given, 5_500))
    viewer, _ = stream.join()
    assert viewer.written == [], "more than is kept came since the keyframe"
    stream.push(since(given, 5_500))
    assert isinstance(viewer.messages[0], EpochHead)
    assert viewer.fragments[0].keyframe


def test_a_new_epoch_has_a_head_of_its_own() -> None:
    given = tags(STREAM)
    stream = Stream()
    stream.push(until(given, 4_000))
    viewer, _ = stream.join()
    before = len(viewer.messages)
    # The encoder's clock jumps by an hour: same tracks, another time line.
    stream.push(later(since(given, 4_000), 3_600_000))
    assert len(stream.epochs) == 2
    head = viewer.messages[before:][0]
    rest = viewer.messages[before + 1 :]
    assert isinstance(head, EpochHead)
    assert head.number == 1
    first = rest[0]
    assert isinstance(first, FragmentMessage)
    assert first.keyframe
    assert first.start_s == pytest.approx(10, abs=0.1)
    assert {one.epoch for one in rest if isinstance(one, FragmentMessage)} == {1}
    assert not any(isinstance(one, EpochHead) for one in rest)


def test_sound_alone_comes_a_few_frames_at_a_time() -> None:
    given = tags(SOUND)
    stream = Stream()
    stream.push(until(given, 4_000))
    viewer, _ = stream.join()
    joined_with = len(viewer.fragments)
    stream.push(since(given, 4_000, 6_000))
    head = viewer.messages[0]
    assert isinstance(head, EpochHead)
    assert head.about["video"] is False
    assert head.init.video is None
    fresh = viewer.fragments[joined_with:]
    assert all(one.keyframe for one in fresh), "one may begin anywhere"
    assert len(fresh) == pytest.approx(2000 / 64, abs=2)  # 3 frames of 21.3 ms
    assert 0.5 <= fresh[0].start_s - viewer.fragments[0].start_s <= 1.2, "a second to begin with"
    spans = [(one.start_s, one.end_s) for one in viewer.fragments]
    assert all(a[1] == pytest.approx(b[0]) for a, b in pairwise(spans))


def test_a_picture_without_sound() -> None:
    given = without(AudioConfig, tags(STREAM))
    stream = Stream()
    stream.push(until(given, 5_000))
    viewer, _ = stream.join()
    stream.push(since(given, 5_000, 6_000))
    head = viewer.messages[0]
    assert isinstance(head, EpochHead)
    assert head.init.audio is None
    assert head.about["mime"].count(",") == 0
    assert len(viewer.fragments) == 1 + 30


def test_sound_goes_on_while_the_picture_stands() -> None:
    given = tags(STREAM)
    stream = Stream()
    stream.push(until(given, 5_000))
    viewer, _ = stream.join()
    joined_with = len(viewer.fragments)
    stream.push([frame for frame in since(given, 5_000, 6_000) if frame.kind is Kind.AUDIO])
    assert len(viewer.fragments) - joined_with == pytest.approx(1000 / 64, abs=2)
    assert not any(one.keyframe for one in viewer.fragments[joined_with:])


def test_room_is_counted_over_all_streams() -> None:
    first = Stream(viewers_max=2)
    second = InstantStream(first.room, first.clock, Metrics())
    _, seat = first.join()
    second.join(FakeViewer())
    assert not first.instant.has_room
    with pytest.raises(Unavailable) as refused:
        first.join()
    assert refused.value.code == "full"
    first.instant.leave(seat)
    first.join()
    assert first.instant.viewers == second.viewers == 1


def test_the_end_sends_everybody_away() -> None:
    stream = Stream()
    stream.push(until(tags(STREAM), 4_000))
    viewer, _ = stream.join()
    stream.instant.end()
    assert viewer.closed == [CLOSE_ENDED]
    assert stream.instant.ended


def test_a_streamers_own_look_is_no_viewer() -> None:
    stream = Stream()
    stream.join()
    look = stream.instant.join(FakeViewer(), is_counted=False)
    assert (stream.instant.viewers, stream.room.viewers) == (1, 2), "it takes room all the same"
    stream.instant.leave(look)
    assert (stream.instant.viewers, stream.room.viewers) == (1, 1)
