"""What is the same for everybody who joins a channel, kept for the crowd that comes back at once.

Whatever changes it adds to the channel's log, so a snapshot is good as long as the sequence stands;
the site's own emotes don't, so none is kept for long.
"""

from __future__ import annotations

from dataclasses import dataclass

from mediaserver.chat.events import ChatEvent, Emote
from mediaserver.kernel import limits
from mediaserver.kernel.clock import Clock
from mediaserver.moderation.rules import Rules


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A chat as of `sequence`; `lines` once somebody needed them."""

    sequence: int
    lines: tuple[ChatEvent, ...] | None
    pinned: ChatEvent | None
    rules: Rules
    emotes: tuple[Emote, ...]


class Snapshots:
    """The newest snapshot of each channel, in memory and bounded."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

        self._kept: dict[str, tuple[Snapshot, int]] = {}

    def get(self, channel_id: str) -> Snapshot | None:
        snapshot, old_at_ms = self._kept.get(channel_id, (None, 0))
        return snapshot if self._is_fresh(old_at_ms) else None

    def put(self, channel_id: str, snapshot: Snapshot) -> None:
        kept, old_at_ms = self._kept.pop(channel_id, (None, 0))
        if kept is None or kept.sequence != snapshot.sequence or not self._is_fresh(old_at_ms):
            old_at_ms = self._clock.monotonic_ms() + limits.CHAT_SNAPSHOT_MS
        self._kept[channel_id] = (snapshot, old_at_ms)
        if len(self._kept) > limits.CHAT_SNAPSHOTS_MAX:
            del self._kept[next(iter(self._kept))]

    def clear(self) -> None:
        self._kept.clear()

    def _is_fresh(self, old_at_ms: int) -> bool:
        return self._clock.monotonic_ms() < old_at_ms
