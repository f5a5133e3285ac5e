"""Every bound of the site: what it limits, in which unit, and why that number.

Nothing here is a setting: what an operator may change is in config.toml.
"""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

# RTMP, before anybody is trusted ------------------------------------------------------------------

RTMP_HANDSHAKE_TIMEOUT_S: Final = 5.0
"""C0 to C2. A real encoder needs one round trip."""

RTMP_COMMAND_TIMEOUT_S: Final = 10.0
"""Handshake to accepted publish: four short messages."""

RTMP_UNTRUSTED_MESSAGE_BYTES_MAX: Final = 64 * KIB
"""A message before publish is accepted: connect objects are under 2 KiB."""

RTMP_UNTRUSTED_BYTES_MAX: Final = 256 * KIB
"""Everything read before publish is accepted."""

# RTMP, while publishing ---------------------------------------------------------------------------

RTMP_MESSAGE_BYTES_MAX: Final = 8 * MIB
"""One message: a 4K intra frame at a high rate stays below 4 MiB."""

RTMP_CHUNK_BYTES_MIN: Final = 128
"""The protocol's default chunk size. Smaller ones only cost CPU, so they are refused."""

RTMP_CHUNK_BYTES_MAX: Final = 16 * MIB
"""A message never exceeds 24 bits, so nor need a chunk (RTMP 1.0 §5.4.1)."""

RTMP_CHUNK_STREAMS_MAX: Final = 32
"""Chunk streams that one connection may open; encoders use 3 to 6."""

RTMP_READ_BYTES: Final = 256 * KIB
"""One read from the socket."""

RTMP_ACK_WINDOW_BYTES: Final = 2_500_000
"""The window we announce; an encoder acknowledges after as many bytes of ours."""

RTMP_OUT_CHUNK_BYTES: Final = 4096
"""Chunk size of our answers; the largest is a few hundred bytes."""

RTMP_WRITE_TIMEOUT_S: Final = 10.0
"""An encoder that doesn't read our few answers for so long is gone."""

RTMP_PING_INTERVAL_S: Final = 30.0
"""A ping keeps NAT entries open and finds dead peers."""

RTMP_LINGER_S: Final = 2.0
"""After a refusal: time for the encoder to read the reason before the socket closes."""

RTMP_MESSAGES_PER_TURN_MAX: Final = 256
"""Messages handled before other connections get their turn on the event loop."""

RTMP_BITRATE_WINDOW_S: Final = 10
"""The publisher's rate is averaged over this."""

AMF_DEPTH_MAX: Final = 8
AMF_ITEMS_MAX: Final = 512
AMF_STRING_BYTES_MAX: Final = 4 * KIB
"""AMF0: a connect object of Enhanced RTMP has depth 2, 20 keys, strings under 200 bytes."""

# Frames and packaging -----------------------------------------------------------------------------

FIRST_MEDIA_TIMEOUT_S: Final = 20.0
"""Accepted publish to the first frame that can be shown (a keyframe, where there is video)."""

STALL_S: Final = 5.0
"""No frame for so long counts as an interruption, though the connection stands."""

TRACK_WAIT_MS: Final = 2_000
"""Media time to wait for the second track before the stream starts without it."""

FRAME_RATE_WAIT_MS: Final = 500
"""Media time that is measured for the frame rate, at least."""

FIRST_GOP_WAIT_MS: Final = 4_000
"""Media time to wait for the second keyframe, which tells how long segments will be."""

KEYFRAME_WAIT_MS_MAX: Final = 20_000
"""Video without a keyframe for so long is refused: nobody could join the stream."""

TIMESTAMP_FORWARD_MS_MAX: Final = 3_000
TIMESTAMP_BACKWARD_MS_MAX: Final = 1_000
"""A timestamp further off than this begins a new epoch instead of being believed."""

AUDIO_DRIFT_MS_MAX: Final = 100
"""Audio is counted in samples; beyond this distance from RTMP time it is brought back."""

SEGMENT_DURATION_MS_MIN: Final = 1_500
"""A segment begins at the first keyframe after this."""

PART_BYTES_MAX: Final = 4 * MIB
SEGMENT_BYTES_MAX: Final = 32 * MIB
BROADCAST_BYTES_MAX: Final = 128 * MIB
"""Media kept in memory; over it the oldest segments go first, then the stream ends."""

PENDING_FRAMES_MAX: Final = 4_096
PENDING_BYTES_MAX: Final = 24 * MIB
"""Frames waiting for a cut or for the start."""

EPOCHS_PER_MINUTE_MAX: Final = 20
"""A publisher that changes its codecs or clock more often is sending nonsense."""

# Origin -------------------------------------------------------------------------------------------

PLAYLIST_HOLD_S: Final = 1.0
"""A blocking reload is answered with the unchanged playlist after this: below the time-out of
hls.js, max(3 parts, 0.8 target durations). A deliberate deviation from rfc8216bis §6.2.5.2."""

PART_HOLD_S: Final = 2.0
"""A request for the hinted part waits so long."""

WAITERS_PER_BROADCAST_MAX: Final = 10_000
"""Blocked requests of one stream, about 2 KiB each."""

ENDED_KEEP_S: Final = 60.0
"""An ended stream's playlist and media stay so long, for players that are behind."""

VIEWER_TIMEOUT_S: Final = 15.0
"""A viewer that asked for no playlist for so long has left."""

VIEWERS_TRACKED_MAX: Final = 100_000
"""Viewer keys remembered for one stream."""

# Thumbnails ---------------------------------------------------------------------------------------

THUMBNAIL_TIMEOUT_S: Final = 10.0
THUMBNAIL_MEMORY_BYTES_MAX: Final = 1024 * MIB
THUMBNAIL_CPU_S_MAX: Final = 3600
THUMBNAIL_BYTES_MAX: Final = 512 * KIB
"""The child process that decodes keyframes: one at a time, killed and restarted when over."""

assert RTMP_UNTRUSTED_MESSAGE_BYTES_MAX < RTMP_MESSAGE_BYTES_MAX
assert SEGMENT_BYTES_MAX < BROADCAST_BYTES_MAX
