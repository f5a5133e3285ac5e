"""What people are told of warnings, bans, appeals and reports: every sentence of this package."""

from __future__ import annotations

from datetime import UTC, datetime

from mediaserver.channels.channels import Channel
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.mail import Letterhead
from mediaserver.notifications.notices import Topic, tell
from mediaserver.trust.reasons import Grounds


def moment(at_ms: int) -> str:
    """A moment as in "3 December 2026, 14:05 UTC"."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{at.day} {at:%B %Y, %H:%M} UTC"


def until(until_ms: int | None) -> str:
    return "for ever" if until_ms is None else f"until {moment(until_ms)}"


def warned(
    tx: Transaction, letterhead: Letterhead, user_id: str, grounds: Grounds, now_ms: int
) -> None:
    body = _sentences(
        f"An admin of {letterhead.site_name} has warned you. The reason: {grounds.reason.label}.",
        grounds.text,
        "Further warnings can lead to a ban.",
    )
    tell(tx, letterhead, user_id, Topic.ACCOUNT, "You have been warned", body, "/appeal", now_ms)


def stream_ended(
    tx: Transaction, letterhead: Letterhead, channel: Channel, reason: str, now_ms: int
) -> None:
    title = f"Your stream on {channel.name} was ended"
    body = f"An admin ended it. The reason: {reason}"
    path = f"/studio/{channel.slug}"
    tell(tx, letterhead, channel.owner_id, Topic.ACCOUNT, title, body, path, now_ms)


def banned(
    tx: Transaction,
    letterhead: Letterhead,
    user_id: str,
    grounds: Grounds,
    until_ms: int | None,
    now_ms: int,
) -> None:
    body = _sentences(
        f"Your account at {letterhead.site_name} is banned {until(until_ms)}. The reason: "
        f"{grounds.reason.label}.",
        grounds.text,
        "Until then you can't stream, write or follow, and nobody sees your channels. You can "
        "still log in, and appeal once on the page below.",
    )
    title = f"Your account is banned {until(until_ms)}"
    tell(tx, letterhead, user_id, Topic.ACCOUNT, title, body, "/appeal", now_ms)


def ban_changed(
    tx: Transaction, letterhead: Letterhead, user_id: str, until_ms: int | None, now_ms: int
) -> None:
    title = f"Your ban now lasts {until(until_ms)}"
    body = "An admin has changed its length."
    tell(tx, letterhead, user_id, Topic.ACCOUNT, title, body, "/appeal", now_ms)


def unbanned(
    tx: Transaction, letterhead: Letterhead, user_id: str, now_ms: int, *, is_over: bool
) -> None:
    first = "Your ban is over." if is_over else "An admin has lifted your ban."
    body = f"{first} You can stream and write again, and everybody sees your channels."
    title = "Your account works again"
    tell(tx, letterhead, user_id, Topic.ACCOUNT, title, body, "/", now_ms)


def appeal_refused(
    tx: Transaction, letterhead: Letterhead, user_id: str, answer: str, now_ms: int
) -> None:
    body = _sentences("An admin has read your appeal and the ban stays.", answer)
    title = "Your appeal was refused"
    tell(tx, letterhead, user_id, Topic.ACCOUNT, title, body, "/appeal", now_ms)


def appeal_accepted(
    tx: Transaction, letterhead: Letterhead, user_id: str, answer: str, now_ms: int
) -> None:
    body = _sentences("An admin has read your appeal and lifted the ban.", answer)
    title = "Your appeal was accepted"
    tell(tx, letterhead, user_id, Topic.ACCOUNT, title, body, "/", now_ms)


def report_decided(
    tx: Transaction,
    letterhead: Letterhead,
    user_id: str,
    target: str,
    text: str,
    now_ms: int,
    *,
    is_upheld: bool,
) -> None:
    """Says whether something was done, and never what to whom."""
    first = (
        f"Thank you for reporting {target}. It broke the rules, and we have acted."
        if is_upheld
        else f"Thank you for reporting {target}. We have looked, and it doesn't break the rules."
    )
    body = _sentences(first, text)
    title = "Your report was looked at"
    tell(tx, letterhead, user_id, Topic.REPORTS, title, body, "/settings/reports", now_ms)


def _sentences(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)
