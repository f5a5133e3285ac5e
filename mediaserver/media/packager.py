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
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise, takewhile
from statistics import median_low
from typing import Literal, TypeAlias

from mediaserver.kernel import limits
from mediaserver.media.frames import AudioConfig, Frame, Kind, Unsupported, VideoConfig

VIDEO_TIMESCALE = 90_000
EPOCH_BASE_S = 10
"""Media time at which each epoch begins: room for frames that are decoded before they are shown."""

_WRAP = 1 << 32
_HALF_WRAP = 1 << 31
_NEAR_MS = 60_000


@dataclass(frozen=True, slots=True)
class Preset:
    """What the operator chose: `part_ms` is the wish, the encoder's frame rate decides."""

    name: Literal["lan", "low", "normal"]
    part_ms: int
    lists_parts: bool


PRESETS = {
    "lan": Preset("lan", 200, True),
    "low": Preset("low", 500, True),
    "normal": Preset("normal", 1000, False),
}


@dataclass(frozen=True, slots=True)
class Timing:
    """Frozen with the first epoch, for the whole life of a playlist: players depend on it."""

    part_target_ms: int
    target_duration_s: int


@dataclass(frozen=True, slots=True)
class Sample:
    """A frame in its track's time: 90,000 a second for video, the sample rate for audio."""

    dts: int
    duration: int
    composition: int
    keyframe: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Epoch:
    """`timescale` counts `Part.start` and `Part.duration`. `template_frames` are first frames for
    the muxer to learn the tracks from."""

    number: int
    video: VideoConfig | None
    audio: AudioConfig | None
    timescale: int
    timing: Timing
    frame_rate: float | None
    template_frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A finished part. `msn` counts segments from 1, `index` parts in their segment from 0.
    `wall_ms` is the time of day at its start."""

    epoch: int
    msn: int
    index: int
    start: int
    duration: int
    wall_ms: int
    independent: bool
    video: tuple[Sample, ...]
    audio: tuple[Sample, ...]


@dataclass(frozen=True, slots=True)
class SegmentEnd:
    """The segment `msn` has all its parts."""

    msn: int


Output: TypeAlias = Epoch | Part | SegmentEnd


@dataclass(frozen=True, slots=True)
class _Timed:
    """A frame with its time unwrapped to a line that never goes round."""

    frame: Frame
    ms: int
    arrival_ms: int


@dataclass(frozen=True, slots=True)
class _Cut:
    """A part that has its video and waits for its audio. One without length ends a segment."""

    start: int
    end: int
    ends_segment: bool
    video: tuple[Sample, ...]


class Packager:
    """Push configurations and frames in the order they came; take what is finished."""

    def __init__(self, preset: Preset) -> None:
        self._preset = preset

        self.timing: Timing | None = None
        self.keyframe_interval_ms = 0
        self._video: VideoConfig | None = None
        self._audio: AudioConfig | None = None
        self._waiting: list[_Timed] = []
        self._waiting_bytes = 0
        self._run: _Run | None = None
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
        timed = _Timed(frame, self._time.unwrap(frame.timestamp_ms), arrival_ms)
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

    def _is_astray(self, timed: _Timed) -> bool:
        """Sound far ahead of a picture that still moves: its clock is wrong, or about to follow."""
        return (
            timed.frame.kind is Kind.AUDIO
            and self._is_ahead_of_video(timed)
            and timed.arrival_ms - self._video_arrival_ms <= limits.TIMESTAMP_FORWARD_MS_MAX
        )

    def _is_ahead_of_video(self, timed: _Timed) -> bool:
        video_ms = self._last_ms.get(Kind.VIDEO)
        return video_ms is not None and timed.ms - video_ms > limits.TIMESTAMP_FORWARD_MS_MAX

    def _is_jump(self, timed: _Timed) -> bool:
        """The leading track decides; sound also, once the picture has stopped."""
        if timed.frame.kind is Kind.AUDIO and Kind.VIDEO in self._last_ms:
            return self._is_ahead_of_video(timed)
        last_ms = self._last_ms.get(timed.frame.kind)
        return last_ms is not None and not (
            -limits.TIMESTAMP_BACKWARD_MS_MAX
            <= timed.ms - last_ms
            <= limits.TIMESTAMP_FORWARD_MS_MAX
        )

    def _watch_keyframes(self, timed: _Timed) -> None:
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

    def _collect(self, timed: _Timed) -> list[Output]:
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
        self._run = _Run(epoch, base_ms, start_wall_ms, self._msn, frame_ticks)
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


class _Run:
    """One epoch at work: holds the last frame, the open part, and parts that wait for audio."""

    def __init__(
        self, epoch: Epoch, base_ms: int, start_wall_ms: int, msn: int, frame_ticks: int
    ) -> None:
        self.epoch = epoch
        self.msn = msn
        self.wall_end_ms = start_wall_ms
        self._base_ms = base_ms
        self._start_wall_ms = start_wall_ms
        self._frame_ticks = frame_ticks
        self._scale = epoch.timescale
        self._part_ticks_max = epoch.timing.part_target_ms * self._scale // 1000
        # EXTINF is rounded to whole seconds before it is held against the target (§4.4.3.1).
        self._segment_ticks_max = (epoch.timing.target_duration_s * 100 + 45) * self._scale // 100
        self._segment_ticks_min = limits.SEGMENT_DURATION_MS_MIN * self._scale // 1000
        self._base = EPOCH_BASE_S * self._scale
        self._frame_ms = frame_ticks * 1000 // self._scale
        # Sound lies up to the drift beside its time: a pause this long may leave a part empty.
        self._pause_ms_max = epoch.timing.part_target_ms - limits.AUDIO_DRIFT_MS_MAX

        self._newest_ms: int | None = None
        self._held: tuple[int, Frame] | None = None
        self._removed_ticks = 0
        self._samples: list[Sample] = []
        self._start: int | None = None
        self._first_start = 0
        self._segment_start = 0
        self._cuts: deque[_Cut] = deque()
        self._sounds: deque[Sample] = deque()
        self._sound_end = EPOCH_BASE_S * epoch.audio.sample_rate if epoch.audio else 0
        self._sounds_begun = False
        self._part_index = 0
        self._pending_frames = 0
        self._pending_bytes = 0

    def push(self, timed: _Timed) -> Iterator[Output]:
        self._take_out_pause(timed.ms)
        if timed.frame.kind is Kind.VIDEO:
            if self.epoch.video is not None:
                self._push_video(timed)
        elif self.epoch.audio is not None:
            self._push_audio(timed, self.epoch.audio)
        yield from self._finished_parts()
        if (
            self._pending_frames > limits.PENDING_FRAMES_MAX
            or self._pending_bytes > limits.PENDING_BYTES_MAX
        ):
            raise Unsupported("The stream's clock stands still: too many frames for one moment.")

    def end(self) -> list[Output]:
        """Drop what is unfinished and close the open segment, if it has a part."""
        if not self._part_index:
            return []
        self.msn += 1
        return [SegmentEnd(self.msn - 1)]

    def _take_out_pause(self, ms: int) -> None:
        """Both tracks paused and no silence fits: nothing could fill the parts between, so the
        pause goes."""
        newest_ms = ms if self._newest_ms is None else self._newest_ms
        self._newest_ms = max(newest_ms, ms)
        video, audio = self.epoch.video, self.epoch.audio
        if video is None or audio is None or audio.silence() is not None:
            return
        if ms - newest_ms > self._pause_ms_max:
            self._base_ms += max(0, ms - newest_ms - self._frame_ms)

    # Video --------------------------------------------------------------------------------------

    def _push_video(self, timed: _Timed) -> None:
        frame = timed.frame
        dts = self._base + (timed.ms - self._base_ms) * (VIDEO_TIMESCALE // 1000)
        dts -= self._removed_ticks
        if self._held is None:
            self._held = dts, frame
            self._start = self._first_start = self._segment_start = dts
            return
        held_dts, held = self._held
        self._pending_frames += 1
        self._pending_bytes += len(held.data)
        dts = max(dts, held_dts + 1)
        if self.epoch.audio is None and dts - held_dts > self._part_ticks_max:
            # A pause that no sound fills: taken out, as no part may be longer than the target.
            self._removed_ticks += dts - held_dts - self._frame_ticks
            dts = held_dts + self._frame_ticks
        self._held = dts, frame
        self._append(
            Sample(held_dts, dts - held_dts, _ticks(held), held.keyframe, held.data),
            next_is_keyframe=frame.keyframe,
        )

    def _append(self, sample: Sample, *, next_is_keyframe: bool) -> None:
        """Take a sample of the leading track, and cut where the next one could not follow."""
        assert self._start is not None
        end = sample.dts + sample.duration
        if self._samples and end - self._start > self._part_ticks_max:
            self._cut(sample.dts)
        self._samples.append(sample)
        while end - self._start > self._part_ticks_max:
            # One picture stands longer than a part: the parts it spans carry sound alone.
            self._cut(self._start + self._part_ticks_max)
        segment_ticks = end - self._segment_start
        ends_segment = (next_is_keyframe and segment_ticks >= self._segment_ticks_min) or (
            segment_ticks + self._frame_ticks > self._segment_ticks_max
        )
        if ends_segment or end - self._start + self._frame_ticks > self._part_ticks_max:
            self._cut(end, ends_segment=ends_segment)

    def _cut(self, end: int, *, ends_segment: bool = False) -> None:
        assert self._start is not None
        if end - self._segment_start > self._segment_ticks_max:
            # A long frame came where none was expected: the segment had to end before this part.
            self._cuts.append(_Cut(self._start, self._start, True, ()))
            self._segment_start = self._start
        if self._start < end:
            self._cuts.append(_Cut(self._start, end, ends_segment, tuple(self._samples)))
            self._samples = []
            self._start = end
        if ends_segment:
            self._segment_start = end

    # Audio --------------------------------------------------------------------------------------

    def _push_audio(self, timed: _Timed, config: AudioConfig) -> None:
        rate = config.sample_rate
        samples = config.samples(timed.frame.data)
        if samples <= 0:
            return
        at = EPOCH_BASE_S * rate + (timed.ms - self._base_ms) * rate // 1000
        if not self._sounds_begun:
            if at + samples // 2 < self._sound_end:
                return  # before the first picture
            self._sounds_begun = True
            if self.epoch.video is None:
                at = self._sound_end
            else:
                self._fill_sound(at, config)
        drift_max = limits.AUDIO_DRIFT_MS_MAX * rate // 1000
        drift = at - self._sound_end
        if drift < -drift_max:
            return  # sent twice, or its place is filled already
        if drift > drift_max:
            if self.epoch.video is None and config.silence() is None:
                self._base_ms += drift * 1000 // rate  # taken out, like a pause of a mute picture
            else:
                self._fill_sound(at, config)
        self._add_sound(Sample(self._sound_end, samples, 0, True, timed.frame.data))

    def _add_sound(self, sample: Sample) -> None:
        self._sound_end = sample.dts + sample.duration
        self._pending_frames += 1
        self._pending_bytes += len(sample.data)
        if self.epoch.video is not None:
            self._sounds.append(sample)
            return
        if self._start is None:
            self._start = self._first_start = self._segment_start = sample.dts
        # Every frame of sound is a keyframe, so a segment ends where a part does.
        self._append(sample, next_is_keyframe=False)
        if not self._samples and self._start - self._segment_start >= self._segment_ticks_min:
            self._end_audio_segment()

    def _end_audio_segment(self) -> None:
        assert self._start is not None
        last = self._cuts.pop()
        self._cuts.append(_Cut(last.start, last.end, True, last.video))
        self._segment_start = self._start

    def _fill_sound(self, until: int, config: AudioConfig) -> None:
        """Bridge a gap with silence: a hole in the sound would stop players."""
        silence = config.silence()
        samples = config.samples(silence) if silence is not None else 0
        if silence is None or samples <= 0:
            self._sound_end = max(self._sound_end, until)
            return
        while self._sound_end + samples // 2 < until:
            self._add_sound(Sample(self._sound_end, samples, 0, True, silence))

    # Parts --------------------------------------------------------------------------------------

    def _finished_parts(self) -> Iterator[Output]:
        audio = self.epoch.audio if self.epoch.video is not None else None
        while self._cuts:
            cut = self._cuts[0]
            sounds: tuple[Sample, ...] = ()
            if audio is not None and cut.start < cut.end:
                sound_until = self._in_sound(cut.end)
                if self._sound_end < sound_until:
                    assert self._held is not None
                    if self._held[0] - cut.end <= self._part_ticks_max:
                        return
                    self._fill_sound(sound_until, audio)
                sounds = self._take_sounds(cut)
            self._cuts.popleft()
            yield from self._finish(cut, sounds)

    def _take_sounds(self, cut: _Cut) -> tuple[Sample, ...]:
        """The sound that begins before the end of `cut`. Its last frame is left to the next part
        where that one may get neither picture nor sound: a part is never empty."""
        until = self._in_sound(cut.end)
        count = sum(1 for _ in takewhile(lambda sound: sound.dts < until, self._sounds))
        following = next((one for one in islice(self._cuts, 1, None) if one.start < one.end), None)
        if following is not None and not following.video and count > (0 if cut.video else 1):
            later = islice(self._sounds, count, count + 1)
            if not any(sound.dts < self._in_sound(following.end) for sound in later):
                count -= 1
        return tuple(self._sounds.popleft() for _ in range(count))

    def _in_sound(self, ticks: int) -> int:
        """A time of the picture in samples of the sound, rounded up."""
        assert self.epoch.audio is not None
        return -(-ticks * self.epoch.audio.sample_rate // self._scale)

    def _finish(self, cut: _Cut, sounds: tuple[Sample, ...]) -> Iterator[Output]:
        leading = self.epoch.video is not None
        self._pending_frames -= len(cut.video) + len(sounds)
        self._pending_bytes -= sum(len(sample.data) for sample in (*cut.video, *sounds))
        if cut.start < cut.end:
            self.wall_end_ms = self._wall_ms(cut.end)
            yield Part(
                epoch=self.epoch.number,
                msn=self.msn,
                index=self._part_index,
                start=cut.start,
                duration=cut.end - cut.start,
                wall_ms=self._wall_ms(cut.start),
                independent=any(sample.keyframe for sample in cut.video),
                video=cut.video if leading else (),
                audio=sounds if leading else cut.video,
            )
            self._part_index += 1
        if cut.ends_segment:
            yield SegmentEnd(self.msn)
            self.msn += 1
            self._part_index = 0

    def _wall_ms(self, ticks: int) -> int:
        return self._start_wall_ms + (ticks - self._first_start) * 1000 // self._scale


def _ticks(frame: Frame) -> int:
    return max(0, frame.composition_ms) * (VIDEO_TIMESCALE // 1000)
