"""Forms on their way through the question who it is: kept in memory until the password was right.

Whoever wrote a page of text and pressed the button shall not lose it because their log-in is some
minutes old. Nothing here is stored; forms with passwords or files are not kept.
"""

from __future__ import annotations

from dataclasses import dataclass

from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class HeldForm:
    """What was sent: to which path, with which fields, and the page that it came from."""

    path: str
    back: str
    fields: tuple[tuple[str, str], ...]


class HeldForms:
    """At most one for each session."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

        self._held: dict[str, tuple[int, HeldForm]] = {}

    def hold(self, session_id: str, form: HeldForm) -> None:
        now_ms = self._clock.monotonic_ms()
        self._held.pop(session_id, None)
        for key, (until_ms, _) in list(self._held.items()):
            if until_ms > now_ms and len(self._held) < limits.HELD_FORMS_MAX:
                break  # the oldest come first
            del self._held[key]
        self._held[session_id] = (now_ms + limits.HELD_FORM_MS, form)

    def waits(self, session_id: str, back: str) -> bool:
        """Whether `take` would give one."""
        until_ms, form = self._held.get(session_id, (0, None))
        return form is not None and form.back == back and until_ms > self._clock.monotonic_ms()

    def take(self, session_id: str, back: str) -> HeldForm | None:
        """The form that came from the page `back`, if one waits."""
        waits = self.waits(session_id, back)
        _, form = self._held.pop(session_id, (0, None))
        return form if waits else None
