"""Playlists as exact text."""

from __future__ import annotations

import dataclasses

import pytest

from mediaserver.media.parts import Timing
from mediaserver.media.playlist import (
    ListedPart,
    ListedSegment,
    Variant,
    Window,
    media_playlist,
    multivariant_playlist,
)

WALL_MS = 1_700_000_000_123  # 2023-11-14T22:13:20.123Z


def parts(msn: int, count: int = 4, duration_us: int = 500_000) -> list[ListedPart]:
    return [
        ListedPart(f"{msn}.{index}.m4s", duration_us, independent=index == 0)
        for index in range(count)
    ]


def segment(
    msn: int,
    *,
    epoch: int = 0,
    discontinuity: bool = False,
    open_parts: int | None = None,
    duration_us: int = 2_000_000,
) -> ListedSegment:
    listed = parts(msn) if open_parts is None else parts(msn, open_parts)
    return ListedSegment(
        uri=f"{msn}.m4s" if open_parts is None else None,
        init_uri=f"init-{epoch}.mp4",
        discontinuity=discontinuity,
        wall_ms=WALL_MS + (msn - 1) * 2_000,
        duration_us=duration_us if open_parts is None else sum(p.duration_us for p in listed),
        parts=listed,
    )


def window(*segments: ListedSegment, **changes: object) -> Window:
    plain = Window(
        timing=Timing(517, 6),
        lists_parts=True,
        skip_until_us=None,
        media_sequence=1,
        discontinuity_sequence=0,
        segments=segments,
        next_part_uri="3.2.m4s",
        ended=False,
    )
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


def test_low_latency() -> None:
    assert media_playlist(window(segment(1), segment(2), segment(3, open_parts=2))) == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:6\n"
        "#EXT-X-TARGETDURATION:6\n"
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.551,HOLD-BACK=18.000\n"
        "#EXT-X-PART-INF:PART-TARGET=0.517\n"
        "#EXT-X-MEDIA-SEQUENCE:1\n"
        "#EXT-X-DISCONTINUITY-SEQUENCE:0\n"
        '#EXT-X-MAP:URI="init-0.mp4"\n'
        "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:20.123Z\n"
        '#EXT-X-PART:DURATION=0.500000,URI="1.0.m4s",INDEPENDENT=YES\n'
        '#EXT-X-PART:DURATION=0.500000,URI="1.1.m4s"\n'
        '#EXT-X-PART:DURATION=0.500000,URI="1.2.m4s"\n'
        '#EXT-X-PART:DURATION=0.500000,URI="1.3.m4s"\n'
        "#EXTINF:2.000000,\n"
        "1.m4s\n"
        "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:22.123Z\n"
        '#EXT-X-PART:DURATION=0.500000,URI="2.0.m4s",INDEPENDENT=YES\n'
        '#EXT-X-PART:DURATION=0.500000,URI="2.1.m4s"\n'
        '#EXT-X-PART:DURATION=0.500000,URI="2.2.m4s"\n'
        '#EXT-X-PART:DURATION=0.500000,URI="2.3.m4s"\n'
        "#EXTINF:2.000000,\n"
        "2.m4s\n"
        "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:24.123Z\n"
        '#EXT-X-PART:DURATION=0.500000,URI="3.0.m4s",INDEPENDENT=YES\n'
        '#EXT-X-PART:DURATION=0.500000,URI="3.1.m4s"\n'
        '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="3.2.m4s"\n'
    )


def test_discontinuity_has_a_new_map() -> None:
    text = media_playlist(
        window(
            segment(7),
            segment(8, epoch=2, discontinuity=True, open_parts=1),
            media_sequence=7,
            discontinuity_sequence=3,
            next_part_uri="8.1.m4s",
            timing=Timing(2001, 6),
        )
    )
    assert text == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:6\n"
        "#EXT-X-TARGETDURATION:6\n"
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=6.003,HOLD-BACK=18.000\n"
        "#EXT-X-PART-INF:PART-TARGET=2.001\n"
        "#EXT-X-MEDIA-SEQUENCE:7\n"
        "#EXT-X-DISCONTINUITY-SEQUENCE:3\n"
        '#EXT-X-MAP:URI="init-0.mp4"\n'
        "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:32.123Z\n"
        '#EXT-X-PART:DURATION=0.500000,URI="7.0.m4s",INDEPENDENT=YES\n'
        '#EXT-X-PART:DURATION=0.500000,URI="7.1.m4s"\n'
        '#EXT-X-PART:DURATION=0.500000,URI="7.2.m4s"\n'
        '#EXT-X-PART:DURATION=0.500000,URI="7.3.m4s"\n'
        "#EXTINF:2.000000,\n"
        "7.m4s\n"
        "#EXT-X-DISCONTINUITY\n"
        '#EXT-X-MAP:URI="init-2.mp4"\n'
        "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:34.123Z\n"
        '#EXT-X-PART:DURATION=0.500000,URI="8.0.m4s",INDEPENDENT=YES\n'
        '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="8.1.m4s"\n'
    )


def test_normal_lists_segments_alone() -> None:
    text = media_playlist(
        window(segment(4), segment(5), lists_parts=False, next_part_uri=None,
               timing=Timing(1017, 2), media_sequence=4)
    )  # fmt: skip
    assert text == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:6\n"
        "#EXT-X-TARGETDURATION:2\n"
        "#EXT-X-SERVER-CONTROL:HOLD-BACK=6.000\n"
        "#EXT-X-MEDIA-SEQUENCE:4\n"
        "#EXT-X-DISCONTINUITY-SEQUENCE:0\n"
        '#EXT-X-MAP:URI="init-0.mp4"\n'
        "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:26.123Z\n"
        "#EXTINF:2.000000,\n"
        "4.m4s\n"
        "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:28.123Z\n"
        "#EXTINF:2.000000,\n"
        "5.m4s\n"
    )


def test_ended() -> None:
    text = media_playlist(window(segment(1), ended=True, next_part_uri=None))
    assert text.endswith("#EXTINF:2.000000,\n1.m4s\n#EXT-X-ENDLIST\n")
    assert "PRELOAD-HINT" not in text


def test_parts_are_listed_up_to_three_target_durations_from_the_end() -> None:
    text = media_playlist(window(*(segment(msn) for msn in range(1, 13)), timing=Timing(517, 6)))
    listed = [msn for msn in range(1, 13) if f'URI="{msn}.0.m4s"' in text]
    assert listed == list(range(4, 13))
    assert all(f"\n{msn}.m4s\n" in text for msn in range(1, 13))


def delta_window(**changes: object) -> Window:
    segments = [segment(msn) for msn in range(10, 34)]
    segments[21] = segment(31, epoch=1, discontinuity=True)
    segments[22] = segment(32, epoch=1)
    segments[23] = segment(33, epoch=1, open_parts=1)
    return window(
        *segments,
        timing=Timing(517, 2),
        skip_until_us=12_000_000,
        media_sequence=10,
        next_part_uri="33.1.m4s",
        **changes,
    )


def test_delta_update() -> None:
    # The boundary is 12 s before the end, inside segment 27: what is before that is skipped.
    text = media_playlist(delta_window(), skip=True)
    listed = "".join(
        f"#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:14:{14 + 2 * (msn - 28):02d}.123Z\n"
        + "".join(
            f'#EXT-X-PART:DURATION=0.500000,URI="{part.uri}"'
            f"{',INDEPENDENT=YES' if part.independent else ''}\n"
            for part in (parts(msn) if msn >= 31 else [])
        )
        + f"#EXTINF:2.000000,\n{msn}.m4s\n"
        for msn in range(27, 31)
    )
    assert text == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:9\n"
        "#EXT-X-TARGETDURATION:2\n"
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.551,"
        "CAN-SKIP-UNTIL=12.000,HOLD-BACK=6.000\n"
        "#EXT-X-PART-INF:PART-TARGET=0.517\n"
        "#EXT-X-MEDIA-SEQUENCE:10\n"
        "#EXT-X-DISCONTINUITY-SEQUENCE:0\n"
        "#EXT-X-SKIP:SKIPPED-SEGMENTS=17\n"
        f"{listed}"
        "#EXT-X-DISCONTINUITY\n"
        '#EXT-X-MAP:URI="init-1.mp4"\n'
        "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:14:20.123Z\n"
        '#EXT-X-PART:DURATION=0.500000,URI="31.0.m4s",INDEPENDENT=YES\n'
        '#EXT-X-PART:DURATION=0.500000,URI="31.1.m4s"\n'
        '#EXT-X-PART:DURATION=0.500000,URI="31.2.m4s"\n'
        '#EXT-X-PART:DURATION=0.500000,URI="31.3.m4s"\n'
        "#EXTINF:2.000000,\n"
        "31.m4s\n"
        "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:14:22.123Z\n"
        '#EXT-X-PART:DURATION=0.500000,URI="32.0.m4s",INDEPENDENT=YES\n'
        '#EXT-X-PART:DURATION=0.500000,URI="32.1.m4s"\n'
        '#EXT-X-PART:DURATION=0.500000,URI="32.2.m4s"\n'
        '#EXT-X-PART:DURATION=0.500000,URI="32.3.m4s"\n'
        "#EXTINF:2.000000,\n"
        "32.m4s\n"
        "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:14:24.123Z\n"
        '#EXT-X-PART:DURATION=0.500000,URI="33.0.m4s",INDEPENDENT=YES\n'
        '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="33.1.m4s"\n'
    )


def test_a_delta_update_is_the_full_playlist_without_what_it_skips() -> None:
    full = media_playlist(delta_window()).splitlines()
    delta = media_playlist(delta_window(), skip=True).splitlines()
    assert delta[8:] == full[-len(delta) + 8 :]
    assert sum(line.startswith("#EXTINF") for line in full) - 17 == sum(
        line.startswith("#EXTINF") for line in delta
    )


@pytest.mark.parametrize(
    "one",
    [
        delta_window(ended=True),
        dataclasses.replace(delta_window(), skip_until_us=None),
        dataclasses.replace(delta_window(), segments=delta_window().segments[-6:]),
    ],
)
def test_no_delta_update_of_what_is_over_short_or_not_offered(one: Window) -> None:
    text = media_playlist(one, skip=True)
    assert text == media_playlist(one)
    assert "#EXT-X-SKIP" not in text
    assert "#EXT-X-VERSION:6\n" in text


def test_durations_are_exact_to_the_microsecond() -> None:
    one = ListedSegment(
        "1.m4s", "init-0.mp4", False, WALL_MS, 10_000_001, [ListedPart("1.0.m4s", 5, False)]
    )
    text = media_playlist(window(one))
    assert "#EXTINF:10.000001,\n" in text
    assert 'DURATION=0.000005,URI="1.0.m4s"\n' in text


VARIANT = Variant(
    uri="s/media.m3u8",
    codecs="avc1.64001F,mp4a.40.2",
    peak_bitrate=5_200_000,
    average_bitrate=4_100_000,
    width=1280,
    height=720,
    frame_rate=29.97002997,
    independent_segments=True,
)


def test_multivariant() -> None:
    assert multivariant_playlist(VARIANT) == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:6\n"
        "#EXT-X-INDEPENDENT-SEGMENTS\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=5200000,AVERAGE-BANDWIDTH=4100000,"
        'CODECS="avc1.64001F,mp4a.40.2",RESOLUTION=1280x720,FRAME-RATE=29.970\n'
        "s/media.m3u8\n"
    )


def test_multivariant_of_sound_alone() -> None:
    one = dataclasses.replace(
        VARIANT, codecs="opus", width=None, height=None, frame_rate=None, independent_segments=False
    )
    assert multivariant_playlist(one) == (
        "#EXTM3U\n"
        "#EXT-X-VERSION:6\n"
        '#EXT-X-STREAM-INF:BANDWIDTH=5200000,AVERAGE-BANDWIDTH=4100000,CODECS="opus"\n'
        "s/media.m3u8\n"
    )
