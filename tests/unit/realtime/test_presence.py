"""Counts of viewers and followers: who is told, and what a busy database does to them."""

from __future__ import annotations

from typing import Any

import pytest

from mediaserver.channels.channels import Channel
from mediaserver.kernel.errors import Unavailable
from mediaserver.realtime.presence import Presence


class FewFollow:
    """`Follows`, as far as it counts."""

    def __init__(self) -> None:
        self.followers = 1
        self.is_busy = False

    async def count(self, channel_id: str) -> int:
        if self.is_busy:
            raise Unavailable("The database is busy.")
        return self.followers


def channel() -> Channel:
    return Channel(
        id="chn_1", slug="alice", name="Alice", owner_id="usr_1", owner="alice", created_at_ms=0
    )


async def test_a_count_that_could_not_be_read_is_read_later() -> None:
    follows: Any = FewFollow()
    presence = Presence(lambda _: 3, follows)
    assert await presence.of(channel()) == {"viewers": 3, "followers": 1}
    follows.followers, follows.is_busy = 2, True
    presence.followers_changed("chn_1")
    with pytest.raises(Unavailable):
        await presence.changed(lambda _: True)
    follows.is_busy = False
    ((_, told),) = await presence.changed(lambda _: True)
    assert told == {"channel": "alice", "viewers": 3, "followers": 2}
    assert await presence.changed(lambda _: True) == []
