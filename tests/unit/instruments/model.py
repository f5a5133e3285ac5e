"""A right LL-HLS stream, made by hand: the input from which the tests break one thing at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

PART_TARGET = Decimal("0.51667")
TARGET_DURATION = 2
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class ModelSegment:
    msn: int
    parts: list[tuple[Decimal, bool]]
    started_at: datetime
    epoch: int
    discontinuity: bool
    closed: bool = False

    @property
    def duration(self) -> Decimal:
        return sum((duration for duration, _ in self.parts), Decimal(0))


@dataclass
class ModelStream:
    """Appends parts, closes segments, drops old ones and prints itself as a playlist.

    Media time is exact; everything a player may see follows the rules of the checklist.
    """

    low_latency: bool = True
    listed_max: int = 6
    segments: list[ModelSegment] = field(default_factory=list)
    next_msn: int = 1
    epoch: int = 0
    discontinuity_sequence: int = 0
    ended: bool = False
    now: datetime = START
    begins_epoch: bool = False

    def part(self, duration: str = "0.50000", *, independent: bool = False) -> None:
        length = Decimal(duration)
        if not self.segments or self.segments[-1].closed:
            self.segments.append(
                ModelSegment(self.next_msn, [], self.now, self.epoch, self.begins_epoch)
            )
            self.next_msn += 1
            self.begins_epoch = False
        self.segments[-1].parts.append((length, independent))
        self.now += timedelta(microseconds=int(length * 1_000_000))

    def close(self) -> None:
        self.segments[-1].closed = True
        full = [segment for segment in self.segments if segment.closed]
        if len(full) > self.listed_max:
            gone = self.segments.pop(0)
            self.discontinuity_sequence += gone.discontinuity

    def segment(self, parts: int = 4) -> None:
        for index in range(parts):
            self.part(independent=index == 0)
        self.close()

    def restart(self, gap_s: int = 3) -> None:
        """The encoder came back: new epoch, new init."""
        if self.segments and not self.segments[-1].closed:
            self.close()
        self.epoch += 1
        self.now += timedelta(seconds=gap_s)
        self.begins_epoch = True

    def end(self) -> None:
        if self.segments and not self.segments[-1].closed:
            self.close()
        self.ended = True

    def part_uri(self, msn: int, index: int) -> str:
        return f"s/{msn}.{index}.m4s"

    def text(self) -> str:
        lines = ["#EXTM3U", "#EXT-X-VERSION:6", f"#EXT-X-TARGETDURATION:{TARGET_DURATION}"]
        if self.low_latency:
            lines += [
                "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.55001",
                f"#EXT-X-PART-INF:PART-TARGET={PART_TARGET}",
            ]
        first = self.segments[0].msn if self.segments else self.next_msn
        lines += [
            f"#EXT-X-MEDIA-SEQUENCE:{first}",
            f"#EXT-X-DISCONTINUITY-SEQUENCE:{self.discontinuity_sequence}",
        ]
        epoch = None
        for position, segment in enumerate(self.segments):
            if segment.discontinuity:
                lines.append("#EXT-X-DISCONTINUITY")
            if segment.epoch != epoch:
                lines.append(f'#EXT-X-MAP:URI="s/init{segment.epoch}.mp4"')
                epoch = segment.epoch
            stamp = segment.started_at.isoformat(timespec="milliseconds")
            lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{stamp.replace('+00:00', 'Z')}")
            behind = sum((s.duration for s in self.segments[position + 1 :]), Decimal(0))
            if self.low_latency and behind <= 3 * TARGET_DURATION:
                for index, (duration, independent) in enumerate(segment.parts):
                    lines.append(
                        f'#EXT-X-PART:DURATION={duration},URI="{self.part_uri(segment.msn, index)}"'
                        + (",INDEPENDENT=YES" if independent else "")
                    )
            if segment.closed:
                lines += [f"#EXTINF:{segment.duration},", f"s/{segment.msn}.m4s"]
        if self.ended:
            lines.append("#EXT-X-ENDLIST")
        elif self.low_latency:
            still_open = bool(self.segments) and not self.segments[-1].closed
            msn = self.segments[-1].msn if still_open else self.next_msn
            index = len(self.segments[-1].parts) if still_open else 0
            lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{self.part_uri(msn, index)}"')
        return "\n".join(lines) + "\n"
