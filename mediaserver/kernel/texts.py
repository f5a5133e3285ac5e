"""Text that people type: normalised, bounded, and free of characters that only deceive.

Called by every feature that takes a name, a title or a message.
"""

from __future__ import annotations

import unicodedata

from mediaserver.kernel import limits
from mediaserver.kernel.errors import Invalid

_UNSEEN = frozenset(
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\ufeff"
)
"""Marks that turn the direction of what follows (Unicode UAX #9) or show nothing: with them one
name looks like another and a message runs over the line beside it."""

_BLANK_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Hangul fillers and the empty Braille cell: letters that show nothing."""

_LOOK_ALIKES = (
    ("_", ""),
    ("0", "o"),
    ("1", "l"),
    ("i", "l"),
    ("5", "s"),
    ("rn", "m"),
    ("vv", "w"),
)


def checked_line(value: str, field: str, chars_max: int, *, is_required: bool = False) -> str:
    """One line of text for people, trimmed, empty if nothing of it is seen. Raises `Invalid`."""
    value = _normalised(value, field)
    if not any(is_seen(char) for char in value):
        value = ""
    if is_required and not value:
        raise Invalid("This can't be empty.", field=field)
    if len(value) > chars_max:
        raise Invalid(f"Use at most {chars_max} characters.", field=field)
    if any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in value):
        raise Invalid("Use one line of plain text.", field=field)
    return value


def checked_paragraphs(value: str, field: str, chars_max: int) -> str:
    """Text of several lines, trimmed. Raises `Invalid`."""
    value = _normalised(value.replace("\r\n", "\n"), field)
    if len(value) > chars_max:
        raise Invalid(f"Use at most {chars_max} characters.", field=field)
    if any(char not in "\n\t" and unicodedata.category(char) in ("Cc", "Cs") for char in value):
        raise Invalid("Use plain text.", field=field)
    return value


def skeleton(username: str) -> str:
    """The same for names that people take for each other (after Unicode UTS #39 §4), for names of
    a to z, digits and _. The database keeps it of every user: another rule needs a migration.
    """
    for seen, taken_for in _LOOK_ALIKES:
        username = username.replace(seen, taken_for)
    return username


def is_seen(char: str) -> bool:
    """Whether it puts something on the line by itself."""
    return (
        unicodedata.category(char) not in ("Cf", "Zs", "Cn", "Co", "Mn", "Me")
        and char not in _BLANK_LETTERS
    )


def _normalised(value: str, field: str) -> str:
    """NFC without direction marks. Raises `Invalid` for towers of combining marks."""
    value = "".join(char for char in value if char not in _UNSEEN)
    value = unicodedata.normalize("NFC", value).strip()
    marks = 0
    for char in value:
        marks = marks + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if marks > limits.COMBINING_MARKS_MAX:
            raise Invalid("There are too many accents on one letter.", field=field)
    return value
