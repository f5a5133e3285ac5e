"""Streams that an admin ends: written down, told to the streamer, and gone from the air.

Nothing of the stream can be watched any more; the channel may start the next one. Called by
cases.py and by the admin desk, inside their transactions; sanctions.py carries it out.
"""

from __future__ import annotations

from dataclasses import dataclass

from mediaserver.channels.channels import Channel
from mediaserver.kernel import audit
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.mail import Letterhead
from mediaserver.trust import letters


@dataclass(frozen=True, slots=True)
class StreamForbidden:
    """An admin ends what a channel streams now; `reason` is told to its encoder."""

    slug: str
    reason: str


def end(
    tx: Transaction,
    letterhead: Letterhead,
    actor: Actor,
    channel: Channel,
    reason: str,
    now_ms: int,
    *,
    report_id: str | None = None,
) -> None:
    """End what `channel` streams now, for a `reason` in words. The caller knows that it is live."""
    details = {"reason": reason} | ({} if report_id is None else {"report": report_id})
    target = Target("channel", channel.id, channel.slug)
    audit.append(tx, actor, "stream.end", target, now_ms, details)
    letters.stream_ended(tx, letterhead, channel, reason, now_ms)
    tx.emit(StreamForbidden(channel.slug, f"An admin ended this stream: {reason}"))
