"""Why something is reported, and why somebody is warned or banned: one list for both."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mediaserver.kernel.errors import Invalid


class Reason(StrEnum):
    """A rule that was broken. The value is kept; `label` is what people read."""

    SPAM = "spam"
    HARASSMENT = "harassment"
    HATE = "hate"
    VIOLENCE = "violence"
    SEXUAL = "sexual"
    MINORS = "minors"
    SELF_HARM = "self_harm"
    ILLEGAL = "illegal"
    COPYRIGHT = "copyright"
    IMPERSONATION = "impersonation"
    UNLABELLED = "unlabelled"
    OTHER = "other"

    @property
    def label(self) -> str:
        """In a few words."""
        return _LABELS[self]

    @property
    def is_urgent(self) -> bool:
        """Somebody may be in danger: admins are told at once."""
        return self in (Reason.MINORS, Reason.SELF_HARM, Reason.VIOLENCE)


_LABELS = {
    Reason.SPAM: "Spam or fraud",
    Reason.HARASSMENT: "Harassment or threats",
    Reason.HATE: "Hate against a group of people",
    Reason.VIOLENCE: "Violence or cruelty",
    Reason.SEXUAL: "Sexual content",
    Reason.MINORS: "A child in danger",
    Reason.SELF_HARM: "Self-harm",
    Reason.ILLEGAL: "Something illegal",
    Reason.COPYRIGHT: "Somebody else's work",
    Reason.IMPERSONATION: "Pretending to be somebody else",
    Reason.UNLABELLED: "Not marked as 18+ or as promotion",
    Reason.OTHER: "Something else",
}


@dataclass(frozen=True, slots=True)
class Grounds:
    """Why somebody is warned or banned, or their stream ends: the rule, what an admin says in their
    own words, and the report that led to it.
    """

    reason: Reason
    text: str = ""
    report_id: str | None = None

    @property
    def words(self) -> str:
        return f"{self.reason.label}. {self.text}" if self.text else f"{self.reason.label}."


CHOICES = tuple((str(reason), reason.label) for reason in Reason)
"""Value and label of each, as lists show them."""


def checked_reason(value: str) -> Reason:
    """Raises `Invalid`."""
    try:
        return Reason(value)
    except ValueError as error:
        raise Invalid("Choose a reason of the list.", field="reason") from error
