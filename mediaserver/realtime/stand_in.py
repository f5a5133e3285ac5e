"""A chat in memory, until mediaserver/chat is wired in; then this module goes."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.errors import NotFound, Unavailable
from mediaserver.kernel.ids import new_id


class _Values(dict[str, Any]):
    __getattr__ = dict.__getitem__


class StandInChat:
    """Batches of 100 ms, as the real one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.tell: Callable[[str, str, object], None] = lambda *_: None

        self._logs: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        self._waiting: dict[Channel, list[tuple[dict[str, Any], asyncio.Future[None]]]] = {}

    async def you(self, channel: Channel, user: User | None) -> Any:
        return {
            "username": user.username if user else None,
            "role": "owner" if user and user.id == channel.owner_id else "viewer",
            "can_write": user is not None,
            "why_not": None if user else "Log in to write.",
            "code": None if user else "sign_in",
            "until_ms": None,
            "slow_s": 0,
            "next_at_ms": None,
            "follows": False,
        }

    async def join(self, channel: Channel, user: User | None, after: int | None) -> Any:
        log = self._logs[channel.id]
        is_resumed = after is not None and 0 <= len(log) - after <= 500
        return _Values(
            sequence=len(log),
            reset=not is_resumed,
            events=tuple(log[after:] if is_resumed else log[-100:]),
            pinned=None,
            rules={
                "slow_s": 0,
                "followers_min": None,
                "account_age_min": 0,
                "emote_only": False,
                "unique": False,
                "links": "all",
                "lockdown": False,
            },
            emotes=(),
            you=await self.you(channel, user),
            commands=(),
        )

    async def say(
        self, user: User, channel: Channel, text: str, *, reply_to: str | None, nonce: str
    ) -> Any:
        line = {
            "sequence": 0,
            "kind": "message",
            "id": new_id("msg"),
            "at_ms": self._clock.wall_ms(),
            "author": {"id": user.id, "username": user.username, "role": "viewer"},
            "text": text,
            "reply_to": None,
            "removed": False,
            "data": {},
        }
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if channel not in self._waiting:
            self._waiting[channel] = []
            asyncio.get_running_loop().call_later(0.1, self._flush, channel)
        self._waiting[channel].append((line, done))
        await done
        return _Values(id=line["id"], sequence=line["sequence"], notice=None)

    def _flush(self, channel: Channel) -> None:
        batch = self._waiting.pop(channel)
        log = self._logs[channel.id]
        for line, done in batch:
            line["sequence"] = len(log) + 1
            log.append(line)
            done.set_result(None)
        self.tell(channel.id, channel.slug, tuple(line for line, _ in batch))

    async def act(self, user: User, channel: Channel, action: Any) -> str | None:
        raise Unavailable("Not yet.")

    async def card(self, user: User | None, channel: Channel, username: str) -> Any:
        raise NotFound("Not yet.")


class StandInFollowers:
    """Nobody follows."""

    async def count(self, channel_id: str) -> int:
        return 0

    async def among(self, channel_id: str, user_ids: Iterable[str]) -> set[str]:
        return set()
