"""How fast one user may send, over all their devices, whatever the rules of a channel."""

from __future__ import annotations

from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.errors import RateLimited


class Pace:
    """For each user the moment at which their allowance is whole again. In memory and bounded."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

        self._whole_at_ms: dict[str, int] = {}

    def charge(self, user_id: str) -> None:
        """Count one message. Raises `RateLimited`, and then counts nothing."""
        now_ms = self._clock.monotonic_ms()
        whole_at_ms = max(now_ms, self._whole_at_ms.pop(user_id, 0))
        allowance_ms = (limits.CHAT_LINES_BURST - 1) * limits.CHAT_LINES_INTERVAL_MS
        wait_ms = whole_at_ms - now_ms - allowance_ms
        if wait_ms > 0:
            self._whole_at_ms[user_id] = whole_at_ms
            raise RateLimited(
                "That was too fast. Wait a moment.", retry_after_s=-(-wait_ms // 1000)
            )
        self._whole_at_ms[user_id] = whole_at_ms + limits.CHAT_LINES_INTERVAL_MS
        if len(self._whole_at_ms) > limits.CHAT_USERS_COUNTED_MAX:
            del self._whole_at_ms[next(iter(self._whole_at_ms))]  # the longest silent one
