"""How fast one user may send, over all their devices, whatever the rules of a channel."""

from __future__ import annotations

from mediaserver.kernel import limits
from mediaserver.kernel.budget import Budget
from mediaserver.kernel.clock import Clock
from mediaserver.kernel.errors import RateLimited


class Pace:
    """Each user's allowance. In memory and bounded."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

        self._budgets: dict[str, Budget] = {}  # in order of last use

    def charge(self, user_id: str) -> None:
        """Count one message. Raises `RateLimited`, and then counts nothing."""
        budget = self._budgets.pop(user_id, None) or Budget(
            self._clock, limits.CHAT_LINES_BURST, 1000 / limits.CHAT_LINES_INTERVAL_MS
        )
        self._budgets[user_id] = budget
        if not budget.take():
            raise RateLimited(
                "That was too fast. Wait a moment.", retry_after_s=budget.retry_after_s()
            )
        if len(self._budgets) > limits.CHAT_USERS_COUNTED_MAX:
            del self._budgets[next(iter(self._budgets))]  # the longest silent one
