"""Initialisation segments and parts as bytes: fragmented MP4, muxed by PyAV.

Each part is muxed in a fresh container, so FFmpeg decides nothing: not the cut (with
`frag_duration` it cuts on whichever track crosses first), not the times (`use_editlist=0`,
`avoid_negative_ts=disabled`, every packet's duration is set). The tracks' parameters come from
opening a tiny FLV with the sequence headers and first frames, since `add_mux_stream` can't carry
extradata; that covers the codecs of Enhanced RTMP too.
"""

from __future__ import annotations

import io
from fractions import Fraction

import av
from av.error import FFmpegError
from av.stream import Stream

from mediaserver.media.frames import (
    AudioCodec,
    AudioConfig,
    Frame,
    Kind,
    Unsupported,
    VideoCodec,
    VideoConfig,
)
from mediaserver.media.parts import VIDEO_TIMESCALE, Epoch, Part, Sample

_OPTIONS = {
    "movflags": "empty_moov+default_base_moof+frag_custom+frag_discont+skip_trailer",
    "use_editlist": "0",
    "avoid_negative_ts": "disabled",
}
_UNREADABLE = "The stream's first frames can't be read."


class Muxer:
    """Makes the bytes of one epoch. Raises `Unsupported` when FFmpeg can't make sense of it."""

    def __init__(self, epoch: Epoch) -> None:
        self._epoch = epoch

        flv = _flv(epoch.video, epoch.audio, epoch.template_frames)
        try:
            self._source = av.open(io.BytesIO(flv), "r", format="flv")
        except FFmpegError as error:
            raise Unsupported(_UNREADABLE) from error
        streams = self._source.streams
        if len(streams.video) < bool(epoch.video) or len(streams.audio) < bool(epoch.audio):
            raise Unsupported(_UNREADABLE)
        self._video = streams.video[0] if epoch.video is not None else None
        self._audio = streams.audio[0] if epoch.audio is not None else None
        self._is_hevc = epoch.video is not None and epoch.video.codec is VideoCodec.HEVC
        self.width = self._video.width if self._video is not None else None
        self.height = self._video.height if self._video is not None else None
        try:
            self.init = self._mux((), (), 1)[0]
        except FFmpegError as error:
            raise Unsupported(_UNREADABLE) from error

    def part(self, part: Part, sequence: int) -> bytes:
        """`moof` and `mdat` of a part. `sequence` counts the fragments of a playlist from 1."""
        return self.fragment(part.video, part.audio, sequence)

    def fragment(
        self, video: tuple[Sample, ...], audio: tuple[Sample, ...], sequence: int
    ) -> bytes:
        """`moof` and `mdat` of a few samples; otherwise as `part`."""
        try:
            return self._mux(video, audio, sequence)[1]
        except FFmpegError as error:
            raise Unsupported("The stream has frames that can't be put into MP4.") from error

    def close(self) -> None:
        self._source.close()

    def _mux(
        self, video: tuple[Sample, ...], audio: tuple[Sample, ...], sequence: int
    ) -> tuple[bytes, bytes]:
        """Header (`ftyp`, `moov`) and fragment (`moof`, `mdat`; empty without samples)."""
        buffer = io.BytesIO()
        options = {**_OPTIONS, "fragment_index": str(sequence)}
        with av.open(buffer, "w", format="mp4", options=options) as container:
            stream: Stream
            tracks: list[tuple[Stream, Fraction, tuple[Sample, ...]]] = []
            for template, timescale, samples in (
                (self._video, VIDEO_TIMESCALE, video),
                (self._audio, self._epoch.audio.sample_rate if self._epoch.audio else 1, audio),
            ):
                if template is not None:
                    # Opaque: copied as it is, without looking for an encoder of its codec.
                    stream = container.add_stream_from_template(template, opaque=True)
                    stream.time_base = Fraction(1, timescale)
                    if template is self._video and self._is_hevc:
                        stream.codec_context.codec_tag = "hvc1"  # FFmpeg's own choice is hev1
                    tracks.append((stream, stream.time_base, samples))
            container.start_encoding()
            header_bytes = buffer.tell()
            for stream, time_base, samples in tracks:
                for sample in samples:
                    packet = av.Packet(sample.data)
                    packet.stream = stream
                    packet.time_base = time_base
                    packet.dts = sample.dts
                    packet.pts = sample.dts + sample.composition
                    packet.duration = sample.duration
                    packet.is_keyframe = sample.keyframe
                    container.mux(packet)
        made = buffer.getbuffer()
        return bytes(made[:header_bytes]), bytes(made[header_bytes:])


def _flv(video: VideoConfig | None, audio: AudioConfig | None, frames: tuple[Frame, ...]) -> bytes:
    """A tiny FLV file with the tracks' headers and first frames (FLV 10.1, annex E.2 and E.3)."""
    flags = (0x04 if audio is not None else 0) | (0x01 if video is not None else 0)
    out = bytearray(b"FLV\x01" + bytes((flags,)) + b"\x00\x00\x00\x09\x00\x00\x00\x00")
    if video is not None:
        _add_tag(out, 9, _video_body(video.codec, None, video.record))
    if audio is not None:
        _add_tag(out, 8, _audio_body(audio.codec, True, audio.record))
    for frame in frames:
        if frame.kind is Kind.VIDEO and video is not None:
            _add_tag(out, 9, _video_body(video.codec, frame, frame.data))
        elif frame.kind is Kind.AUDIO and audio is not None:
            _add_tag(out, 8, _audio_body(audio.codec, False, frame.data))
    return bytes(out)


def _add_tag(out: bytearray, tag_type: int, body: bytes) -> None:
    # Template times don't matter: only the codec parameters are taken.
    out += bytes((tag_type,)) + len(body).to_bytes(3, "big") + bytes(7) + body
    out += (len(body) + 11).to_bytes(4, "big")


def _video_body(codec: VideoCodec, frame: Frame | None, data: bytes) -> bytes:
    frame_type = 1 if frame is None or frame.keyframe else 2
    if codec is VideoCodec.H264:
        packet_type = b"\x00" if frame is None else b"\x01"
        return bytes((frame_type << 4 | 7,)) + packet_type + bytes(3) + data
    packet_type_ex = 0 if frame is None else 3 if codec is VideoCodec.HEVC else 1
    return bytes((0x80 | frame_type << 4 | packet_type_ex,)) + codec.value.encode() + data


def _audio_body(codec: AudioCodec, is_record: bool, data: bytes) -> bytes:
    if codec is AudioCodec.AAC:
        return (b"\xaf\x00" if is_record else b"\xaf\x01") + data
    return bytes((0x90 | (0 if is_record else 1),)) + codec.value.encode() + data
