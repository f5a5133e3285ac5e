"""Clocks: the fake one moves as told, the machine's goes forward in the right unit."""

from __future__ import annotations

from datetime import UTC, datetime

from mediaserver.kernel.clock import FakeClock, SystemClock


def test_the_fake_clock_stands_until_it_is_moved() -> None:
    clock = FakeClock(wall_ms=1_000, monotonic_ms=50)
    assert [clock.wall_ms(), clock.monotonic_ms()] == [1_000, 50]
    assert [clock.wall_ms(), clock.monotonic_ms()] == [1_000, 50]
    clock.advance(7)
    assert [clock.wall_ms(), clock.monotonic_ms()] == [1_007, 57]


def test_the_clock_of_the_machine_counts_milliseconds_of_unix_time() -> None:
    clock = SystemClock()
    before = int(datetime.now(UTC).timestamp() * 1000)
    wall = clock.wall_ms()
    after = int(datetime.now(UTC).timestamp() * 1000) + 1
    assert before <= wall <= after
    assert clock.monotonic_ms() <= clock.monotonic_ms()
    assert isinstance(clock.monotonic_ms(), int)
