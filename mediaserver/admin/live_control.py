"""Live streams in the hands of an admin: ending one, with a reason that its encoder shows.

Called by the admin desk.
"""

from __future__ import annotations

from mediaserver.channels import channels
from mediaserver.channels.streams import Broadcasts
from mediaserver.kernel import limits
from mediaserver.kernel.audit import Actor
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.db import Database, Transaction
from mediaserver.kernel.errors import NotFound
from mediaserver.kernel.mail import Letterhead
from mediaserver.kernel.texts import checked_line
from mediaserver.trust import ended_streams


class LiveControl:
    """Ends streams of others."""

    def __init__(
        self, db: Database, clock: Clock, letterhead: Letterhead, broadcasts: Broadcasts
    ) -> None:
        self._db = db
        self._clock = clock
        self._letterhead = letterhead
        self._broadcasts = broadcasts

    async def end(self, actor: Actor, slug: str, reason: str) -> None:
        """End the stream of a channel and tell its owner why. Raises `Invalid`, or `NotFound`
        without a stream.
        """
        reason = checked_line(reason, "reason", limits.END_REASON_CHARS_MAX, is_required=True)
        status = self._broadcasts.status(slug)
        if status is None or status.state == "ended":
            raise NotFound("There is no stream to end.", code="not_live")
        await self._db.write(self._end, actor, slug, reason, self._clock.wall_ms())

    def _end(self, tx: Transaction, actor: Actor, slug: str, reason: str, now_ms: int) -> None:
        channel = channels.get(tx, slug)
        ended_streams.end(tx, self._letterhead, actor, channel, reason, now_ms)
