"""Rules: what lines a channel takes, from slow mode to lockdown. Moderators stand above them.

Owns the table `chat_rules`; a channel without a row has the rules that are no rules.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import CheckConstraint, ForeignKey, Row, insert, select, update

from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.schema import int64, table, text
from mediaserver.kernel.errors import Invalid
from mediaserver.moderation.durations import in_words

chat_rules = table(
    "chat_rules",
    text("channel_id", ForeignKey("channel.id", ondelete="CASCADE"), primary_key=True),
    int64("slow_s"),
    int64("followers_min", nullable=True),
    int64("account_age_min"),
    int64("emote_only"),
    int64("unique_lines"),
    text("links"),
    int64("lockdown"),
    CheckConstraint("slow_s BETWEEN 0 AND 3600", name="slow"),
    CheckConstraint("followers_min BETWEEN 0 AND 525600", name="followers"),
    CheckConstraint("account_age_min BETWEEN 0 AND 525600", name="account_age"),
    CheckConstraint("emote_only IN (0, 1)", name="emote_only"),
    CheckConstraint("unique_lines IN (0, 1)", name="unique"),
    CheckConstraint("links IN ('all', 'moderators')", name="links"),
    CheckConstraint("lockdown IN (0, 1)", name="lockdown"),
)


@dataclass(frozen=True, slots=True)
class Rules:
    """`slow_s`: seconds between two lines of one viewer, 0 is off. `followers_min`: minutes that a
    writer must have followed, None is off. `account_age_min`: minutes that an account must exist.
    """

    slow_s: int = 0
    followers_min: int | None = None
    account_age_min: int = 0
    emote_only: bool = False
    unique: bool = False
    links: Literal["all", "moderators"] = "all"
    lockdown: bool = False


NO_RULES = Rules()


def get(tx: Transaction, channel_id: str) -> Rules:
    return get_all(tx, [channel_id]).get(channel_id, NO_RULES)


def get_all(tx: Transaction, channel_ids: Iterable[str]) -> dict[str, Rules]:
    """Channel id → rules, without channels that never had any."""
    rows = tx.execute(select(chat_rules).where(chat_rules.c.channel_id.in_(list(channel_ids))))
    return {row.channel_id: _to_rules(row) for row in rows}


def changed(rules: Rules, changes: dict[str, Any]) -> Rules:
    """`rules` with `changes`. Raises `Invalid` for names and values that don't exist."""
    for name, value in changes.items():
        is_flag = name in ("emote_only", "unique", "lockdown")
        if is_flag and isinstance(value, bool):
            continue
        if name == "links" and value in ("all", "moderators"):
            continue
        if name == "followers_min" and value is None:
            continue
        bound = {
            "slow_s": limits.CHAT_SLOW_S_MAX,
            "followers_min": limits.CHAT_RULE_MINUTES_MAX,
            "account_age_min": limits.CHAT_RULE_MINUTES_MAX,
        }.get(name)
        if bound is None:
            raise Invalid(
                f"There is no rule {name[:40]} with such a value.", field=name[:40] or "rules"
            )
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= bound:
            longest = in_words(bound if name == "slow_s" else bound * 60)
            raise Invalid(f"Use {longest} at most.", field=name)
    return dataclasses.replace(rules, **changes)


def differences(before: Rules, after: Rules) -> str:
    """What changed, for people: "slow mode 10 s, links by moderators only"."""
    said = []
    if after.slow_s != before.slow_s:
        said.append(f"slow mode {in_words(after.slow_s)}" if after.slow_s else "slow mode off")
    if after.followers_min != before.followers_min:
        length = in_words(after.followers_min * 60) if after.followers_min else "all of them"
        is_off = after.followers_min is None
        said.append("followers only off" if is_off else f"followers only ({length})")
    if after.account_age_min != before.account_age_min:
        age = in_words(after.account_age_min * 60) if after.account_age_min else "off"
        said.append(f"account age {age}")
    if after.emote_only != before.emote_only:
        said.append(f"emotes only {_on(after.emote_only)}")
    if after.unique != before.unique:
        said.append(f"unique messages {_on(after.unique)}")
    if after.links != before.links:
        said.append("links by everybody" if after.links == "all" else "links by moderators only")
    if after.lockdown != before.lockdown:
        said.append(f"lockdown {_on(after.lockdown)}")
    return ", ".join(said)


def _on(is_on: bool) -> str:
    return "on" if is_on else "off"


def put(tx: Transaction, channel_id: str, rules: Rules) -> None:
    """The caller has locked the channel's room."""
    row = dataclasses.asdict(rules)
    row["unique_lines"] = row.pop("unique")
    for flag in ("emote_only", "unique_lines", "lockdown"):
        row[flag] = int(row[flag])
    done = tx.execute(update(chat_rules).where(chat_rules.c.channel_id == channel_id).values(**row))
    if done.rowcount == 0:
        tx.execute(insert(chat_rules).values(channel_id=channel_id, **row))


def _to_rules(row: Row[Any]) -> Rules:
    return Rules(
        slow_s=row.slow_s,
        followers_min=row.followers_min,
        account_age_min=row.account_age_min,
        emote_only=bool(row.emote_only),
        unique=bool(row.unique_lines),
        links=row.links,
        lockdown=bool(row.lockdown),
    )
