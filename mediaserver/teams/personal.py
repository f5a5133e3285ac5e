"""What teams know about somebody, and what becomes of theirs; for accounts/personal_data.py."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete

from mediaserver.channels import channels
from mediaserver.kernel.db import Transaction
from mediaserver.teams import teams
from mediaserver.teams.teams import Team, team


def export(tx: Transaction, user_id: str) -> dict[str, Any]:
    """The teams that somebody leads, and those that their channels are in."""
    return {
        "owned": [_exported(one) for one in teams.owned(tx, user_id)],
        "member": [
            {"channel": slug, **_exported(one)}
            for channel_id, slug in channels.slugs_of(tx, user_id).items()
            for one in teams.of_channel(tx, channel_id)
        ],
    }


def erase(tx: Transaction, user_id: str, now_ms: int) -> None:
    """Give the teams of somebody who goes to the member that is there longest, to one who is banned
    only if there is no other; a team in which there is nobody else goes too.
    """
    for found in teams.owned(tx, user_id):
        teams.lock(tx, found.id)
        others = [one for one in teams.members(tx, found.id) if one.channel.owner_id != user_id]
        others.sort(key=lambda one: one.channel.is_hidden)
        if others:
            teams.make_owner(tx, found.id, others[0].channel)
        else:
            tx.execute(delete(team).where(team.c.id == found.id))


def _exported(found: Team) -> dict[str, Any]:
    return {"team": found.slug, "name": found.name, "created_at_ms": found.created_at_ms}
