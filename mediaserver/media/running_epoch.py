"""One epoch at work: its frames become samples, and samples become parts and segments.

Made and fed by media/packager.py, which decides when an epoch begins and ends. It holds the last
frame until its duration is known, the open part, and parts that wait for their sound.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, takewhile

from mediaserver.kernel import limits
from mediaserver.media.frames import AudioConfig, Frame, Kind, Unsupported
from mediaserver.media.parts import (
    EPOCH_BASE_S,
    VIDEO_TIMESCALE,
    Epoch,
    FreshSample,
    Output,
    Part,
    Sample,
    SegmentEnd,
)


@dataclass(frozen=True, slots=True)
class TimedFrame:
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


class RunningEpoch:
    """Push its frames in order; take what each one finishes."""

    def __init__(
        self,
        epoch: Epoch,
        base_ms: int,
        start_wall_ms: int,
        msn: int,
        frame_ticks: int,
        fresh: deque[FreshSample],
    ) -> None:
        self.epoch = epoch
        self.msn = msn
        self.wall_end_ms = start_wall_ms
        self._base_ms = base_ms
        self._start_wall_ms = start_wall_ms
        self._frame_ticks = frame_ticks
        self._fresh = fresh
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
        self._arrival_ms = start_wall_ms
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

    def push(self, timed: TimedFrame) -> Iterator[Output]:
        self._take_out_pause(timed.ms)
        self._arrival_ms = timed.arrival_ms
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

    def _push_video(self, timed: TimedFrame) -> None:
        frame = timed.frame
        dts = self._base + (timed.ms - self._base_ms) * (VIDEO_TIMESCALE // 1000)
        dts -= self._removed_ticks
        if self._held is None:
            self._held = dts, frame
            self._start = self._first_start = self._segment_start = dts
            self._tell(Kind.VIDEO, Sample(dts, self._frame_ticks, *_told(frame)))
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
        self._tell(Kind.VIDEO, Sample(dts, self._frame_ticks, *_told(frame)))
        self._append(
            Sample(held_dts, dts - held_dts, *_told(held)), next_is_keyframe=frame.keyframe
        )

    def _tell(self, kind: Kind, sample: Sample) -> None:
        self._fresh.append(FreshSample(self.epoch.number, kind, sample, self._arrival_ms))

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

    def _push_audio(self, timed: TimedFrame, config: AudioConfig) -> None:
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
        self._tell(Kind.AUDIO, sample)
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


def _told(frame: Frame) -> tuple[int, bool, bytes]:
    """What a picture's frame itself says of its sample: composition, keyframe, data."""
    composition = max(0, frame.composition_ms) * (VIDEO_TIMESCALE // 1000)
    return composition, frame.keyframe, frame.data
