"""How often somebody may do something: a token bucket in memory, without a timer.

accounts/throttles.py keeps the like in the database, where it outlives a restart.
"""

from __future__ import annotations

from mediaserver.kernel.clock import Clock


class Budget:
    """`burst` at once, then `per_s` each second."""

    __slots__ = ("_clock", "_full_at_ms", "_interval_ms", "_span_ms")

    def __init__(self, clock: Clock, burst: int, per_s: float) -> None:
        self._clock = clock
        self._interval_ms = 1000 / per_s
        self._span_ms = burst * self._interval_ms

        self._full_at_ms = 0.0  # when all of the burst is there again

    def take(self) -> bool:
        """Whether one more is within the budget; if so it is spent."""
        now_ms = self._clock.monotonic_ms()
        full_at_ms = max(now_ms, self._full_at_ms) + self._interval_ms
        if full_at_ms - now_ms > self._span_ms:
            return False
        self._full_at_ms = full_at_ms
        return True

    def retry_after_s(self) -> int:
        """Whole seconds until `take` can succeed again, at least 1."""
        wait_ms = self._full_at_ms + self._interval_ms - self._span_ms
        return max(1, -int(-(wait_ms - self._clock.monotonic_ms()) // 1000))
