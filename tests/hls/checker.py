"""The strict playlist checker: consecutive snapshots of one media playlist → violations.

Fed by the LL-HLS client and by unit tests. Rule numbers are those of the LL-HLS checklist
(rfc8216bis and Apple's authoring specification). What one snapshot shows is in `_form`, what two
show in `_change`; what only the objects show (18, bytes of 19, 20, 27, 46) is in `media.py` and the
client, the multivariant playlist (47) in `multivariant.py`.

Exceptions that are meant:
  17  the last part of a segment and INDEPENDENT parts may be short;
  24  with `long_gop` segments may lack an independent frame: the encoder's keyframes are further
      apart than a segment may be long;
  26  a hint may come to nothing when the next part begins a discontinuity (the encoder vanished,
      its unfinished part is dropped) or the playlist ends;
  37  is a deliberate deviation of the server: a blocked reload may be answered unchanged, but never
      early (32).
Rules 10 and 21 are about time: they are checked only when `late_by_s_max` is given, since a loaded
test machine proves nothing.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from tests.hls.playlist import (
    MediaPlaylist,
    Part,
    Segment,
    Violation,
    half_unit,
    read_media_playlist,
    seconds,
)

PART_OF_TARGET_MIN = Decimal("0.85")
DATE_TOLERANCE_S = Decimal("0.001")
"""PROGRAM-DATE-TIME is printed in milliseconds, so two of them may be off by half of one each."""

ANSWERED_EARLY_S = 0.5
"""An unchanged answer to a blocking reload before this is a spin: the server holds for 1 s."""


@dataclass(frozen=True, slots=True)
class Removed:
    """A segment or part that left the playlist, which must stay fetchable for a while (rule 9)."""

    uri: str
    at_s: float
    fetchable_for_s: float


@dataclass(slots=True)
class _Seen:
    """What is known of one media sequence number over all snapshots."""

    segment: Segment
    parts: list[Part] = field(default_factory=list)
    first_part: int = 0
    sizes_checked: int = 0
    closed_checked: bool = False


class MediaPlaylistChecker:
    """Feed it every answer in the order of arrival. `violations` grows; `feed` returns the new."""

    def __init__(
        self,
        *,
        low_latency: bool = True,
        long_gop: bool = False,
        late_by_s_max: float | None = None,
    ) -> None:
        self._low_latency = low_latency
        self._long_gop = long_gop
        self._late_by_s_max = late_by_s_max

        self.violations: list[Violation] = []
        self.removed: list[Removed] = []
        self.playlist: MediaPlaylist | None = None
        self.snapshots = 0
        self.declares_independent_segments = False  # the client sets it from the multivariant
        self._noted: set[Violation] = set()
        self._text = ""
        self._at_s = 0.0
        self._seen: dict[int, _Seen] = {}
        self._uris: dict[str, int] = {}
        self._hints: list[str] = []
        self._map_hints: list[str] = []
        self._news_at_s = 0.0
        self._segment_at_s = 0.0
        self._longest_s = Decimal(0)

    # one snapshot -----------------------------------------------------------------------------

    def feed(
        self,
        text: str,
        at_s: float,
        *,
        asked: tuple[int, int | None] | None = None,
        held_s: float = 0.0,
    ) -> list[Violation]:
        """Check an answer that arrived at `at_s` (any steady clock).

        `asked` is the (`_HLS_msn`, `_HLS_part`) of a blocking reload, `held_s` how long it took.
        """
        before = len(self.violations)
        playlist, malformed = read_media_playlist(text)
        for violation in malformed:
            self._bad(violation.rule, violation.message)
        self._form(playlist)
        if asked is not None:
            self._answer(playlist, text, asked, held_s)
        previous = self.playlist
        if previous is None:
            self._news_at_s = self._segment_at_s = at_s
        else:
            self._change(previous, playlist, text, at_s)
        for segment in playlist.segments:
            self._segment(segment, playlist)
        if playlist.independent_segments:
            self.declares_independent_segments = True
        self._dates(playlist)
        self._hint(playlist)
        if self._late_by_s_max is not None and not playlist.ended:
            self._late(previous, playlist, at_s, self._late_by_s_max)
        self.playlist, self._text, self._at_s = playlist, text, at_s
        self._longest_s = max(self._longest_s, playlist.duration_with_parts)
        self.snapshots += 1
        return self.violations[before:]

    def _bad(self, rule: int, message: str) -> None:
        """Note a breach once, however many snapshots repeat it."""
        violation = Violation(rule, message)
        if violation not in self._noted:
            self._noted.add(violation)
            self.violations.append(violation)

    def _form(self, playlist: MediaPlaylist) -> None:
        """Rules that one snapshot shows."""
        needed = 9 if playlist.has_skip else 6
        if playlist.version is None:
            self._bad(1, "EXT-X-VERSION is missing")
        elif playlist.version != needed:
            self._bad(1, f"EXT-X-VERSION is {playlist.version}, these tags need {needed}")
        if playlist.media_sequence < 1:
            self._bad(4, "media sequence starts below 1: hls.js then never blocks")
        if playlist.playlist_type is not None:
            self._bad(7, f"EXT-X-PLAYLIST-TYPE:{playlist.playlist_type} in a live playlist")
        target = playlist.target_duration
        for segment in playlist.full:
            assert segment.duration is not None
            rounded = int(segment.duration.quantize(Decimal(1), rounding=ROUND_HALF_UP))
            if target is not None and rounded > target:
                self._bad(
                    3, f"EXTINF {segment.duration} of {segment.msn} is over TARGETDURATION {target}"
                )
            if segment.duration == 0:
                self._bad(3, f"EXTINF of {segment.msn} is 0")
        if playlist.segments and not any(s.program_date_time for s in playlist.segments):
            self._bad(14, "there is no PROGRAM-DATE-TIME")
        for segment in playlist.segments:
            if segment.program_date_time is None:
                self._bad(14, f"segment {segment.msn} has no PROGRAM-DATE-TIME")
        for before, after in itertools.pairwise(playlist.segments):
            if before.map_uri != after.map_uri and not after.discontinuity:
                self._bad(13, f"EXT-X-MAP changes at {after.msn} without EXT-X-DISCONTINUITY")
        self._server_control(playlist)
        if self._low_latency:
            self._part_form(playlist)
        else:
            if "EXT-X-PART" in playlist.tags or "EXT-X-PART-INF" in playlist.tags:
                self._bad(15, "a playlist without low latency has parts")
            if playlist.part_hints or playlist.map_hints:
                self._bad(25, "a playlist without low latency has hints")
        if playlist.ended:
            if playlist.part_hints or playlist.map_hints:
                self._bad(11, "PRELOAD-HINT beside ENDLIST")
            if playlist.open is not None:
                self._bad(11, "ENDLIST leaves parts that belong to no segment")

    def _server_control(self, playlist: MediaPlaylist) -> None:
        control = playlist.server_control
        if control is None:
            if self._low_latency:
                self._bad(28, "EXT-X-SERVER-CONTROL is missing")
            return
        if self._low_latency and control.get("CAN-BLOCK-RELOAD") != "YES":
            self._bad(28, "CAN-BLOCK-RELOAD=YES is missing")
        numbers: dict[str, Decimal] = {}
        for name in ("PART-HOLD-BACK", "HOLD-BACK", "CAN-SKIP-UNTIL"):
            if name in control:
                try:
                    numbers[name] = Decimal(control[name])
                except ArithmeticError:
                    self._bad(28, f"{name} is {control[name]!r}")
        part_hold_back, target = numbers.get("PART-HOLD-BACK"), playlist.target_duration
        if self._low_latency and part_hold_back is None:
            self._bad(28, "PART-HOLD-BACK is missing")
        if not self._low_latency and part_hold_back is not None:
            self._bad(28, "PART-HOLD-BACK without parts")
        if (
            part_hold_back is not None
            and playlist.part_target is not None
            and part_hold_back < 3 * playlist.part_target
        ):
            self._bad(
                28,
                f"PART-HOLD-BACK {part_hold_back} is under 3 x PART-TARGET {playlist.part_target}",
            )
        if target is not None:
            if numbers.get("HOLD-BACK", 3 * target) < 3 * target:
                self._bad(29, f"HOLD-BACK {numbers['HOLD-BACK']} is under 3 x {target}")
            if numbers.get("CAN-SKIP-UNTIL", 6 * target) < 6 * target:
                self._bad(30, f"CAN-SKIP-UNTIL {numbers['CAN-SKIP-UNTIL']} is under 6 x {target}")
        if "CAN-SKIP-DATERANGES" in control and "CAN-SKIP-UNTIL" not in control:
            self._bad(30, "CAN-SKIP-DATERANGES without CAN-SKIP-UNTIL")

    def _part_form(self, playlist: MediaPlaylist) -> None:
        parts = [part for segment in playlist.segments for part in segment.parts]
        if playlist.part_target is None:
            self._bad(15, "EXT-X-PART-INF with PART-TARGET is missing")
        elif playlist.part_target == 0:
            self._bad(15, "PART-TARGET is 0")
        for part in parts:
            if playlist.part_target is not None and part.duration > playlist.part_target:
                self._bad(16, f"part {part.uri} of {part.duration} is over {playlist.part_target}")
        if not playlist.ended and not playlist.part_hints:
            self._bad(25, "there is no PRELOAD-HINT TYPE=PART")
        listed = {part.uri for part in parts} | {s.uri for s in playlist.full}
        for hint in playlist.part_hints:
            if hint in listed:
                self._bad(26, f"the hint {hint} is already listed")
        if playlist.target_duration is None or playlist.ended:
            return
        window = Decimal(3 * playlist.target_duration)
        distance = playlist.open.parts_duration if playlist.open else Decimal(0)
        for segment in reversed(playlist.full):
            assert segment.duration is not None
            if distance > window and segment.parts:
                self._bad(
                    23, f"parts of {segment.msn}, {distance} from the end, should be gone by now"
                )
            distance += segment.duration
            if distance <= window and not segment.parts and not segment.gap:
                self._bad(
                    23, f"parts of {segment.msn}, {distance} from the end, were removed too early"
                )

    def _answer(
        self, playlist: MediaPlaylist, text: str, asked: tuple[int, int | None], held_s: float
    ) -> None:
        """Rules 32-34 for one blocking reload; an unchanged answer after the hold is meant (37)."""
        if playlist.ended or self.playlist is None:
            return
        msn, part = asked
        satisfied = playlist.next_msn > msn
        if part is not None and not satisfied:
            satisfied = playlist.position > (msn, part)
        if not satisfied and text == self._text and held_s < ANSWERED_EARLY_S:
            self._bad(32, f"asked for {msn}/{part}, answered unchanged after {held_s:.3f} s")

    # two snapshots ----------------------------------------------------------------------------

    def _change(self, old: MediaPlaylist, new: MediaPlaylist, text: str, at_s: float) -> None:
        """Rules about what may differ between an answer and the one before it."""
        if old.ended and text != self._text:
            self._bad(11, "the playlist changed after ENDLIST")
        if new.target_duration != old.target_duration:
            self._bad(
                3, f"TARGETDURATION changed from {old.target_duration} to {new.target_duration}"
            )
        if new.version != old.version:
            self._bad(6, f"EXT-X-VERSION changed from {old.version} to {new.version}")
        if new.part_target != old.part_target:
            self._bad(31, f"PART-TARGET changed from {old.part_target} to {new.part_target}")
        if new.server_control != old.server_control:
            self._bad(
                31, f"SERVER-CONTROL changed from {old.server_control} to {new.server_control}"
            )
        if new.independent_segments != old.independent_segments:
            self._bad(6, "EXT-X-INDEPENDENT-SEGMENTS came or went")
        if new.media_sequence < old.media_sequence:
            self._bad(4, f"media sequence fell from {old.media_sequence} to {new.media_sequence}")
        if new.discontinuity_sequence < old.discontinuity_sequence:
            self._bad(
                5,
                f"discontinuity sequence fell from {old.discontinuity_sequence}"
                f" to {new.discontinuity_sequence}",
            )
        if new.next_msn < old.next_msn or new.position < old.position:
            self._bad(6, f"the live edge went back from {old.position} to {new.position}")
        if new.media_sequence > old.media_sequence:
            if new.target_duration is not None and new.duration < 3 * new.target_duration:
                self._bad(
                    8,
                    f"{new.duration} s are left after a removal, 3 x {new.target_duration} must be",
                )
            if new.media_sequence > old.next_msn and not new.ended:
                self._bad(4, f"segments from {old.next_msn} left without ever being listed")
        self._note_removed(old, new, at_s)

    def _note_removed(self, old: MediaPlaylist, new: MediaPlaylist, at_s: float) -> None:
        kept = {s.uri for s in new.full} | {p.uri for s in new.segments for p in s.parts}
        longest = max(self._longest_s, old.duration_with_parts)
        for segment in old.segments:
            for uri, duration in [
                (segment.uri, segment.duration),
                *((part.uri, part.duration) for part in segment.parts),
            ]:
                if uri is None or duration is None or uri in kept:
                    continue
                self.removed.append(Removed(uri, at_s, float(duration + longest)))

    def _segment(self, segment: Segment, playlist: MediaPlaylist) -> None:
        """Rules about one media sequence number over time."""
        msn, previous = segment.msn, self.playlist
        seen = self._seen.get(msn)
        if seen is None:
            seen = self._seen[msn] = _Seen(segment)
            if previous is not None and msn < previous.media_sequence:
                self._bad(4, f"segment {msn} came back")
        else:
            self._same(seen.segment, segment)
        if segment.uri is not None:
            if self._uris.setdefault(segment.uri, msn) != msn:
                self._bad(
                    4, f"{segment.uri} was segment {self._uris[segment.uri]}, now it is {msn}"
                )
            if segment.uri in {part.uri for part in segment.parts}:
                self._bad(19, f"segment {msn} has the URI of one of its parts")
        if self._low_latency:
            self._parts(seen, segment)
            self._sizes(seen, segment, playlist.part_target)
            self._closed(seen, segment)
        seen.segment = segment

    def _same(self, old: Segment, new: Segment) -> None:
        if old.uri is not None and new.uri != old.uri:
            self._bad(4, f"segment {old.msn} was {old.uri}, now it is {new.uri}")
        if old.duration is not None and new.duration != old.duration:
            self._bad(6, f"EXTINF of {old.msn} was {old.duration}, now it is {new.duration}")
        if new.program_date_time != old.program_date_time:
            self._bad(
                14,
                f"PROGRAM-DATE-TIME of {old.msn} was {old.program_date_time},"
                f" now it is {new.program_date_time}",
            )
        if new.map_uri != old.map_uri:
            self._bad(6, f"EXT-X-MAP of {old.msn} was {old.map_uri}, now it is {new.map_uri}")
        if new.discontinuity_number != old.discontinuity_number:
            self._bad(
                5,
                f"discontinuity number of {old.msn} was {old.discontinuity_number},"
                f" now it is {new.discontinuity_number}",
            )
        if new.discontinuity != old.discontinuity:
            self._bad(6, f"EXT-X-DISCONTINUITY of {old.msn} came or went")

    def _parts(self, seen: _Seen, segment: Segment) -> None:
        """Parts are appended while a segment is open and removed from the front when it is old."""
        msn, known = segment.msn, seen.parts
        listed = list(segment.parts)
        was_closed = seen.segment.uri is not None and seen.segment is not segment
        if listed:
            try:
                start = known.index(listed[0], seen.first_part) if known else 0
            except ValueError:
                start = seen.first_part
            for offset, part in enumerate(listed):
                at = start + offset
                if at >= len(known):
                    if was_closed:
                        self._bad(6, f"closed segment {msn} got a new part {part.uri}")
                    known.append(part)
                    if self._uris.setdefault(part.uri, msn) != msn:
                        self._bad(
                            26, f"{part.uri} was part of {self._uris[part.uri]}, now of {msn}"
                        )
                elif known[at] != part:
                    self._bad(6, f"part {at} of {msn} was {known[at]}, now it is {part}")
            if start + len(listed) < len(known):
                self._bad(6, f"segment {msn} lost parts at its end")
            if start > seen.first_part and segment.uri is None:
                self._bad(23, f"open segment {msn} lost parts at its front")
            seen.first_part = max(seen.first_part, start)
        elif known:
            if segment.uri is None:
                self._bad(23, f"open segment {msn} lost its parts")
            seen.first_part = len(known)
        uris = [part.uri for part in known]
        if len(set(uris)) != len(uris):
            self._bad(26, f"segment {msn} has parts of the same URI")

    def _sizes(self, seen: _Seen, segment: Segment, target: Decimal | None) -> None:
        """Rule 17, for every part of which it is known whether it is the last."""
        last = len(seen.parts) - 1
        for index in range(seen.sizes_checked, len(seen.parts)):
            if index == last and segment.uri is None:
                break  # it may still turn out to be the last
            part = seen.parts[index]
            seen.sizes_checked = index + 1
            if (
                target is not None
                and index != last
                and not part.independent
                and part.duration < PART_OF_TARGET_MIN * target
            ):
                self._bad(17, f"part {part.uri} of {part.duration} is under 85 % of {target}")

    def _closed(self, seen: _Seen, segment: Segment) -> None:
        """Rules 19 and 24, once per segment, when all of its parts were seen."""
        if segment.duration is None or seen.closed_checked or not seen.parts or seen.first_part:
            return
        seen.closed_checked = True
        total = sum((part.duration for part in seen.parts), Decimal(0))
        tolerance = half_unit(segment.duration) + sum(half_unit(p.duration) for p in seen.parts)
        if abs(total - segment.duration) > tolerance:
            self._bad(19, f"parts of {segment.msn} sum to {total}, EXTINF is {segment.duration}")
        if not any(part.independent for part in seen.parts) and not self._long_gop:
            self._bad(24, f"segment {segment.msn} has no independent part")
        if self.declares_independent_segments and not seen.parts[0].independent:
            self._bad(
                24, f"segment {segment.msn} starts dependent under EXT-X-INDEPENDENT-SEGMENTS"
            )

    def _dates(self, playlist: MediaPlaylist) -> None:
        """Rule 14: dates follow the durations within an epoch and never run back between two."""
        previous: Segment | None = None
        elapsed = slack = Decimal(0)
        anchor: datetime | None = None
        for segment in playlist.segments:
            stamp = segment.program_date_time
            if stamp is None:
                previous = anchor = None
                continue
            if previous is None or segment.discontinuity or anchor is None:
                if previous is not None and previous.program_date_time and previous.duration:
                    step = seconds(stamp - previous.program_date_time)
                    if step < previous.duration - DATE_TOLERANCE_S - half_unit(previous.duration):
                        self._bad(14, f"segment {segment.msn} is dated into segment {previous.msn}")
                anchor, elapsed, slack = stamp, Decimal(0), Decimal(0)
            else:
                off = seconds(stamp - anchor) - elapsed
                if abs(off) > DATE_TOLERANCE_S + slack:
                    self._bad(14, f"PROGRAM-DATE-TIME of {segment.msn} is off by {off} s")
                    anchor, elapsed, slack = stamp, Decimal(0), Decimal(0)
            if segment.duration is not None:
                elapsed += segment.duration
                slack += half_unit(segment.duration)
            previous = segment

    def _hint(self, playlist: MediaPlaylist) -> None:
        """Rules 25 and 26: what was hinted since the last new part is what comes next."""
        old = self.playlist
        news = _first_new_part(old, playlist) if old is not None else None
        if news is not None:
            segment, index = news
            part = segment.parts[index]
            new_epoch = segment.discontinuity and index == 0
            for hint in self._hints:
                if hint != part.uri and not new_epoch:
                    self._bad(26, f"the hint was {hint}, then {part.uri} was listed")
            for hint in self._map_hints:
                if hint != segment.map_uri:
                    self._bad(26, f"the hinted map was {hint}, then {segment.map_uri} was used")
            self._hints, self._map_hints = [], []
        for hint in playlist.part_hints:
            if hint not in self._hints:
                self._hints.append(hint)
        for hint in playlist.map_hints:
            if hint not in self._map_hints:
                self._map_hints.append(hint)

    def _late(
        self,
        old: MediaPlaylist | None,
        new: MediaPlaylist,
        at_s: float,
        late_by_s_max: float,
    ) -> None:
        """Rules 10 and 21, with the given allowance. A discontinuity is an interruption."""
        if old is None:
            return
        if new.position > old.position:
            target = new.part_target
            interrupted = any(s.discontinuity and s.msn >= old.next_msn for s in new.segments)
            if target is not None and not interrupted:
                # several parts may have come in one answer: each has its time
                parts = _new_parts(old, new)
                allowed = float(target) * max(parts, 1) + late_by_s_max
                if at_s - self._news_at_s > allowed:
                    self._bad(
                        21, f"a part came {at_s - self._news_at_s:.3f} s after the one before"
                    )
            self._news_at_s = at_s
        if new.next_msn > old.next_msn:
            assert new.target_duration is not None
            interrupted = any(s.discontinuity and s.msn >= old.next_msn for s in new.segments)
            allowed = 1.5 * new.target_duration * (new.next_msn - old.next_msn) + late_by_s_max
            if at_s - self._segment_at_s > allowed and not interrupted:
                self._bad(
                    10, f"segment {new.next_msn - 1} came {at_s - self._segment_at_s:.3f} s late"
                )
            self._segment_at_s = at_s


def _first_new_part(old: MediaPlaylist, new: MediaPlaylist) -> tuple[Segment, int] | None:
    """The segment and index of the first part in `new` that lies behind the edge of `old`."""
    msn, index = old.position
    for segment in new.segments:
        if segment.msn == msn and len(segment.parts) > index:
            return segment, index
        if segment.msn > msn and segment.parts:
            return segment, 0
    return None


def _new_parts(old: MediaPlaylist, new: MediaPlaylist) -> int:
    msn, index = old.position
    return sum(
        len(segment.parts) - (index if segment.msn == msn else 0)
        for segment in new.segments
        if segment.msn >= msn
    )
