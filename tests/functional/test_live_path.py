"""Encoder to player: what publishes comes out as LL-HLS that breaks no rule and decodes cleanly."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import aiohttp
import m3u8  # type: ignore[import-untyped]  # it carries none
import pytest

from tests.captures.manifest import CAPTURES, Capture
from tests.functional.conftest import MakeSite
from tests.functional.site import Channel, Site, until
from tests.functional.streams import probe, run, viewer
from tests.hls.client import LiveHlsClient, with_query
from tests.hls.playlist import read_media_playlist
from tests.rtmp.clips import encoded, looped
from tests.rtmp.publishers import (
    ffmpeg_path,
    ffmpeg_publisher,
    ffprobe_path,
    pyav_publisher,
    wire_publisher,
)
from tests.rtmp.replay import replay
from tests.rtmp.wire import PublishUrl, RtmpClient

needs_ffmpeg = pytest.mark.skipif(
    ffmpeg_path() is None or ffprobe_path() is None, reason="Debian's ffmpeg is not installed"
)

PLAY_S = 15.0
DEADLINE_S = 90.0


# real publishers ----------------------------------------------------------------------------------


async def test_pyav_publishes_with_b_frames(site: Site, tmp_path: Path) -> None:
    channel = await site.new_channel()
    async with (
        pyav_publisher(channel.publish_url, bframes=2) as publisher,
        viewer(channel, fetch_segments=True, fetch_hints=True) as client,
    ):
        playback = await client.play(media_s=PLAY_S, deadline_s=DEADLINE_S)
        assert publisher.returncode is None, publisher.stderr
    playback.assert_clean()
    assert len(playback.epochs) == 1
    assert playback.segments_compared > 0
    assert playback.hints_fetched > 0
    init = playback.epochs[0].checker.init
    assert [track.codec for track in init.tracks] == ["avc1", "mp4a"]
    assert init.video is not None
    assert (init.video.width, init.video.height) == (640, 360)
    await probe(playback, tmp_path)


@needs_ffmpeg
async def test_ffmpeg_publishes_with_b_frames(site: Site, tmp_path: Path) -> None:
    channel = await site.new_channel()
    async with (
        ffmpeg_publisher(channel.publish_url, bframes=2) as publisher,
        viewer(channel, fetch_segments=True) as client,
    ):
        playback = await client.play(media_s=PLAY_S, deadline_s=DEADLINE_S)
        assert publisher.returncode is None, publisher.stderr
    playback.assert_clean()
    (counts,) = await probe(playback, tmp_path)
    assert counts["video"] >= 14 * 30


@needs_ffmpeg
async def test_ffprobe_opens_the_live_address(site: Site) -> None:
    channel = await site.new_channel()
    async with wire_publisher(channel.publish_url), viewer(channel):
        program = ffprobe_path()
        assert program is not None
        code, out, error = await run(
            *(program, "-v", "error", "-show_entries", "stream=codec_name,width,height"),
            *("-of", "csv=p=0", channel.playlist_url),
        )
    assert (code, error) == (0, "")
    assert sorted(line.rstrip(",") for line in set(out.split())) == ["aac", "h264,320,180"]


async def test_the_m3u8_library_reads_the_playlists(site: Site) -> None:
    channel = await site.new_channel()
    async with wire_publisher(channel.publish_url), viewer(channel) as client:
        await client.play(media_s=6, deadline_s=DEADLINE_S)
        multivariant = m3u8.loads((await client.get(channel.playlist_url)).text)
        assert client.media_url is not None
        media = m3u8.loads((await client.get(client.media_url)).text)
    assert multivariant.is_variant
    assert multivariant.playlists[0].stream_info.resolution == (320, 180)
    assert media.server_control.can_block_reload == "YES"
    assert media.part_inf.part_target > 0
    assert media.target_duration >= 2
    assert media.segments[0].program_date_time is not None
    assert any(segment.parts for segment in media.segments)
    assert media.preload_hint.hint_type == "PART"


PLAYABLE = [capture for capture in CAPTURES if capture.chroma == "4:2:0"]
UNPLAYABLE = [capture for capture in CAPTURES if capture.chroma != "4:2:0"]


@pytest.mark.parametrize("capture", PLAYABLE, ids=lambda capture: capture.name)
async def test_what_real_encoders_sent(site: Site, capture: Capture, tmp_path: Path) -> None:
    """The bytes of nine encoders through a socket, four times as fast as they were sent."""
    channel = await site.new_channel()
    replaying = asyncio.create_task(replay(capture, channel.publish_url, speed=4))
    try:
        async with viewer(channel) as client:
            playing = asyncio.create_task(client.play(deadline_s=DEADLINE_S))
            encoder = await replaying
            assert [s.level for s in encoder.statuses] == ["status"], encoder.statuses
            status, body = await site.api("POST", f"/api/v1/channels/{channel.slug}/stop")
            assert status == 200, body
            playback = await playing
    finally:
        await asyncio.gather(replaying, return_exceptions=True)
        if not replaying.cancelled() and replaying.exception() is None:
            await replaying.result().close()
    playback.assert_clean()
    assert playback.ended
    (epoch,) = playback.epochs
    expected = [codec for codec in (capture.video_codec, capture.audio_codec) if codec]
    assert [track.codec for track in epoch.checker.init.tracks] == expected
    sent = [messages.last_ms for messages in (capture.video, capture.audio) if messages]
    assert playback.media_s > 0.6 * min(sent) / 1000, "the unfinished end may be dropped, no more"
    await probe(playback, tmp_path)


@pytest.mark.parametrize("capture", UNPLAYABLE, ids=lambda capture: capture.name)
async def test_what_browsers_cannot_play_is_refused(site: Site, capture: Capture) -> None:
    """GStreamer's default test picture is 4:4:4: its bytes are read and its user is told."""
    channel = await site.new_channel()
    encoder = await replay(capture, channel.publish_url, speed=4)
    async with encoder:
        outcome = await encoder.outcome()
    assert outcome.closed
    assert outcome.error is not None
    assert "4:4:4" in outcome.error.description
    await until(lambda: len(site.closing_lines(encoder)) >= 1, "its line in the log", 20)
    assert len(site.closing_lines(encoder)) == 1


async def test_an_encoder_that_stays_at_128_byte_chunks(site: Site) -> None:
    channel = await site.new_channel()
    target = PublishUrl.parse(channel.publish_url)
    client = await RtmpClient.open(target.host, target.port)
    async with client:
        await client.handshake()
        await client.connect(target.app)
        await client.create_stream()
        status = await client.publish(target.name)
        assert status.code == "NetStream.Publish.Start"
        assert client.chunk_size == 128
        sending = asyncio.create_task(client.send_tags(looped(await encoded(bframes=2))))
        try:
            async with viewer(channel) as player:
                playback = await player.play(media_s=6, deadline_s=DEADLINE_S)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
    playback.assert_clean()


@pytest.mark.parametrize("missing", ["audio", "video"])
async def test_one_track_alone(site: Site, missing: str, tmp_path: Path) -> None:
    channel = await site.new_channel()
    tags = looped(await encoded(**{missing: None}))
    async with (
        wire_publisher(channel.publish_url, tags),
        viewer(channel, fetch_segments=True) as client,
    ):
        playback = await client.play(media_s=8, deadline_s=DEADLINE_S)
    playback.assert_clean()
    init = playback.epochs[0].checker.init
    assert (init.video is None) == (missing == "video")
    assert (init.audio is None) == (missing == "audio")
    await probe(playback, tmp_path)


# presets ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", ["lan", "normal"])
async def test_presets(make_site: MakeSite, preset: str, tmp_path: Path) -> None:
    """`low` is the default and tested everywhere else."""
    site = make_site(config={"media": {"preset": preset}})
    channel = await site.new_channel()
    low_latency = preset != "normal"
    async with (
        wire_publisher(channel.publish_url),
        viewer(channel, low_latency=low_latency, fetch_segments=True) as client,
    ):
        playback = await client.play(media_s=10, deadline_s=DEADLINE_S)
        playlist = client.checker.playlist
    playback.assert_clean()
    assert playlist is not None
    if low_latency:
        assert playlist.part_target is not None
        assert 0.15 <= float(playlist.part_target) <= 0.3
    else:
        assert playlist.part_target is None
    await probe(playback, tmp_path)
    assert not site.serious(), site.serious()


async def test_several_publishers_at_once(site: Site) -> None:
    channels = [await site.new_channel() for _ in range(4)]

    async def watch(channel: Channel) -> None:
        async with wire_publisher(channel.publish_url), viewer(channel) as client:
            playback = await client.play(media_s=8, deadline_s=DEADLINE_S)
            playback.assert_clean()
            assert len(playback.epochs) == 1

    async with asyncio.TaskGroup() as group:
        for channel in channels:
            group.create_task(watch(channel))


async def test_two_keys_of_one_channel(site: Site) -> None:
    """Several named keys open the same channel, one after the other."""
    channel = await site.new_channel()
    second, _ = await site.new_key(channel.slug)
    async with wire_publisher(channel.publish_url), viewer(channel) as client:
        await client.play(media_s=3, deadline_s=DEADLINE_S)
    await site.wait_state(channel.slug, "reconnecting", 20)
    url = channel.publish_url.replace(channel.key, second)
    async with wire_publisher(url):
        await site.wait_state(channel.slug, "live", 30)


# time ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [0xFFFFFF, 2**32], ids=["24-bit", "32-bit"])
async def test_timestamps_pass_the_marks(site: Site, mark: int) -> None:
    """A stream that begins 5 s before the mark goes on behind it as one epoch, to the tick."""
    channel = await site.new_channel()
    tags = looped(await encoded(bframes=2), start_ms=mark - 5000)
    async with wire_publisher(channel.publish_url, tags), viewer(channel) as client:
        playback = await client.play(media_s=10, deadline_s=DEADLINE_S)
    playback.assert_clean()
    assert len(playback.epochs) == 1


async def test_audio_is_counted_in_samples(site: Site) -> None:
    """Milliseconds of RTMP are rounded; each AAC frame lasts 1,024 samples nevertheless."""
    channel = await site.new_channel()
    async with wire_publisher(channel.publish_url), viewer(channel) as client:
        playback = await client.play(media_s=12, deadline_s=DEADLINE_S)
    playback.assert_clean()
    (epoch,) = playback.epochs
    audio = epoch.checker.init.audio
    assert audio is not None
    assert audio.timescale == 48_000
    durations = {
        sample.duration
        for item in epoch.objects
        for fragment in item.fragments
        for track in fragment.tracks
        if track.track_id == audio.track_id
        for sample in track.samples
    }
    assert durations == {1024}


# loss, return, end --------------------------------------------------------------------------------


async def test_an_encoder_that_comes_back_within_grace(site: Site, tmp_path: Path) -> None:
    channel = await site.new_channel()
    async with viewer_later(channel) as client:
        async with wire_publisher(channel.publish_url) as first:
            await client.wait_ready(40)
            await client.play(media_s=6, deadline_s=DEADLINE_S)
            session = client.media_url
            await first.drop()
        playing = asyncio.create_task(
            client.play(
                until=lambda so_far: len(so_far.epochs) == 2 and so_far.epochs[1].duration_s >= 5,
                deadline_s=DEADLINE_S,
            )
        )
        await site.wait_state(channel.slug, "reconnecting", 20)
        async with wire_publisher(channel.publish_url, looped(await encoded(size="640x360"))):
            playback = await playing
            await site.wait_state(channel.slug, "live", 20)
            multivariant = await client.get(channel.playlist_url)
        assert session is not None
        assert Path(urlsplit(session).path).parent.name in multivariant.text
    playback.assert_clean()
    widths = [epoch.checker.init.video for epoch in playback.epochs]
    assert [track.width for track in widths if track is not None] == [320, 640]
    await probe(playback, tmp_path)


def viewer_later(channel: Channel, **options: bool) -> LiveHlsClient:
    """A client that does not wait for the stream."""
    return LiveHlsClient(channel.playlist_url, **options)


@needs_ffmpeg
async def test_a_killed_encoder_is_followed_by_another(site: Site, tmp_path: Path) -> None:
    channel = await site.new_channel()
    async with viewer_later(channel) as client:
        async with pyav_publisher(channel.publish_url, bframes=2) as first:
            await client.wait_ready(40)
            await client.play(media_s=5, deadline_s=DEADLINE_S)
            await first.kill()
        async with ffmpeg_publisher(channel.publish_url, size="320x180"):
            playback = await client.play(
                until=lambda so_far: len(so_far.epochs) == 2 and so_far.epochs[1].duration_s >= 5,
                deadline_s=DEADLINE_S,
            )
    playback.assert_clean()
    await probe(playback, tmp_path)


async def test_a_stream_that_is_over(make_site: MakeSite) -> None:
    """The encoder stops, grace passes: ENDLIST, a while later nothing is there any more."""
    site = make_site(config={"media": {"grace_s": 2}}, limits={"ENDED_KEEP_S": 3.0})
    channel = await site.new_channel()
    async with viewer_later(channel) as client:
        async with wire_publisher(channel.publish_url):
            await client.wait_ready(40)
            await client.play(media_s=5, deadline_s=DEADLINE_S)
        playback = await client.play(deadline_s=DEADLINE_S)
        assert playback.ended
        playback.assert_clean()
        await site.wait_state(channel.slug, "offline", 30)
        assert (await client.get(channel.playlist_url)).status == 404
        assert client.media_url is not None
        assert (await client.get(client.media_url)).status in {404, 410}
        async with wire_publisher(channel.publish_url):
            await client.wait_ready(40)
            multivariant = await client.get(channel.playlist_url)
        old = Path(urlsplit(client.media_url).path).parent.name
        assert old not in multivariant.text, "a new stream has a new session in its URLs"


async def test_stopping_from_the_studio_ends_it_at_once(site: Site) -> None:
    channel = await site.new_channel()
    async with wire_publisher(channel.publish_url) as publisher, viewer(channel) as client:
        await client.play(media_s=3, deadline_s=DEADLINE_S)
        status, _ = await site.api("POST", f"/api/v1/channels/{channel.slug}/stop")
        assert status == 200
        playback = await client.play(deadline_s=DEADLINE_S)
        outcome = await publisher.client.outcome()
    assert playback.ended
    playback.assert_clean()
    assert outcome.closed
    assert outcome.error is not None, "the encoder is told why"
    assert outcome.error.description


# requests of players ------------------------------------------------------------------------------


async def test_questions_that_make_no_sense(site: Site) -> None:
    channel = await site.new_channel()
    async with wire_publisher(channel.publish_url), viewer(channel) as client:
        await client.play(media_s=5, deadline_s=DEADLINE_S)
        url, playlist = client.media_url, client.checker.playlist
        assert url is not None
        assert playlist is not None
        msn, _ = playlist.position
        questions: list[tuple[Mapping[str, object], int]] = [
            ({"_HLS_msn": "abc"}, 400),
            ({"_HLS_msn": "-1"}, 400),
            ({"_HLS_msn": "1.5"}, 400),
            ({"_HLS_msn": ""}, 400),
            ({"_HLS_msn": "9" * 40}, 400),
            ({"_HLS_msn": msn, "_HLS_part": "x"}, 400),
            ({"_HLS_part": "0"}, 400),
            ({"_HLS_msn": msn + 50}, 400),
            ({"_HLS_msn": msn, "_HLS_part": 500}, 400),
            ({"_HLS_msn": 1}, 200),
            ({"_HLS_msn": 0, "_HLS_part": 3}, 200),
            ({"_HLS_wonder": "1"}, 200),
            ({"_HLS_skip": "MAYBE"}, 200),
        ]
        for query, expected in questions:
            answer = await client.get(with_query(url, query))
            assert answer.status == expected, (query, answer.status, answer.text[:300])
            if expected == 200:
                _, violations = read_media_playlist(answer.text)
                assert violations == []


async def test_an_old_question_overtakes_a_blocked_one(site: Site) -> None:
    channel = await site.new_channel()
    async with wire_publisher(channel.publish_url) as publisher, viewer(channel) as client:
        await client.play(media_s=4, deadline_s=DEADLINE_S)
        await publisher.pause()
        url = client.media_url
        assert url is not None
        text, (msn, part) = await settled(client)
        blocked = asyncio.create_task(
            client.get(with_query(url, {"_HLS_msn": msn, "_HLS_part": part}))
        )
        whole = asyncio.create_task(client.get(with_query(url, {"_HLS_msn": msn})))
        for query in ({"_HLS_msn": 1}, {"_HLS_part": 0, "_HLS_msn": msn - 1}, {}):
            answer = await client.get(with_query(url, query))
            assert answer.status == 200
            assert not blocked.done(), "held while others are answered"
            assert not whole.done()
        for task in (blocked, whole):
            answer = await task
            assert answer.status == 200
            assert answer.text == text, "after the hold the playlist comes unchanged"


async def settled(client: LiveHlsClient) -> tuple[str, tuple[int, int]]:
    """The playlist of a silent stream, when everything that was sent is in it."""
    assert client.media_url is not None
    text = ""
    while (answer := await client.get(client.media_url)).text != text:
        text = answer.text
        await asyncio.sleep(0.3)
    playlist, _ = read_media_playlist(text)
    return text, playlist.position


async def test_all_viewers_get_the_same_bytes(site: Site) -> None:
    channel = await site.new_channel()
    async with wire_publisher(channel.publish_url), viewer(channel) as client:
        await client.play(media_s=4, deadline_s=DEADLINE_S)
        playlist = client.checker.playlist
        assert playlist is not None
        assert client.media_url is not None
        msn, part = playlist.position
        url = with_query(client.media_url, {"_HLS_msn": msn, "_HLS_part": part + 1})
        answers = await asyncio.gather(*(client.get(url) for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1


async def test_names_that_are_not_there(site: Site) -> None:
    channel = await site.new_channel()
    async with wire_publisher(channel.publish_url), viewer(channel) as client:
        await client.play(media_s=4, deadline_s=DEADLINE_S)
        playlist, url = client.checker.playlist, client.media_url
        assert playlist is not None
        assert url is not None
        (hint,) = playlist.part_hints
        wrong = [
            hint.replace(".", "9.", 1),  # a part nobody hinted at
            "999999.m4s",
            "init-999.mp4",
            "init999.mp4",
            "x.m4s",
            "-1.m4s",
            "1.m4s.m4s",
            "9" * 100 + ".m4s",
            "%00.m4s",
        ]
        for name in wrong:
            answer = await client.get(urljoin(url, name))
            assert answer.status == 404, (name, answer.status)
        other = channel.playlist_url.replace(channel.slug, "nobody")
        assert (await client.get(other)).status == 404
        session = Path(urlsplit(url).path).parent.name
        assert (await client.get(url.replace(session, session[::-1]))).status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/live/{slug}/../../../../../../etc/passwd",
        "/live/{slug}/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/live/{slug}/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/live/{slug}/..%5c..%5cconfig.toml",
        "/live/../config.toml",
        "/live/{slug}/{session}/../../../config.toml",
        "/live/{slug}/{session}/..%2f..%2fmediaserver.db",
        "/live/{slug}/{session}//etc/passwd",
        "/live/{slug}/{session}/1.m4s%00.mp4",
        "/static/../config.toml",
        "/static/..%2f..%2fconfig.toml",
        "/static/%2e%2e/%2e%2e/etc/passwd",
    ],
)
async def test_paths_lead_nowhere_else(site: Site, path: str) -> None:
    """Sent raw, as no HTTP client would: 404 (or 400), and nothing of a file."""
    channel = await site.new_channel()
    async with wire_publisher(channel.publish_url), viewer(channel) as client:
        await client.play(media_s=1, deadline_s=DEADLINE_S)
        assert client.media_url is not None
        session = Path(urlsplit(client.media_url).path).parent.name
        reader, writer = await asyncio.open_connection("127.0.0.1", site.http_port)
        target = path.format(slug=channel.slug, session=session)
        writer.write(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        async with asyncio.timeout(10):
            answer = await reader.read()
        writer.close()
    status = int(answer.split(b" ", 2)[1])
    assert status in {400, 403, 404}, answer[:200]
    assert b"root:" not in answer
    assert b"SQLite format" not in answer


async def test_playlists_are_gzipped_and_media_never(site: Site) -> None:
    channel = await site.new_channel()
    async with (
        wire_publisher(channel.publish_url),
        viewer(channel) as client,
        aiohttp.ClientSession(auto_decompress=False) as session,
    ):
        playback = await client.play(media_s=3, deadline_s=DEADLINE_S)
        assert client.media_url is not None
        part = urljoin(client.media_url, playback.objects[-1].uri)
        for url, accepted, encoding in [
            (client.media_url, "gzip", "gzip"),
            (client.media_url, "identity", None),
            (part, "gzip", None),
        ]:
            async with session.get(url, headers={"Accept-Encoding": accepted}) as response:
                await response.read()
                assert response.status == 200
                assert response.headers.get("Content-Encoding") == encoding, url
        async with session.head(client.media_url) as response:
            assert response.status == 200


async def test_a_thumbnail_is_there(site: Site) -> None:
    channel = await site.new_channel()
    bodies: list[bytes] = []
    async with wire_publisher(channel.publish_url), viewer(channel) as client:
        url = urljoin(channel.playlist_url, "thumbnail.jpg")
        asking = asyncio.create_task(_ask(client, url, bodies))
        await until(lambda: bool(bodies), "a thumbnail", 40)
        await asking
    assert bodies[0].startswith(b"\xff\xd8")


async def _ask(client: LiveHlsClient, url: str, bodies: list[bytes]) -> None:
    for _ in range(400):
        answer = await client.get(url)
        if answer.status == 200 and answer.content_type == "image/jpeg":
            bodies.append(answer.body)
            return
        await asyncio.sleep(0.1)


async def test_the_api_tells_the_states(site: Site) -> None:
    channel = await site.new_channel()
    assert (await site.live(channel.slug))["state"] == "offline"
    async with wire_publisher(channel.publish_url):
        live = await site.wait_state(channel.slug, "live", 40)
        assert live["playlist_url"].endswith(f"/live/{channel.slug}/index.m3u8")
        assert (live["width"], live["height"]) == (320, 180)
        assert live["video_codec"].startswith("avc1.")
        assert live["audio_codec"] == "mp4a.40.2"
    await site.wait_state(channel.slug, "reconnecting", 20)
