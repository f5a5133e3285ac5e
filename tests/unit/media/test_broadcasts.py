"""Broadcasts side by side and one after the other: who gets a channel, and how many there are."""

from __future__ import annotations

import pytest

from mediaserver.kernel import limits
from mediaserver.kernel.errors import NotFound
from mediaserver.media.gate import PublishGrant, PublishRefused
from tests.unit.media.broadcasting import (
    OTHER,
    Site,
    between,
    live_site,
)

# A second publisher -------------------------------------------------------------------------------


def test_a_second_publisher_is_refused_while_the_first_sends() -> None:
    site, broadcast, first = live_site()
    with pytest.raises(PublishRefused) as caught:
        site.open()
    assert caught.value.code == "NetStream.Publish.BadName"
    assert caught.value.description == "This channel is live already. Stop the other encoder first."
    assert broadcast.publisher is first
    assert first.reasons == []


def test_a_second_publisher_takes_over_from_a_silent_one() -> None:
    site, broadcast, first = live_site()
    site.clock.advance(5_001)
    again, second = site.open()
    assert again is broadcast
    assert broadcast.publisher is second
    assert first.reasons == ["Another encoder took over, as this one had fallen silent."]
    broadcast.detach(first)  # its connection closes later
    assert broadcast.publisher is second
    site.send(again, between(0, 5_000))
    assert site.names() == ["Started", "WentLive", "Interrupted", "Resumed"]


def test_a_second_publisher_begins_anew_where_the_silent_one_had_not_begun() -> None:
    site = Site()
    broadcast, first = site.open()
    site.clock.advance(5_001)
    other, second = site.open()
    assert other is not broadcast
    assert first.reasons == ["Another encoder took over, as this one had fallen silent."]
    assert site.names() == ["Started", "Ended", "Started"]
    assert other.publisher is second
    assert site.origin.current("film") is other.stream


def test_channels_are_apart() -> None:
    site, broadcast, _ = live_site()
    other, _ = site.open(OTHER)
    assert other is not broadcast
    assert [status.channel for status in site.broadcasts.all()] == ["film", "other"]


async def test_after_the_end_a_new_stream_begins_and_the_old_stays_a_minute() -> None:
    site, broadcast, _ = live_site()
    assert site.broadcasts.stop("film", "Stopped by you.")
    other, _ = site.open()
    assert other is not broadcast
    assert site.origin.current("film") is other.stream
    session = broadcast.stream.session
    assert site.origin.stream("film", session) is broadcast.stream
    site.send(other, between(0, 8_000))
    site.clock.advance(53_000)
    site.broadcasts.check()
    with pytest.raises(NotFound):
        site.origin.stream("film", session)
    assert site.origin.current("film") is other.stream


def test_a_channel_keeps_few_ended_streams() -> None:
    """Started and stopped again and again, each with a window in memory."""
    site = Site()
    over = []
    for _ in range(limits.ENDED_STREAMS_PER_CHANNEL_MAX + 3):
        broadcast, _publisher = site.open()
        site.send(broadcast, between(0, 5_000), real_time=False)
        over.append(broadcast.stream)
        site.broadcasts.stop("film", "Stopped by you.")
    # The newest is still the channel's own.
    assert site.origin.all() == over[-limits.ENDED_STREAMS_PER_CHANNEL_MAX - 1 :]
    site.pass_ms(61_000)
    assert site.origin.all() == []


# All of them --------------------------------------------------------------------------------------


def test_end_all() -> None:
    site, _, publisher = live_site()
    _, other = site.open(OTHER)
    site.broadcasts.end_all("The server stops.")
    assert publisher.reasons == other.reasons == ["The server stops."]
    assert site.names()[-2:] == ["Ended", "Ended"]


async def test_what_is_withdrawn_is_gone_at_once() -> None:
    """The stream, and those that had ended just before it; the channel may begin anew."""
    site, earlier, _ = live_site()
    earlier.end("stopped")
    newest, encoder = site.open()
    site.send(newest, between(0, 5_000))
    assert site.broadcasts.withdraw("film", "banned")
    assert encoder.reasons == ["banned"]
    assert site.names()[-1] == "Ended"
    assert site.broadcasts.status("film") is None
    with pytest.raises(NotFound):
        site.origin.current("film")
    for broadcast in (earlier, newest):
        with pytest.raises(NotFound):
            site.origin.stream("film", broadcast.stream.session)
    assert not site.broadcasts.withdraw("film", "banned"), "there is nothing more"
    site.broadcasts.check()
    again, _ = site.open()
    assert again is not newest


def test_streams_are_bounded() -> None:
    site = Site(streams_max=2)
    site.open()
    site.open(OTHER)
    third = PublishGrant("chn_3", "third", "key_3")
    with pytest.raises(PublishRefused) as caught:
        site.open(third)
    assert caught.value.description == "The server is full: too many streams are live."
    assert caught.value.code == "NetStream.Publish.Failed"
    site.broadcasts.stop("other", "x")
    site.open(third)


def test_gauges() -> None:
    site, broadcast, _ = live_site()
    site.open(OTHER)
    broadcast.stream.seen("someone")
    site.broadcasts.check()
    text = site.metrics.render().decode()
    for sample in (
        'mediaserver_broadcasts{state="live"} 1.0',
        'mediaserver_broadcasts{state="starting"} 1.0',
        'mediaserver_broadcasts{state="ended"} 0.0',
        "mediaserver_viewers 1.0",
        "mediaserver_hls_waiters 0.0",
        "mediaserver_epochs_total 1.0",
        "mediaserver_parts_late_total 0.0",
        f"mediaserver_hls_window_bytes {float(broadcast.stream.byte_count)}",
    ):
        assert f"\n{sample}\n" in text
