"""What owners set up of alerts, goals and boards of tippers; transactions of `AlertDesk`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mediaserver.accounts.permissions import Action, Thing, check
from mediaserver.accounts.users import User, reload
from mediaserver.channels import channels, oversight
from mediaserver.channels.channels import Channel
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.errors import Unauthorized
from mediaserver.money import alert_looks, goals, tippers
from mediaserver.money.alert_looks import Look, Rules
from mediaserver.money.goals import Goal, Plan
from mediaserver.money.support import SupportChanged
from mediaserver.money.tippers import Board


@dataclass(frozen=True, slots=True)
class Setup:
    """All that a streamer has set up."""

    rules: Rules
    looks: list[Look]
    goal: Goal | None
    board: Board


def managed(tx: Transaction, actor: User, slug: str) -> Channel:
    found = channels.get(tx, slug)
    check(fresh(tx, actor), Action.MANAGE_MONEY, Thing(found.owner_id))
    return found


def _changing(tx: Transaction, actor: User, slug: str, what: str, now_ms: int) -> Channel:
    """The channel, locked; admins who change one that isn't theirs stand in the audit log."""
    found = managed(tx, actor, slug)
    channels.lock(tx, found.id)
    oversight.record(tx, actor, found, what, now_ms)
    return found


def fresh(tx: Transaction, actor: User) -> User:
    found = reload(tx, actor)
    if found is None:
        raise Unauthorized("Log in first.")
    return found


def setup(tx: Transaction, actor: User, slug: str) -> Setup:
    found = managed(tx, actor, slug)
    return Setup(
        alert_looks.rules_of(tx, found.id),
        alert_looks.looks_of(tx, found.id),
        goals.find(tx, found.id),
        tippers.board_of(tx, found.id),
    )


def set_rules(
    tx: Transaction, actor: User, slug: str, changes: Mapping[str, Any], now_ms: int
) -> Rules:
    found = _changing(tx, actor, slug, "alerts.change", now_ms)
    return alert_looks.put_rules(tx, found.id, changes)


def put_look(
    tx: Transaction, actor: User, slug: str, look_id: str, given: Mapping[str, Any], now_ms: int
) -> Look:
    found = _changing(tx, actor, slug, "alerts.change", now_ms)
    return alert_looks.put_look(tx, found.id, look_id, given)


def remove_look(tx: Transaction, actor: User, slug: str, look_id: str, now_ms: int) -> None:
    found = _changing(tx, actor, slug, "alerts.change", now_ms)
    alert_looks.remove_look(tx, found.id, look_id)


def put_picture(
    tx: Transaction, actor: User, slug: str, look_id: str, picture_id: str, now_ms: int
) -> Look:
    found = _changing(tx, actor, slug, "alerts.change", now_ms)
    return alert_looks.set_picture(tx, found.id, look_id, picture_id)


def set_goal(
    tx: Transaction,
    actor: User,
    slug: str,
    plan: Plan,
    currency: str,
    now_ms: int,
    *,
    anew: bool,
) -> Goal:
    found = _changing(tx, actor, slug, "goal.change", now_ms)
    goals.put(tx, found.id, plan, currency, now_ms, anew=anew)
    tx.emit(SupportChanged(found.id, found.slug))
    made = goals.find(tx, found.id)
    assert made is not None
    return made


def remove_goal(tx: Transaction, actor: User, slug: str, now_ms: int) -> None:
    found = _changing(tx, actor, slug, "goal.remove", now_ms)
    goals.remove(tx, found.id)
    tx.emit(SupportChanged(found.id, found.slug))


def set_board(tx: Transaction, actor: User, slug: str, board: Board, now_ms: int) -> Board:
    found = _changing(tx, actor, slug, "tippers.change", now_ms)
    tippers.put_board(tx, found.id, board)
    tx.emit(SupportChanged(found.id, found.slug))
    return board
