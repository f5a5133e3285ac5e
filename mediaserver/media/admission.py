"""Whether one more viewer may come in: the cap on viewers and the budget of the uplink.

Asked by whatever serves viewers, at each request that begins or goes on with watching. Who is
inside stays: only a viewer that was not seen lately can be refused. It spares an uplink that would
otherwise fail everybody; it is no wall, as whoever knows a segment's address may fetch it.
"""

from __future__ import annotations

from mediaserver.kernel.config import MediaConfig
from mediaserver.kernel.errors import Unavailable
from mediaserver.media.live_stream import LiveStream
from mediaserver.media.origin import Origin


class Full(Unavailable):
    """No room for one more viewer; the message is for them."""

    code = "full"


class Admission:
    """Counts over all streams. A limit of 0 is none."""

    def __init__(self, media: MediaConfig, origin: Origin) -> None:
        self._media = media
        self._origin = origin

    @property
    def uplink_max_bps(self) -> int:
        """0: no budget is set."""
        return self._media.uplink_max_kbps * 1000

    @property
    def uplink_needed_bps(self) -> int:
        """What all viewers take at the streams' present bitrates."""
        return sum(one.viewers * one.bitrate_bps for one in self._origin.all())

    def admit(self, stream: LiveStream, viewer: str | None) -> None:
        """Raises `Full` for a viewer that is not inside and doesn't fit. None, a streamer's own
        preview, always does; somebody who comes over from another stream leaves that one's place.
        """
        if viewer is None or stream.holds(viewer):
            return
        left = [one for one in self._origin.all() if one is not stream and one.holds(viewer)]
        self._check(stream, left)

    def refuses(self, stream: LiveStream) -> bool:
        """Whether somebody new would not be let in to this stream now."""
        try:
            self._check(stream, [])
        except Full:
            return True
        return False

    def _check(self, stream: LiveStream, left: list[LiveStream]) -> None:
        streams = self._origin.all()
        if self._media.viewers_max:
            viewers = sum(one.viewers for one in streams) - len(left)
            if viewers >= self._media.viewers_max:
                raise Full("The server has as many viewers as it takes. Try again in a moment.")
        if self.uplink_max_bps:
            freed_bps = sum(one.bitrate_bps for one in left)
            needed_bps = self.uplink_needed_bps - freed_bps + stream.bitrate_bps
            if needed_bps > self.uplink_max_bps:
                raise Full("The server's connection is full. Try again in a moment.")
