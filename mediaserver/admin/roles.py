"""What each role may do, as a table for people: made from accounts/permissions.py, the one place
that decides it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mediaserver.accounts.permissions import Action, Rank, Role

May = Literal["yes", "own", "moderated", "no"]
"""`own`: what is theirs. `moderated`: also where an owner has made them a moderator."""


@dataclass(frozen=True, slots=True)
class Permission:
    """Who may do one thing."""

    phrase: str
    normal: May
    premium: May
    admin: May


def permissions() -> list[Permission]:
    """Every action, in the order of permissions.py."""
    return [
        Permission(
            action.phrase,
            _may(action, Role.NORMAL),
            _may(action, Role.PREMIUM),
            _may(action, Role.ADMIN),
        )
        for action in Action
    ]


def _may(action: Action, role: Role) -> May:
    if role == Role.ADMIN:
        return "yes"
    need = action.need
    if role < need.role or need.rank == Rank.ADMIN:
        return "no"
    if need.rank == Rank.MODERATOR:
        return "moderated"
    return "own" if need.rank == Rank.OWNER else "yes"
