"""What the captured encoders sent, as configurations and frames: streams that really decode."""

from __future__ import annotations

from functools import cache

from mediaserver.media import flv
from mediaserver.media.frames import AudioConfig, Frame, VideoConfig
from mediaserver.media.rtmp.chunks import ChunkReader
from tests.captures.manifest import CAPTURES, Capture, capture

PLAYABLE = tuple(one for one in CAPTURES if not one.name.startswith("gstreamer"))
"""Those of GStreamer are H.264 in 4:4:4."""


@cache
def messages(name: str) -> tuple[tuple[int, bytes, int], ...]:
    """Audio and video messages: type, body, timestamp."""
    reader = ChunkReader()
    reader.feed(capture(name).read()[3073:])
    return tuple(
        (one.msg_type_id, one.payload, one.timestamp)
        for one in reader.messages()
        if one.msg_type_id in (8, 9)
    )


@cache
def tags(name: str) -> tuple[VideoConfig | AudioConfig | Frame, ...]:
    found = []
    for type_id, body, timestamp in messages(name):
        parse: flv.Parse = flv.parse_video if type_id == 9 else flv.parse_audio
        tag = parse(body, timestamp)
        if tag is not None:
            found.append(tag)
    return tuple(found)


__all__ = ["PLAYABLE", "Capture", "messages", "tags"]
