"""The LL-HLS client plays a right origin without a violation and finds each fault of others."""

from __future__ import annotations

import pytest

from tests.hls.client import DeadlinePassed, LiveHlsClient, with_query
from tests.unit.instruments.hls_server import mini_origin
from tests.unit.instruments.parts import made_stream


async def test_a_right_origin_is_played_to_its_end() -> None:
    async with (
        mini_origin() as origin,
        LiveHlsClient(
            origin.url, fetch_segments=True, fetch_hints=True, fetch_removed=True
        ) as client,
    ):
        await client.wait_ready(5)
        playback = await client.play(deadline_s=20)
        requests = list(origin.requests)
    playback.assert_clean()
    assert playback.ended
    assert len(playback.epochs) == 3
    assert playback.media_s == 18.0
    assert [item.name for item in playback.objects][:5] == ["1.0", "1.1", "1.2", "1.3", "2.0"]
    assert playback.segments_compared == 9
    assert playback.hints_fetched > 20
    assert playback.removed_fetched > 0
    assert playback.epochs[0].joined == made_stream().init + b"".join(
        part.data for part in made_stream().parts
    )
    assert playback.epochs[0].checker.frame_rate() == 30.0
    assert all("_HLS_msn" in query for query in requests[1:])


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ("type", 46),
        ("hint", 26),
        ("lost", 27),
        ("segment", 19),
        ("removed", 9),
        ("chunked", 20),
        ("swapped", 0),
        ("spin", 32),
    ],
)
async def test_a_fault_is_found(fault: str, rule: int) -> None:
    async with (
        mini_origin(fault) as origin,
        LiveHlsClient(
            origin.url, fetch_segments=True, fetch_hints=True, fetch_removed=True
        ) as client,
    ):
        playback = await client.play(deadline_s=20)
    assert rule in {violation.rule for violation in playback.violations}, playback.violations
    with pytest.raises(AssertionError, match="violations"):
        playback.assert_clean()


async def test_play_stops_at_what_was_asked_for() -> None:
    async with mini_origin() as origin, LiveHlsClient(origin.url) as client:
        playback = await client.play(media_s=3.0, deadline_s=20)
        assert 3.0 <= playback.media_s < 18.0
        playback = await client.play(until=lambda so_far: len(so_far.epochs) == 2, deadline_s=20)
        assert not playback.ended
        playback.assert_clean()


async def test_a_deadline_is_a_deadline() -> None:
    async with mini_origin(laps=1) as origin, LiveHlsClient(origin.url) as client:
        with pytest.raises(DeadlinePassed, match="epochs"):
            await client.play(media_s=100, until=None, deadline_s=0.01)


async def test_waiting_for_nothing_is_bounded() -> None:
    async with (
        mini_origin(laps=1) as origin,
        LiveHlsClient(origin.url.replace("index", "nothing")) as client,
    ):
        with pytest.raises(DeadlinePassed, match="404"):
            await client.wait_ready(0.3)


def test_queries_are_added() -> None:
    assert with_query("http://h/p?a=1", {"_HLS_msn": 2}) == "http://h/p?a=1&_HLS_msn=2"
