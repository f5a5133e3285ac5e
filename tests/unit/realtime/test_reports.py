"""Players count since they began; the engine is told what came since the report before."""

from __future__ import annotations

from typing import Any, cast

import pytest

from mediaserver.channels.channels import Channel
from mediaserver.kernel.clock import FakeClock
from mediaserver.kernel.metrics import RealtimeMetrics
from mediaserver.media.audience import ViewerReport
from mediaserver.realtime.asked import Report
from mediaserver.realtime.chat import ChatNamespace
from mediaserver.realtime.guests import Guest
from tests.unit.realtime.sockets import QuietSocket


class Ear:
    """The `Site`, as far as it takes reports."""

    def __init__(self) -> None:
        self.heard: list[ViewerReport] = []

    def take_report(self, slug: str, viewer: str, report: ViewerReport) -> None:
        self.heard.append(report)


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ((0, 0, 0), [0, 0, 0]),
        ((2, 2, 5), [2, 0, 3]),
        ((4, 1, 1), [4, 1, 0]),  # another player began in between
    ],
)
async def test_counts_become_differences(counts: tuple[int, ...], told: list[int]) -> None:
    none: Any = None
    ear = Ear()
    chat = ChatNamespace(
        none, none, none, none, none, none, cast(Any, ear), FakeClock(), RealtimeMetrics()
    )
    client = chat.admit(QuietSocket(), Guest(None))
    channel = Channel(
        id="chn_1", slug="alice", name="Alice", owner_id="usr_1", owner="alice", created_at_ms=0
    )
    chat.enter_room(client, channel)
    for count in counts:
        asked = Report(
            channel="alice", way="hls", latency_ms=2_000, stalls=count, dropped_frames=count * 10
        )
        await chat.report(client, asked)
    assert [report.stalls for report in ear.heard] == told
    assert [report.dropped_frames for report in ear.heard] == [10 * count for count in told]
