"""Warnings and bans of people, as admins give them and as the site carries them out.

A ban takes effect when its transaction is committed: the streams of the banned end then. Called by
routes; cases.py and appeals.py use warnings.py and bans.py inside their own transactions.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import structlog

from mediaserver.accounts.users import User, find_by_typed_name
from mediaserver.channels import channels
from mediaserver.kernel import limits
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.config import ModerationConfig
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import MediaserverError, NotFound
from mediaserver.kernel.events import Events
from mediaserver.kernel.jobs import Payload
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.tasks import Tasks
from mediaserver.kernel.texts import checked_paragraphs
from mediaserver.media.events import BroadcastStarted
from mediaserver.trust import bans, warnings
from mediaserver.trust.bans import Ban, Banned
from mediaserver.trust.ended_streams import StreamForbidden
from mediaserver.trust.reasons import Grounds, checked_reason
from mediaserver.trust.warnings import GivenWarning, Warned

_log = structlog.get_logger(__name__)

BANNED = "This account is banned. Log in to the site to see why."
"""What the encoder of somebody who is banned is told."""


class LiveStreams(Protocol):
    """The engine's registry, as far as streams are ended."""

    def withdraw(self, channel: str, reason: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody has been told by admins. `strikes` of `strikes_max` warnings count now."""

    user: User
    warnings: list[GivenWarning]
    bans: list[Ban]
    strikes: int
    strikes_max: int

    @property
    def ban(self) -> Ban | None:
        """The ban that holds now."""
        return next((one for one in self.bans if one.stands), None)


class Sanctions:
    """An async context manager: inside it, bans end streams."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        events: Events,
        letterhead: Letterhead,
        config: ModerationConfig,
        live: LiveStreams,
    ) -> None:
        self._db = db
        self._clock = clock
        self._letterhead = letterhead
        self._config = config
        self._live = live

        self._tasks = Tasks("sanctions")
        events.subscribe(Banned, self._end_streams)
        events.subscribe(StreamForbidden, lambda event: self._end(event.slug, event.reason))
        events.subscribe(BroadcastStarted, self._look_at)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._tasks.aclose()

    async def standing(self, username: str) -> Standing:
        """What somebody has been told so far. Raises `NotFound`."""
        return await self._db.read(self._standing, username, self._clock.wall_ms())

    async def own(self, user: User) -> Standing:
        """`standing` of oneself."""
        return await self._db.read(self._standing_of, user, self._clock.wall_ms())

    async def warn(self, actor: Actor, username: str, reason: str, text: str) -> Warned:
        """Warn somebody; the last of too many warnings bans them.

        Raises `NotFound`, `Forbidden` (yourself, an admin) or `Invalid`.
        """
        grounds = Grounds(checked_reason(reason), checked_words(text))
        return await self._db.write(self._warn, actor, username, grounds, self._clock.wall_ms())

    async def ban(
        self, actor: Actor, username: str, reason: str, text: str, days: int | None
    ) -> Ban:
        """Ban somebody for so many days; None has no end.

        Raises `NotFound`, `Forbidden` (yourself, an admin), `Invalid` or `Conflict` (banned
        already).
        """
        grounds, now_ms = (
            Grounds(checked_reason(reason), checked_words(text)),
            self._clock.wall_ms(),
        )
        until_ms = bans.until_ms_of(days, now_ms)
        return await self._db.write(self._ban, actor, username, grounds, until_ms, now_ms)

    async def change_end(self, actor: Actor, ban_id: str, days: int | None) -> Ban:
        """Have a ban last so many days from now on. Raises `NotFound`, `Invalid` or `Conflict`."""
        now_ms = self._clock.wall_ms()
        until_ms = bans.until_ms_of(days, now_ms)
        return await self._db.write(
            bans.change_end, self._letterhead, actor, ban_id, until_ms, now_ms
        )

    async def lift(self, actor: Actor, ban_id: str) -> Ban:
        """End a ban before its time. Raises `NotFound` or `Conflict` (it is over)."""
        return await self._db.write(
            bans.lift, self._letterhead, actor, ban_id, self._clock.wall_ms()
        )

    async def lift_due(self, payload: Payload) -> None:
        """The job `bans.LIFT`."""
        await self._db.write(
            bans.lift_due, self._letterhead, payload["ban_id"], self._clock.wall_ms()
        )

    def _warn(
        self, tx: Transaction, actor: Actor, username: str, grounds: Grounds, now_ms: int
    ) -> Warned:
        user = _named(tx, username)
        return warnings.give(tx, self._letterhead, self._config, actor, user.id, grounds, now_ms)

    def _ban(
        self,
        tx: Transaction,
        actor: Actor,
        username: str,
        grounds: Grounds,
        until_ms: int | None,
        now_ms: int,
    ) -> Ban:
        user = _named(tx, username)
        return bans.place(tx, self._letterhead, actor, user.id, grounds, until_ms, now_ms)

    def _standing(self, tx: Transaction, username: str, now_ms: int) -> Standing:
        return self._standing_of(tx, _named(tx, username), now_ms)

    def _standing_of(self, tx: Transaction, user: User, now_ms: int) -> Standing:
        return Standing(
            user,
            warnings.warnings_of(tx, user.id),
            bans.bans_of(tx, user.id),
            warnings.strikes(tx, self._config, user.id, now_ms),
            self._config.strikes_max,
        )

    def _end_streams(self, event: Banned) -> None:
        for slug in event.channels.values():
            self._end(slug, BANNED)

    def _end(self, slug: str, reason: str) -> None:
        self._live.withdraw(slug, reason)

    def _look_at(self, event: BroadcastStarted) -> None:
        """An encoder whose key was accepted a moment before its owner was banned."""
        self._tasks.start(self._end_if_hidden(event.channel_id), event.channel)

    async def _end_if_hidden(self, channel_id: str) -> None:
        try:
            found = await self._db.read(channels.get_by_id, channel_id)
        except MediaserverError as error:
            _log.warning("not looked at whether its owner is banned", reason=error.message)
            return
        if found.is_hidden:
            self._end(found.slug, BANNED)


def checked_words(text: str) -> str:
    """What an admin writes to somebody. Raises `Invalid`."""
    return checked_paragraphs(text, "text", limits.SANCTION_TEXT_CHARS_MAX)


def export(tx: Transaction, user_id: str) -> dict[str, Any]:
    """What somebody was told, for their copy of their data."""
    return {
        "warnings": [
            {"reason": one.reason, "text": one.text, "given_at_ms": one.given_at_ms}
            for one in warnings.warnings_of(tx, user_id)
        ],
        "bans": [
            {
                "reason": one.reason,
                "text": one.text,
                "from_ms": one.from_ms,
                "until_ms": one.until_ms,
                "lifted_at_ms": one.lifted_at_ms,
            }
            for one in bans.bans_of(tx, user_id)
        ],
    }


def _named(tx: Transaction, username: str) -> User:
    user = find_by_typed_name(tx, username)
    if user is None:
        raise NotFound("There is nobody with that name.", code="user_not_found")
    return user
