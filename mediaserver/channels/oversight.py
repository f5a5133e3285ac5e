"""What admins do to channels that aren't theirs stands in the audit log.

Called within the transactions that change a channel, its keys and what acts in its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mediaserver.accounts.users import User
from mediaserver.channels.channels import Channel
from mediaserver.kernel import audit
from mediaserver.kernel.audit import Actor, Target
from mediaserver.kernel.db import Transaction


def record(
    tx: Transaction,
    actor: User,
    found: Channel,
    action: str,
    now_ms: int,
    details: Mapping[str, Any] | None = None,
) -> None:
    """`action` is named as in the audit log; owners' acts on their own channel aren't kept."""
    if actor.id == found.owner_id:
        return
    target = Target("channel", found.id, found.slug)
    audit.append(tx, Actor(actor.id, actor.username), action, target, now_ms, details)
