"""Blocked words of a channel: plain words and phrases, found also behind look-alike letters.

No patterns that users write: those can be made to take for ever. A text is folded to words of
plain letters once, then looked through for each blocked word as a whole. Owns `blocked_word`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import CheckConstraint, ForeignKey, delete, insert, select

from mediaserver.kernel import limits
from mediaserver.kernel.db import Transaction
from mediaserver.kernel.db.schema import int64, table, text
from mediaserver.kernel.errors import Conflict, Invalid, NotFound
from mediaserver.kernel.texts import checked_line

blocked_word = table(
    "blocked_word",
    text("channel_id", ForeignKey("channel.id", ondelete="CASCADE"), primary_key=True),
    text("folded", primary_key=True),
    text("word"),
    text("added_by_id", ForeignKey("user_account.id", ondelete="SET NULL"), nullable=True),
    int64("added_at_ms"),
    CheckConstraint("length(folded) BETWEEN 1 AND 100", name="folded"),
)

_FOLDED_CHARS_MAX = 100

_LOOK_ALIKES = str.maketrans(
    "0134578" + "ıł" + "авекмнорстухіјѕԁ" + "αβεικνορτυχ",
    "oieastb" + "il" + "abekmhopctyxijsd" + "abeiknoptux",
)
"""Digits, then Cyrillic and Greek letters, that are read as Latin ones."""

_INSIDE_WORDS = str.maketrans("@$!|€", "asiie")
"""Signs that stand for letters, when a letter follows."""

_SIGN_BEFORE_LETTER = re.compile(r"[@$!|€](?=\w)")
_NOT_A_LETTER = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class BlockedWord:
    """A word or phrase as it was typed."""

    word: str
    added_at_ms: int


def fold(value: str) -> str:
    """Words of plain letters with one space between, such as "free coins" for "FR33, ©ôins!"."""
    plain = unicodedata.normalize("NFKD", value).casefold()
    plain = "".join(char for char in plain if unicodedata.category(char) not in ("Mn", "Me", "Cf"))
    plain = plain.translate(_LOOK_ALIKES).replace("l", "i")
    return _NOT_A_LETTER.sub(" ", plain).strip()


def contains_any(value: str, folded_words: Iterable[str]) -> bool:
    """Whether one of the words, folded, stands in `value` as a whole word or phrase."""
    words = list(folded_words)
    if not words:
        return False
    signs_read = _SIGN_BEFORE_LETTER.sub(lambda sign: sign[0].translate(_INSIDE_WORDS), value)
    texts = {f" {fold(value)} ", f" {fold(signs_read)} "}
    return any(f" {word} " in text for word in words for text in texts)


def list_words(tx: Transaction, channel_id: str) -> list[BlockedWord]:
    rows = tx.execute(
        select(blocked_word.c.word, blocked_word.c.added_at_ms)
        .where(blocked_word.c.channel_id == channel_id)
        .order_by(blocked_word.c.folded)
    )
    return [BlockedWord(row.word, row.added_at_ms) for row in rows]


def folded_words(tx: Transaction, channel_ids: Iterable[str]) -> dict[str, list[str]]:
    """Channel id → folded words, without channels that have none."""
    found: dict[str, list[str]] = {}
    for row in tx.execute(
        select(blocked_word.c.channel_id, blocked_word.c.folded).where(
            blocked_word.c.channel_id.in_(list(channel_ids))
        )
    ):
        found.setdefault(row.channel_id, []).append(row.folded)
    return found


def add(tx: Transaction, channel_id: str, word: str, added_by_id: str, now_ms: int) -> str | None:
    """The word as it is kept; None when it, or one that reads alike, was there.

    Raises `Invalid` or `Conflict` (too many). The caller has locked the channel's room.
    """
    word = checked_line(word, "word", limits.BLOCKED_WORD_CHARS_MAX, is_required=True)
    folded = fold(word)
    if not folded:
        raise Invalid("Use letters or digits.", field="word")
    if len(folded) > _FOLDED_CHARS_MAX:
        raise Invalid("Use a shorter word.", field="word")
    known = tx.execute(
        select(blocked_word.c.folded).where(blocked_word.c.channel_id == channel_id)
    ).scalars()
    if folded in (all_known := set(known)):
        return None
    if len(all_known) >= limits.BLOCKED_WORDS_MAX:
        raise Conflict(
            f"This channel blocks {len(all_known)} words. Remove one first.",
            code="too_many_words",
        )
    tx.execute(
        insert(blocked_word).values(
            channel_id=channel_id,
            folded=folded,
            word=word,
            added_by_id=added_by_id,
            added_at_ms=now_ms,
        )
    )
    return word


def remove(tx: Transaction, channel_id: str, word: str) -> None:
    """Raises `NotFound`."""
    gone = tx.execute(
        delete(blocked_word).where(
            blocked_word.c.channel_id == channel_id, blocked_word.c.folded == fold(word)
        )
    )
    if gone.rowcount == 0:
        raise NotFound("That word isn't blocked.", code="word_not_found")
