"""Secrets on their way to the one page that shows them: kept in memory between POST and redirect.

A new stream key must survive one redirect and must not be shown twice. Nothing here is stored.
"""

from __future__ import annotations

from dataclasses import dataclass

from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class NewKey:
    """A stream key that was just made. `key` is the secret."""

    name: str
    key: str


class ShownOnce:
    """At most one waiting key for each user and channel."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

        self._waiting: dict[tuple[str, str], tuple[int, NewKey]] = {}

    def put(self, user_id: str, slug: str, new_key: NewKey) -> None:
        now_ms = self._clock.monotonic_ms()
        self._waiting.pop((user_id, slug), None)
        for key, (until_ms, _) in list(self._waiting.items()):
            if until_ms > now_ms and len(self._waiting) < limits.SHOWN_ONCE_MAX:
                break  # the oldest come first
            del self._waiting[key]
        self._waiting[user_id, slug] = (now_ms + limits.SHOWN_ONCE_MS, new_key)

    def take(self, user_id: str, slug: str) -> NewKey | None:
        until_ms, new_key = self._waiting.pop((user_id, slug), (0, None))
        return new_key if until_ms > self._clock.monotonic_ms() else None
