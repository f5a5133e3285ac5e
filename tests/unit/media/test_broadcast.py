"""A live publish from start to end: its states, their events, and every reason to end it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from mediaserver.kernel import limits
from mediaserver.kernel.errors import NotFound
from mediaserver.media.broadcast import Broadcast, BroadcastState
from mediaserver.media.events import (
    BroadcastEnded,
    BroadcastInterrupted,
    BroadcastResumed,
    BroadcastStarted,
    BroadcastWentLive,
)
from mediaserver.media.frames import Unsupported
from tests.unit.media.broadcasting import (
    HELD_GRANT,
    FakePublisher,
    Message,
    Site,
    between,
    is_header,
    later,
    live_site,
    media_of,
    playlist,
)
from tests.unit.media.captured import messages

# From start to end --------------------------------------------------------------------------------


async def test_a_whole_life() -> None:
    site = Site()
    opened_ms = site.clock.wall_ms()
    broadcast, publisher = site.open()
    assert site.state() is BroadcastState.STARTING
    assert site.origin.current("film") is broadcast.stream
    with pytest.raises(NotFound):
        broadcast.stream.multivariant()

    site.send(broadcast, between(0, 2_000))
    assert site.state() is BroadcastState.STARTING
    # The second keyframe tells how long segments are: the first parts come with it.
    site.send(broadcast, media_of(between(2_000, 5_000)))
    assert site.state() is BroadcastState.LIVE
    assert site.names() == ["Started", "WentLive"]
    status = site.broadcasts.status("film")
    assert status is not None
    assert (status.video_codec, status.audio_codec) == ("avc1.64000D", "mp4a.40.2")
    assert (status.width, status.height) == (320, 180)
    assert status.warning is None
    assert status.session == broadcast.stream.session

    broadcast.detach(publisher)
    assert site.state() is BroadcastState.RECONNECTING
    site.pass_ms(30_000)
    assert site.state() is BroadcastState.RECONNECTING
    site.pass_ms(500)
    assert site.state() is BroadcastState.ENDED
    assert (await playlist(broadcast)).endswith("#EXT-X-ENDLIST\n")

    assert site.names() == ["Started", "WentLive", "Interrupted", "Ended"]
    started, went_live, interrupted, ended = site.reported
    names = (broadcast.id, "chn_1", "film")
    assert started == BroadcastStarted(*names, "key_1", opened_ms)
    assert isinstance(went_live, BroadcastWentLive)
    assert 2_000 <= went_live.at_ms - opened_ms <= 2_100
    assert interrupted == BroadcastInterrupted(*names, ended_at(ended) - 30_500)
    assert ended == BroadcastEnded(
        *names, site.clock.wall_ms(), "The encoder did not come back in time.", True
    )
    assert publisher.reasons == []

    # The ended stream is kept for a minute.
    site.pass_ms(60_000)
    assert site.state() is BroadcastState.ENDED
    site.pass_ms(500)
    assert site.state() is None
    with pytest.raises(NotFound):
        site.origin.current("film")
    assert site.broadcasts.all() == []


def ended_at(event: object) -> int:
    assert isinstance(event, BroadcastEnded)
    return event.at_ms


def test_a_publisher_comes_back_and_the_same_playlist_goes_on() -> None:
    site, broadcast, publisher = live_site()
    broadcast.detach(publisher)
    site.pass_ms(10_000)
    again, _ = site.open()
    assert again is broadcast
    assert site.state() is BroadcastState.RECONNECTING
    site.send(again, between(0, 5_000))
    assert site.state() is BroadcastState.LIVE
    assert site.names() == ["Started", "WentLive", "Interrupted", "Resumed"]
    assert isinstance(site.reported[-1], BroadcastResumed)


async def test_coming_back_is_one_discontinuity() -> None:
    site, broadcast, publisher = live_site()
    before = await playlist(broadcast)
    broadcast.detach(publisher)
    site.pass_ms(3_000)
    again, _ = site.open()
    site.send(again, between(0, 5_000))
    after = await playlist(broadcast)
    assert "#EXT-X-DISCONTINUITY\n" not in before
    assert after.count("#EXT-X-DISCONTINUITY\n") == 1
    assert after.count("#EXT-X-MAP:") == 2
    for tag in ("#EXT-X-TARGETDURATION", "#EXT-X-PART-INF", "#EXT-X-SERVER-CONTROL"):
        assert line(before, tag) == line(after, tag)


def line(text: str, start: str) -> str:
    return next(one for one in text.splitlines() if one.startswith(start))


async def test_a_stalled_publisher_goes_on_over_the_same_connection() -> None:
    """It doesn't send its headers again."""
    site, broadcast, publisher = live_site()
    site.pass_ms(5_000)
    assert site.state() is BroadcastState.LIVE
    site.pass_ms(500)
    assert site.state() is BroadcastState.RECONNECTING
    assert "#EXT-X-ENDLIST" not in await playlist(broadcast)
    site.pass_ms(8_000)
    site.send(broadcast, later(media_of(between(2_000, 8_000)), 16_500))
    assert site.state() is BroadcastState.LIVE
    assert site.names() == ["Started", "WentLive", "Interrupted", "Resumed"]
    assert (await playlist(broadcast)).count("#EXT-X-DISCONTINUITY\n") == 1
    assert publisher.reasons == []


def test_a_stalled_publisher_that_stays_silent_is_disconnected() -> None:
    site, _, publisher = live_site()
    site.pass_ms(5_500 + 30_500)
    assert site.state() is BroadcastState.ENDED
    assert publisher.reasons == ["The encoder did not come back in time."]


def test_a_connection_that_closes_after_a_stall_waits_no_longer() -> None:
    site, broadcast, publisher = live_site()
    site.pass_ms(5_500 + 20_000)
    broadcast.detach(publisher)
    site.pass_ms(10_500)
    assert site.names() == ["Started", "WentLive", "Interrupted", "Ended"]


@pytest.mark.parametrize("grace_s", [0, 30])
def test_a_publisher_that_is_back_gets_time_for_its_first_part(grace_s: int) -> None:
    """It returns in the last moment and takes a group of pictures to begin."""
    site, broadcast, publisher = live_site(grace_s=grace_s)
    broadcast.detach(publisher)
    site.pass_ms(grace_s * 1000)
    again, _ = site.open()
    assert again is broadcast
    waiting = [one for one in between(200, 6_000) if is_header(one) or one[2] < 8_000]
    site.send(again, waiting)
    assert site.names() == ["Started", "WentLive", "Interrupted", "Resumed"]


def test_a_publisher_that_is_back_in_vain_is_given_up() -> None:
    site, broadcast, publisher = live_site()
    broadcast.detach(publisher)
    site.pass_ms(29_000)
    _, back = site.open()
    assert site.state() is BroadcastState.RECONNECTING
    site.pass_ms(6_500)
    assert site.state() is BroadcastState.ENDED
    assert back.reasons == ["The encoder did not come back in time."]


def test_a_publisher_that_is_back_and_never_begins_is_given_up() -> None:
    """It sends sound without its header: frames come, parts don't."""
    site, broadcast, publisher = live_site(grace_s=5)
    broadcast.detach(publisher)
    site.pass_ms(4_000)
    again, back = site.open()
    for number in range(50):
        site.pass_ms(500)
        again.push_audio(b"\xaf\x01sound", number * 500)
        if number == 35:
            assert back.reasons == [], "below the time that a publisher gets"
    assert back.reasons == ["The encoder did not come back in time."]


# Streams that never begin -------------------------------------------------------------------------


def test_an_encoder_that_leaves_before_a_picture() -> None:
    site = Site()
    broadcast, publisher = site.open()
    site.send(broadcast, between(0, 1_000))
    broadcast.detach(publisher)
    assert site.names() == ["Started", "Ended"]
    assert site.reported[-1] == BroadcastEnded(
        broadcast.id,
        "chn_1",
        "film",
        site.clock.wall_ms(),
        "The encoder left before it sent a picture or sound.",
        False,
    )


def test_an_encoder_that_sends_nothing() -> None:
    site = Site()
    _, publisher = site.open()
    site.pass_ms(20_000)
    assert site.state() is BroadcastState.STARTING
    site.pass_ms(500)
    assert site.names() == ["Started", "Ended"]
    assert publisher.reasons == ["No picture or sound that can be shown came for 20 s."]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            b"\x17\x00\x00\x00\x00\x01\x7a\x00\x1f\xff\xe1\x00",
            (
                "H.264 in 4:2:2 can't be played by browsers. "
                "Set the encoder to 8-bit 4:2:0 (in OBS: colour format NV12)."
            ),
        ),
        (b"\x17\x00\x00\x00\x00\x07", "The encoder sent something broken: broken avcC record."),
        (b"\x17", "The encoder sent something broken: video tag is cut off."),
    ],
)
def test_what_cannot_be_shown_is_the_reason_of_the_end(body: bytes, reason: str) -> None:
    site = Site()
    broadcast, publisher = site.open()
    with pytest.raises(Unsupported) as caught:
        broadcast.push_video(body, 0)
    assert str(caught.value) == reason
    broadcast.detach(publisher)
    ended = site.reported[-1]
    assert isinstance(ended, BroadcastEnded)
    assert ended.reason == reason


def with_a_broken_header() -> list[Message]:
    """Its avcC record has the right start and no parameter sets."""
    broken = b"\x17\x00\x00\x00\x00" + b"\x01\x64\x00\x0d\xff\xe1\x00"
    return [
        (type_id, broken if body[:2] == b"\x17\x00" else body, ms)
        for type_id, body, ms in between(0, 8_000)
    ]


def with_one_keyframe(sent: Sequence[Message], until_ms: int) -> list[Message]:
    """The keyframes after the first are inter frames, up to that time."""

    def is_turned(body: bytes, ms: int) -> bool:
        return body[:2] == b"\x17\x01" and 100 < ms < until_ms

    return [
        (type_id, b"\x27" + body[1:] if is_turned(body, ms) else body, ms)
        for type_id, body, ms in sent
    ]


@pytest.mark.parametrize("until_ms", [0, 8_000])
def test_a_header_that_ffmpeg_cannot_read_ends_the_stream_with_its_reason(until_ms: int) -> None:
    """The packager has made parts by then, of a segment that is whole or open: all for nothing."""
    site = Site()
    broadcast, publisher = site.open()
    with pytest.raises(Unsupported, match=r"^The stream's first frames can't be read\.$"):
        site.send(broadcast, with_one_keyframe(with_a_broken_header(), until_ms))
    broadcast.detach(publisher)
    assert site.names() == ["Started", "Ended"]
    ended = site.reported[-1]
    assert isinstance(ended, BroadcastEnded)
    assert ended.reason == "The stream's first frames can't be read."


async def test_a_live_stream_survives_a_publisher_that_turns_unplayable() -> None:
    site, broadcast, publisher = live_site()
    with pytest.raises(Unsupported):
        site.send(broadcast, later(with_a_broken_header(), 5_000))
    broadcast.detach(publisher)
    assert site.state() is BroadcastState.RECONNECTING
    before = await playlist(broadcast)
    again, _ = site.open()
    assert again is broadcast
    site.send(again, between(0, 5_000))
    assert site.state() is BroadcastState.LIVE
    after = await playlist(broadcast)
    assert after.startswith(before[: before.index("#EXT-X-PRELOAD-HINT")])


# Held until it is started -------------------------------------------------------------------------


def held_site(**options: Any) -> tuple[Site, Broadcast, FakePublisher]:
    """A site with a stream of 5 s that could be seen, and isn't."""
    site = Site(**options)
    publisher = FakePublisher()
    broadcast = site.broadcasts.open(HELD_GRANT, publisher)
    site.send(broadcast, between(0, 5_000))
    assert site.state() is BroadcastState.HELD
    return site, broadcast, publisher


def is_public(site: Site) -> bool:
    status = site.broadcasts.status("film")
    assert status is not None
    return status.is_public


async def test_a_held_stream_plays_for_who_knows_its_session() -> None:
    site, broadcast, _ = held_site()
    assert not is_public(site)
    assert site.names() == ["Started"]
    assert site.origin.channels() == []
    with pytest.raises(NotFound):
        site.origin.current("film")
    stream = site.origin.stream("film", broadcast.stream.session)
    assert b"\nmedia.m3u8\n" in stream.multivariant(in_session=True)
    assert "1.0.m4s" in await playlist(broadcast)


async def test_a_start_shows_nothing_from_before() -> None:
    site, broadcast, publisher = held_site()
    site.clock.advance(10)
    assert site.broadcasts.start("film")
    started_ms = site.clock.wall_ms()
    assert is_public(site)
    assert site.state() is BroadcastState.STARTING
    assert site.origin.current("film") is broadcast.stream
    with pytest.raises(NotFound):
        broadcast.stream.multivariant()
    before = await playlist(broadcast)  # the streamer's own player goes on with it
    assert "1.0.m4s" in before

    site.send(broadcast, media_of(between(5_000, 8_000)))
    assert site.state() is BroadcastState.LIVE
    assert site.names() == ["Started", "WentLive"]
    status = site.broadcasts.status("film")
    assert status is not None
    assert status.started_at_ms == started_ms
    text = await playlist(broadcast)
    first = next(one for one in text.splitlines() if one.startswith("#EXT-X-PROGRAM-DATE-TIME:"))
    assert first.split(":", 1)[1] > shown_time(started_ms)
    listed = [one for one in text.splitlines() if one.startswith("#EXT-X-PART:")]
    assert "INDEPENDENT=YES" in listed[0]
    for name in ("1.m4s", "1.0.m4s", "2.0.m4s", "init-0.mp4"):
        with pytest.raises(NotFound):
            await broadcast.stream.media(name)
    assert broadcast.stream.multivariant()
    sizes = [len((await broadcast.stream.media(uri_of(one)))[0]) for one in listed]
    assert broadcast.stream.byte_count == sum(sizes)
    broadcast.detach(publisher)
    assert site.names() == ["Started", "WentLive", "Interrupted"]


def shown_time(wall_ms: int) -> str:
    return datetime.fromtimestamp(wall_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:23] + "Z"


def uri_of(line: str) -> str:
    return line.partition('URI="')[2].partition('"')[0]


def test_what_happens_to_a_held_stream_is_not_told() -> None:
    site, broadcast, publisher = held_site()
    broadcast.detach(publisher)
    assert site.state() is BroadcastState.RECONNECTING
    assert not is_public(site)
    assert not site.broadcasts.start("film"), "nothing to show"
    site.pass_ms(10_000)
    again = site.broadcasts.open(HELD_GRANT, FakePublisher())
    assert again is broadcast
    site.send(again, between(0, 5_000))
    assert site.state() is BroadcastState.HELD
    assert site.broadcasts.stop("film", "Stopped in the studio.")
    assert site.names() == ["Started", "Ended"]
    ended = site.reported[-1]
    assert isinstance(ended, BroadcastEnded)
    assert not ended.went_live
    assert not site.broadcasts.start("film")


def test_a_stream_is_started_before_its_first_picture() -> None:
    site = Site()
    broadcast = site.broadcasts.open(HELD_GRANT, FakePublisher())
    assert site.state() is BroadcastState.STARTING
    assert not is_public(site)
    assert site.broadcasts.start("film")
    assert not site.broadcasts.start("film"), "it is public already"
    site.send(broadcast, between(0, 5_000))
    assert site.state() is BroadcastState.LIVE
    assert site.names() == ["Started", "WentLive"]


def test_a_started_stream_whose_encoder_falls_silent_ends() -> None:
    site, _, publisher = held_site()
    assert site.broadcasts.start("film")
    site.pass_ms(20_500)
    assert site.names() == ["Started", "Ended"]
    assert publisher.reasons == ["No picture or sound that can be shown came for 20 s."]


def test_a_held_stream_leaves_the_ended_one_in_its_place() -> None:
    site, broadcast, _ = live_site()
    site.broadcasts.stop("film", "Stopped in the studio.")
    site.broadcasts.open(HELD_GRANT, FakePublisher())
    assert site.origin.current("film") is broadcast.stream


def test_there_is_nothing_to_start() -> None:
    site, _, _ = live_site()
    assert not site.broadcasts.start("film")
    assert not site.broadcasts.start("other")


# Ends ---------------------------------------------------------------------------------------------


def test_stop() -> None:
    site, broadcast, publisher = live_site()
    assert not site.broadcasts.stop("other", "x")
    assert site.broadcasts.stop("film", "Stopped by you.")
    assert not site.broadcasts.stop("film", "Stopped by you.")
    assert publisher.reasons == ["Stopped by you."]
    assert site.state() is BroadcastState.ENDED
    assert site.names() == ["Started", "WentLive", "Ended"]
    # What is still under way is ignored, and so is the end of the connection.
    site.send(broadcast, media_of(between(5_000, 8_000)), real_time=False)
    broadcast.push_video(b"\x17", 0)
    broadcast.detach(publisher)
    assert site.names() == ["Started", "WentLive", "Ended"]


def test_a_handler_may_stop_a_stream_as_it_starts() -> None:
    site = Site()
    site.events.subscribe(
        BroadcastStarted, lambda event: site.broadcasts.stop(event.channel, "Not now.") and None
    )
    broadcast, publisher = site.open()
    assert publisher.reasons == ["Not now."]
    assert broadcast.publisher is None
    assert site.names() == ["Started", "Ended"]


def test_a_bitrate_over_the_limit_ends_the_stream() -> None:
    site, broadcast, publisher = live_site(bitrate_max_kbps=1_000)
    padding = b"\x27\x01\x00\x00\x00" + bytes(70_000)
    for second in range(20):
        site.pass_ms(500)
        broadcast.push_video(padding, 5_000 + second * 500)
    assert publisher.reasons == ["The bitrate is above this server's limit of 1000 kb/s."]
    assert site.state() is BroadcastState.ENDED


def test_a_bitrate_below_the_limit_does_not() -> None:
    site, broadcast, publisher = live_site(bitrate_max_kbps=1_000)
    padding = b"\x27\x01\x00\x00\x00" + bytes(55_000)
    for second in range(25):
        site.pass_ms(500)
        broadcast.push_video(padding, 5_000 + second * 500)
    assert publisher.reasons == []
    status = site.broadcasts.status("film")
    assert status is not None
    assert 870_000 < status.bitrate_bps < 890_000


def test_a_burst_at_the_start_is_within_the_average() -> None:
    """The limit is averaged over 10 s: an encoder that empties its queue at once is welcome."""
    site = Site(bitrate_max_kbps=1_000)
    broadcast, publisher = site.open()
    site.pass_ms(500)
    site.send(broadcast, [*between(0, 5_000)], real_time=False)
    broadcast.push_video(b"\x27\x01\x00\x00\x00" + bytes(500_000), 5_000)
    site.pass_ms(500)
    assert publisher.reasons == []


def test_epochs_are_bounded() -> None:
    """A publisher whose clock keeps jumping is refused."""
    site, broadcast, _ = live_site()
    step = media_of(between(0, 3_000))
    for number in range(1, limits.EPOCHS_PER_MINUTE_MAX):  # the first epoch counts too
        site.send(broadcast, later(step, number * 100_000), real_time=False)
    with pytest.raises(Unsupported) as caught:
        site.send(broadcast, later(step, 10_000_000), real_time=False)
    assert str(caught.value) == "The stream's clock or codecs keep changing."


def test_epochs_over_a_longer_time_are_fine() -> None:
    site, broadcast, _ = live_site()
    step = media_of(between(0, 3_000))
    for number in range(1, 60):
        site.clock.advance(1_000)
        site.send(broadcast, later(step, number * 100_000))
    assert site.state() is BroadcastState.LIVE


# What others see ----------------------------------------------------------------------------------


def test_a_long_keyframe_interval_is_a_warning() -> None:
    site = Site()
    broadcast, _ = site.open()
    site.send(broadcast, with_one_keyframe(between(0, 8_000), 6_000))
    status = site.broadcasts.status("film")
    assert status is not None
    assert status.warning == (
        "Keyframes come every 6.0 s, so viewers wait long to join. "
        "Set the keyframe interval to 2 s (in OBS: Settings, Output, Advanced)."
    )


@pytest.mark.parametrize(
    ("capture", "warning"),
    [
        ("ffmpeg-8.1-enhanced-hevc-aac", "HEVC does not play in every browser. H.264 does."),
        ("ffmpeg-8.1-enhanced-av1-aac", "AV1 does not play in every browser. H.264 does."),
        ("ffmpeg-8.1-enhanced-h264-opus", None),
        ("ffmpeg-5.1-audio-only", None),
    ],
)
def test_codecs_that_not_every_browser_plays_are_a_warning(
    capture: str, warning: str | None
) -> None:
    site = Site()
    broadcast, _ = site.open()
    site.send(broadcast, messages(capture))
    assert site.state() is BroadcastState.LIVE
    status = site.broadcasts.status("film")
    assert status is not None
    assert status.warning == warning


@pytest.mark.parametrize("preset", ["lan", "low", "normal"])
async def test_every_preset_goes_live(preset: str) -> None:
    _site, broadcast, _ = live_site(preset=preset)
    text = await playlist(broadcast)
    assert ("#EXT-X-PART:" in text) == (preset != "normal")


def test_status_is_a_copy() -> None:
    site, _, _ = live_site()
    status = site.broadcasts.status("film")
    assert status is not None
    assert dataclasses.is_dataclass(status)
    site.broadcasts.stop("film", "x")
    assert status.state is BroadcastState.LIVE
