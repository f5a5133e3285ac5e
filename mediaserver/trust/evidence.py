"""Evidence: how a thing was at the moment it was reported — facts, the chat, a picture.

Facts and chat are written with the report; the picture is a file in a folder of its own, which
only admins are shown. All of it goes some time after the decision. Called by trust/reports.py and
cases.py. Owns the table `report_evidence`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import CheckConstraint, ForeignKey, Select, delete, insert, select, update

from mediaserver.accounts import profiles
from mediaserver.accounts.users import find_by_id
from mediaserver.chat import excerpts
from mediaserver.chat.excerpts import KeptLine
from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.schema import flag, int64, table, text
from mediaserver.trust.targets import Target

report_evidence = table(
    "report_evidence",
    text("report_id", ForeignKey("report.id", ondelete="CASCADE"), primary_key=True),
    text("facts"),
    text("chat"),
    flag("has_picture"),
    int64("delete_at_ms", nullable=True, index=True),
    CheckConstraint("has_picture IN (0, 1)", name="has_picture"),
)


class LiveStatus(Protocol):
    """What the engine tells of a live stream, as far as it is kept."""

    @property
    def started_at_ms(self) -> int: ...
    @property
    def viewers(self) -> int: ...
    @property
    def is_public(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was kept. `facts`: label → value; `chat`: lines with at_ms, username, text, is_removed
    and, for the reported one, is_it.
    """

    facts: dict[str, Any]
    chat: list[dict[str, Any]]
    has_picture: bool
    delete_at_ms: int | None


def keep(
    tx: Transaction,
    report_id: str,
    target: Target,
    live: LiveStatus | None,
    now_ms: int,
    *,
    has_picture: bool,
) -> None:
    """Write down how `target` is now. `has_picture`: one is kept under its id."""
    tx.execute(
        insert(report_evidence).values(
            report_id=report_id,
            facts=json.dumps(_facts(tx, target, live), ensure_ascii=False),
            chat=json.dumps(_chat(tx, target, now_ms), ensure_ascii=False),
            has_picture=int(has_picture),
        )
    )


def find(tx: Transaction, report_id: str) -> Evidence | None:
    """None when it was deleted."""
    row = tx.execute(
        select(report_evidence).where(report_evidence.c.report_id == report_id)
    ).first()
    if row is None:
        return None
    return Evidence(
        json.loads(row.facts), json.loads(row.chat), bool(row.has_picture), row.delete_at_ms
    )


def delete_later(tx: Transaction, report_id: str, at_ms: int) -> None:
    """The report is decided: its evidence goes then."""
    tx.execute(
        update(report_evidence)
        .where(report_evidence.c.report_id == report_id)
        .values(delete_at_ms=at_ms)
    )


def delete_all_later(tx: Transaction, report_ids: Select[Any], at_ms: int) -> None:
    """`delete_later` of all that `report_ids` selects."""
    tx.execute(
        update(report_evidence)
        .where(report_evidence.c.report_id.in_(report_ids))
        .values(delete_at_ms=at_ms)
    )


def due(tx: Transaction, now_ms: int) -> list[str]:
    """Reports whose evidence has had its time."""
    rows = tx.execute(
        select(report_evidence.c.report_id)
        .where(report_evidence.c.delete_at_ms <= now_ms)
        .order_by(report_evidence.c.delete_at_ms)
        .limit(limits.EVIDENCE_DELETED_AT_ONCE)
    )
    return [row.report_id for row in rows]


def with_picture(tx: Transaction) -> set[str]:
    """Reports that have a picture."""
    rows = tx.execute(select(report_evidence.c.report_id).where(report_evidence.c.has_picture == 1))
    return {row.report_id for row in rows}


def forget(tx: Transaction, report_ids: list[str]) -> None:
    tx.execute(delete(report_evidence).where(report_evidence.c.report_id.in_(report_ids)))


def _facts(tx: Transaction, target: Target, live: LiveStatus | None) -> dict[str, Any]:
    """Label → value, in the order in which an admin reads them."""
    facts: dict[str, Any] = {}
    if target.line is not None:
        facts["Message"] = target.line.text
        facts["Written by"] = target.line.username
    owner = None if target.owner_id is None else find_by_id(tx, target.owner_id)
    if target.channel is not None:
        about = target.stream or target.channel
        facts |= {
            "Channel": target.channel.slug,
            "Title": about.title,
            "Description": about.description,
            "Category": about.category,
            "Tags": ", ".join(about.tags),
            "Marked as": ", ".join(_marks(about)),
        }
    if live is not None and live.is_public:
        facts |= {"Live since": live.started_at_ms, "Viewers": live.viewers}
    if owner is not None:
        profile = profiles.find(tx, owner.id)
        facts |= {
            "Answers for it": owner.username,
            "Account made": owner.created_at_ms,
            "Says of themselves": profile.about,
            "Links to": ", ".join(link.url for link in profile.links),
        }
    return {label: value for label, value in facts.items() if value not in (None, "")}


def _marks(about: Any) -> list[str]:
    names = {
        "age_restricted": "18+",
        "not_general": "not for everyone",
        "brand_promotion": "promotion",
        "recorded_content": "recorded",
    }
    return [label for name, label in names.items() if getattr(about, name)]


def _chat(tx: Transaction, target: Target, now_ms: int) -> list[dict[str, Any]]:
    """The last minutes, or those before the end of a stream that is over, or before the reported
    line and a few lines after it.
    """
    if target.channel is None:
        return []
    line, stream = target.line, target.stream
    at_ms = now_ms if stream is None else stream.ended_at_ms or now_ms
    at_ms = at_ms if line is None else line.at_ms
    kept = excerpts.lines_before(
        tx,
        target.channel.id,
        since_ms=at_ms - limits.EVIDENCE_CHAT_MS,
        until_ms=at_ms if line is None else None,
        upto=None if line is None else line.sequence + limits.EVIDENCE_LINES_AFTER,
        limit=limits.EVIDENCE_LINES_MAX,
    )
    return [_kept(one, is_it=line is not None and one.id == line.id) for one in kept]


def _kept(line: KeptLine, *, is_it: bool) -> dict[str, Any]:
    return {
        "at_ms": line.at_ms,
        "username": line.username,
        "text": line.text,
        "is_removed": line.is_removed,
        "is_it": is_it,
    }
