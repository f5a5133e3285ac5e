"""Frames → epochs, parts and segments. A pure state machine: no clock, no I/O; the same frames in
give the same parts out.

Every cut is decided on samples: a frame is held until the next one arrives, so its duration is
exact. Video leads (audio, where there is none): it decides the cuts, and the audio that begins
before a part's end goes with it. Audio time is counted in samples, not in RTMP milliseconds.

An *epoch* is a run of continuous time with one set of codec configurations. A new one begins when
the publisher returns, when a configuration changes and when timestamps jump; players see it as a
DISCONTINUITY. What belongs to no finished part is dropped there: a tail without its audio leaves
players stuck.

    collecting ── both tracks, a keyframe, the first group of pictures ──▶ running
        ▲                                                                    │
        └──────────── interrupt(), changed configuration, time jump ─────────┘
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from statistics import median_low

from mediaserver.kernel import limits
from mediaserver.media.frames import AudioConfig, Frame, Kind, Unsupported, VideoConfig
from mediaserver.media.parts import VIDEO_TIMESCALE, Epoch, FreshSample, Output, Preset, Timing
from mediaserver.media.running_epoch import RunningEpoch, TimedFrame

_WRAP = 1 << 32
_HALF_WRAP = 1 << 31
_NEAR_MS = 60_000


class Packager:
    """Push configurations and frames in the order they came; take what is finished."""

    def __init__(self, preset: Preset) -> None:
        self._preset = preset

        self.timing: Timing | None = None
        self.keyframe_interval_ms = 0
        self._video: VideoConfig | None = None
        self._audio: AudioConfig | None = None
        self._waiting: list[TimedFrame] = []
        self._waiting_bytes = 0
        self._run: RunningEpoch | None = None
        self._fresh: deque[FreshSample] = deque(maxlen=limits.PENDING_FRAMES_MAX)
        self._time = _Unwrapper()
        self._renew_at_keyframe = False
        self._keyframe_ms: int | None = None
        self._video_arrival_ms = 0
        self._wall_end_ms = 0
        self._last_ms: dict[Kind, int] = {}
        self._frame_ticks = 0
        self._epochs = 0
        self._msn = 1

    def configure(self, config: VideoConfig | AudioConfig) -> list[Output]:
        """A track's configuration: known ones are repeated by encoders and change nothing."""
        if isinstance(config, VideoConfig):
            if config == self._video:
                return []
            changed = self._run is not None and self._run.epoch.video is not None
            self._video = config
        else:
            if config == self._audio:
                return []
            changed = self._run is not None and self._run.epoch.audio is not None
            self._audio = config
        return self._end_epoch() if changed else []

    def push(self, frame: Frame, arrival_ms: int) -> list[Output]:
        """A frame of a configured track; `arrival_ms` is the time of day.

        Frames without a configuration are dropped. Raises `Unsupported` when the stream can't be
        packaged at all.
        """
        if (self._video if frame.kind is Kind.VIDEO else self._audio) is None:
            return []
        timed = TimedFrame(frame, self._time.unwrap(frame.timestamp_ms), arrival_ms)
        outputs: list[Output] = []
        if self._is_astray(timed):
            return []
        if self._is_jump(timed):
            outputs += self._end_epoch()
        self._last_ms[frame.kind] = timed.ms
        if frame.kind is Kind.VIDEO:
            self._video_arrival_ms = arrival_ms
            self._watch_keyframes(timed)
        if self._run is not None and self._must_renew(frame):
            outputs += self._run.push(timed)  # it tells how long the picture before it stood
            outputs += self._end_epoch()
            self._last_ms[frame.kind] = timed.ms
        if self._run is not None:
            outputs += self._run.push(timed)
        else:
            outputs += self._collect(timed)
        return outputs

    def take_fresh(self) -> list[FreshSample]:
        """The samples of the running epoch that came since the last call, in order of arrival."""
        fresh = list(self._fresh)
        self._fresh.clear()
        return fresh

    def pause(self) -> list[Output]:
        """The publisher is silent: drop what is unfinished. It may go on where it stopped, without
        its configurations."""
        return self._end_epoch()

    def interrupt(self) -> list[Output]:
        """The publisher is gone: drop what is unfinished, forget its tracks and its time."""
        outputs = self._end_epoch()
        self._video = self._audio = None
        self._time = _Unwrapper()
        return outputs

    def discard(self, msn: int) -> None:
        """What was made last came to nothing: forget the publisher and go on with segment `msn`."""
        self.interrupt()
        self._msn = msn

    # Time ---------------------------------------------------------------------------------------

    @property
    def _newest_ms(self) -> int:
        return max(self._last_ms.values(), default=0)

    def _is_astray(self, timed: TimedFrame) -> bool:
        """Sound far ahead of a picture that still moves: its clock is wrong, or about to follow."""
        return (
            timed.frame.kind is Kind.AUDIO
            and self._is_ahead_of_video(timed)
            and timed.arrival_ms - self._video_arrival_ms <= limits.TIMESTAMP_FORWARD_MS_MAX
        )

    def _is_ahead_of_video(self, timed: TimedFrame) -> bool:
        video_ms = self._last_ms.get(Kind.VIDEO)
        return video_ms is not None and timed.ms - video_ms > limits.TIMESTAMP_FORWARD_MS_MAX

    def _is_jump(self, timed: TimedFrame) -> bool:
        """The leading track decides; sound also, once the picture has stopped."""
        if timed.frame.kind is Kind.AUDIO and Kind.VIDEO in self._last_ms:
            return self._is_ahead_of_video(timed)
        last_ms = self._last_ms.get(timed.frame.kind)
        return last_ms is not None and not (
            -limits.TIMESTAMP_BACKWARD_MS_MAX
            <= timed.ms - last_ms
            <= limits.TIMESTAMP_FORWARD_MS_MAX
        )

    def _watch_keyframes(self, timed: TimedFrame) -> None:
        if self._keyframe_ms is None:
            self._keyframe_ms = timed.ms
        waited = timed.ms - self._keyframe_ms
        if timed.frame.keyframe:
            self.keyframe_interval_ms = waited
            self._keyframe_ms = timed.ms
        elif waited > limits.KEYFRAME_WAIT_MS_MAX:
            raise Unsupported(
                f"No keyframe for {waited // 1000} s, so nobody can join. "
                "Set the keyframe interval to 2 s."
            )

    # Epochs -------------------------------------------------------------------------------------

    def _must_renew(self, frame: Frame) -> bool:
        """A track that was missing has come: begin anew with it, at a keyframe."""
        assert self._run is not None
        epoch = self._run.epoch
        if frame.kind is Kind.VIDEO:
            if epoch.video is None:
                return frame.keyframe
            return self._renew_at_keyframe and frame.keyframe
        if epoch.audio is None:
            self._renew_at_keyframe = True
        return False

    def _end_epoch(self) -> list[Output]:
        outputs: list[Output] = []
        if self._run is not None:
            outputs = self._run.end()
            self._msn = self._run.msn
            self._wall_end_ms = self._run.wall_end_ms
        self._run = None
        self._waiting = []
        self._waiting_bytes = 0
        self._last_ms = {}
        self._keyframe_ms = None
        self._renew_at_keyframe = False
        return outputs

    def _collect(self, timed: TimedFrame) -> list[Output]:
        frame = timed.frame
        has_video = any(one.frame.kind is Kind.VIDEO for one in self._waiting)
        if frame.kind is Kind.VIDEO and not has_video and not frame.keyframe:
            return []
        self._waiting.append(timed)
        self._waiting_bytes += len(frame.data)
        if (
            len(self._waiting) > limits.PENDING_FRAMES_MAX
            or self._waiting_bytes > limits.PENDING_BYTES_MAX
        ):
            raise Unsupported("The stream doesn't begin: too many frames before it can be cut.")
        return self._start() if self._is_ready() else []

    def _is_ready(self) -> bool:
        video = [one for one in self._waiting if one.frame.kind is Kind.VIDEO]
        audio = [one for one in self._waiting if one.frame.kind is Kind.AUDIO]
        span = self._newest_ms - self._waiting[0].ms
        if video and audio:
            enough_tracks = True
        elif audio and Kind.VIDEO in self._last_ms:
            enough_tracks = False  # video is there and waits for its keyframe
        else:
            enough_tracks = span >= limits.TRACK_WAIT_MS
        if not enough_tracks or len(video or audio) < 2:
            return False
        if self.timing is not None or not video:
            return True
        keyframes = sum(one.frame.keyframe for one in video)
        measured_ms = video[-1].ms - video[0].ms
        return (
            keyframes > 1 and measured_ms >= limits.FRAME_RATE_WAIT_MS
        ) or measured_ms >= limits.FIRST_GOP_WAIT_MS

    def _start(self) -> list[Output]:
        waiting, self._waiting, self._waiting_bytes = self._waiting, [], 0
        video = [one for one in waiting if one.frame.kind is Kind.VIDEO]
        audio = [one for one in waiting if one.frame.kind is Kind.AUDIO]
        leading = video or audio
        timescale = VIDEO_TIMESCALE
        audio_config = self._audio if audio else None
        if not video:
            assert audio_config is not None
            timescale = audio_config.sample_rate
            frame_ticks = max(1, audio_config.samples(audio[0].frame.data))
        else:
            steps = [max(1, b.ms - a.ms) for a, b in pairwise(video)]
            mean_ms = (video[-1].ms - video[0].ms) / len(steps)
            typical_ms: float = median_low(steps)
            # Milliseconds round 60 frames a second to 16 and 17: the mean is finer, where steady.
            if abs(mean_ms - typical_ms) < 1:
                typical_ms = mean_ms
            frame_ticks = max(1, round(typical_ms * VIDEO_TIMESCALE / 1000))
            # A later epoch starts with few frames, which tell no more than whole milliseconds.
            if abs(frame_ticks - self._frame_ticks) < VIDEO_TIMESCALE // 1000:
                frame_ticks = self._frame_ticks
            self._frame_ticks = frame_ticks
        if self.timing is None:
            keyframes = [one.ms for one in video if one.frame.keyframe]
            gop_ms = keyframes[1] - keyframes[0] if len(keyframes) > 1 else None
            self.timing = _timing(self._preset, frame_ticks * 1000 / timescale, gop_ms, bool(video))
        epoch = Epoch(
            number=self._epochs,
            video=self._video if video else None,
            audio=audio_config,
            timescale=timescale,
            timing=self.timing,
            frame_rate=VIDEO_TIMESCALE / frame_ticks if video else None,
            template_frames=tuple(one.frame for track in (video, audio) for one in track[:1]),
        )
        self._epochs += 1
        first = leading[0]
        base_ms = first.ms + (first.frame.composition_ms if video else 0)
        # What came before may have been sent faster than real time: time of day never goes back.
        start_wall_ms = max(first.arrival_ms, self._wall_end_ms)
        self._run = RunningEpoch(epoch, base_ms, start_wall_ms, self._msn, frame_ticks, self._fresh)
        outputs: list[Output] = [epoch]
        for one in waiting:
            outputs += self._run.push(one)
        return outputs


class _Unwrapper:
    """32-bit milliseconds that wrap, of senders that use 31 or 32 bits, to a line."""

    def __init__(self) -> None:
        self._last: int | None = None

    def unwrap(self, timestamp_ms: int) -> int:
        if self._last is None:
            self._last = timestamp_ms
            return timestamp_ms
        step = (timestamp_ms - self._last + _HALF_WRAP) % _WRAP - _HALF_WRAP
        # A step of nearly half the range is a sender that counts in 31 bits and went round, or
        # one that has gone round and steps back a little, as tracks do that are out of step.
        if step < _NEAR_MS - _HALF_WRAP:
            step += _HALF_WRAP
        elif step >= _HALF_WRAP - _NEAR_MS:
            step -= _HALF_WRAP
        self._last += step
        return self._last


def _timing(preset: Preset, frame_ms: float, gop_ms: int | None, has_video: bool) -> Timing:
    """The longest part that whole frames fill to 85 % (rfc8216bis §4.4.4.9), with room for
    jitter of half a frame; segments long enough for the encoder's group of pictures."""
    frames = max(1, int(preset.part_ms / frame_ms + 0.5))
    part_target_ms = min((frames + 0.5) * frame_ms, frames * frame_ms / 0.86)
    if preset.lists_parts:
        fits = not has_video or (gop_ms is not None and gop_ms <= 6_000)
        target_s = 6 if fits else 10
    elif has_video:
        target_s = min(max(-(-gop_ms // 1000), 2), 10) if gop_ms is not None else 10
    else:
        target_s = 2
    return Timing(int(part_target_ms) + 1, target_s)
