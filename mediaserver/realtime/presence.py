"""How many watch a channel and follow it, for rooms that somebody is in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mediaserver.channels.channels import Channel
from mediaserver.channels.follows import Follows


@dataclass(slots=True)
class _Counts:
    slug: str
    viewers: int = 0
    followers: int = 0
    told: tuple[int, int] | None = field(default=None)
    is_stale: bool = True  # somebody has followed or unfollowed


class Presence:
    """`of` answers who enters; `changed` what those inside haven't been told yet."""

    def __init__(self, count_viewers: Callable[[str], int], follows: Follows) -> None:
        self._count_viewers = count_viewers
        self._follows = follows

        self._channels: dict[str, _Counts] = {}

    async def of(self, channel: Channel) -> dict[str, int]:
        counts = self._channels.setdefault(channel.id, _Counts(channel.slug))
        await self._refresh(channel.id, counts)
        return {"viewers": counts.viewers, "followers": counts.followers}

    def followers_changed(self, channel_id: str) -> None:
        counts = self._channels.get(channel_id)
        if counts is not None:
            counts.is_stale = True

    async def changed(self, is_open: Callable[[str], bool]) -> list[tuple[str, dict[str, object]]]:
        """(channel id, payload) of those that changed; forgets rooms that nobody is in."""
        news: list[tuple[str, dict[str, object]]] = []
        for channel_id, counts in tuple(self._channels.items()):
            if not is_open(channel_id):
                del self._channels[channel_id]
                continue
            await self._refresh(channel_id, counts)
            now = (counts.viewers, counts.followers)
            if now != counts.told:
                counts.told = now
                news.append(
                    (
                        channel_id,
                        {"channel": counts.slug, "viewers": now[0], "followers": now[1]},
                    )
                )
        return news

    async def _refresh(self, channel_id: str, counts: _Counts) -> None:
        counts.viewers = self._count_viewers(counts.slug)
        if counts.is_stale:
            counts.is_stale = False  # first: who follows during the look makes it stale again
            try:
                counts.followers = await self._follows.count(channel_id)
            except BaseException:
                counts.is_stale = True
                raise
