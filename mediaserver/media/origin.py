"""The live streams of this process, by channel: where a request finds the one it names."""

from __future__ import annotations

from mediaserver.kernel.errors import NotFound
from mediaserver.media.live_stream import LiveStream


class Origin:
    """A channel's ended stream stays a while. One that isn't public is found by its session
    only."""

    def __init__(self) -> None:
        self._streams: dict[str, dict[str, LiveStream]] = {}
        self._current: dict[str, str] = {}

    def add(self, channel: str, stream: LiveStream, *, is_public: bool = True) -> None:
        self._streams.setdefault(channel, {})[stream.session] = stream
        if is_public:
            self.show(channel, stream)

    def show(self, channel: str, stream: LiveStream) -> None:
        """From now on this is the channel's stream."""
        self._current[channel] = stream.session

    def remove(self, channel: str, stream: LiveStream) -> None:
        streams = self._streams.get(channel, {})
        streams.pop(stream.session, None)
        if stream.recording is not None:
            stream.recording.close()
        if self._current.get(channel) == stream.session:
            del self._current[channel]
        if not streams:
            self._streams.pop(channel, None)

    def current(self, channel: str) -> LiveStream:
        """The newest public stream of a channel. Raises `NotFound`."""
        session = self._current.get(channel)
        if session is None:
            raise NotFound("This channel is not live")
        return self._streams[channel][session]

    def stream(self, channel: str, session: str) -> LiveStream:
        """A stream by the session in its URLs. Raises `NotFound`."""
        stream = self._streams.get(channel, {}).get(session)
        if stream is None:
            raise NotFound("This stream is over")
        return stream

    def channels(self) -> list[str]:
        return list(self._current)

    def all(self) -> list[LiveStream]:
        return [stream for streams in self._streams.values() for stream in streams.values()]
