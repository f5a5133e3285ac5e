"""Counts what an encoder sends, from the timestamps of its frames: how much time, how many frames,
and how many are missing between them."""

from __future__ import annotations

from mediaserver.kernel import limits
from mediaserver.media.frames import Frame, Kind

_WRAP = 1 << 32
_GAP = 1.6
"""Frames further apart than this many times their usual distance have lost one between them."""
_GAP_MS_MAX = 1_000
"""A longer gap is a pause, not frames that got lost."""


class FrameMeter:
    """Totals since it was made. `media_ms` is the time of the leading track: of the picture, or of
    the sound where there is none."""

    def __init__(self) -> None:
        self.frames = 0
        self.missing = 0
        self._media_ms = {Kind.VIDEO: 0, Kind.AUDIO: 0}
        self._last_ms: dict[Kind, int] = {}

    @property
    def media_ms(self) -> int:
        return self._media_ms[Kind.VIDEO if self.frames else Kind.AUDIO]

    def add(self, frame: Frame, frame_rate: float | None) -> None:
        """One frame as it came; `frame_rate` is the usual one, once it is known."""
        last_ms = self._last_ms.get(frame.kind)
        self._last_ms[frame.kind] = frame.timestamp_ms
        if frame.kind is Kind.VIDEO:
            self.frames += 1
        if last_ms is None:
            return
        step_ms = (frame.timestamp_ms - last_ms) % _WRAP
        if step_ms > limits.TIMESTAMP_FORWARD_MS_MAX:
            return  # a jump, or back
        self._media_ms[frame.kind] += step_ms
        if frame.kind is Kind.VIDEO and frame_rate is not None and step_ms <= _GAP_MS_MAX:
            steps = step_ms * frame_rate / 1000
            if steps > _GAP:
                self.missing += round(steps) - 1

    def forget_time(self) -> None:
        """The encoder begins anew: its next timestamps have nothing to do with the last."""
        self._last_ms = {}
