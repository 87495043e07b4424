"""The tracks of a recording: packets become units of sound at their places, or entries in the ledger."""

from __future__ import annotations

import copy
import math

from rtmsd.frames import AudioFormat, AudioFrame, Gap, MediaKind
from rtmsd.recording import opus
from rtmsd.recording.account import Sound
from rtmsd.recording.file_plan import FilePlan
from rtmsd.recording.ledger import JITTER_MS, Ledger
from rtmsd.recording.spans import Span
from rtmsd.recording.timeline import Track
from rtmsd.recording.track_format import LONGEST_MS, TrackFormat, track_format

_MOST_NAMES = 100

# What goes back further than this is taken for a clock that was set, not for packets in disorder.
_STEP_MS = 1000


class Chunk:
    """Neighbouring units of one track that came together; `stamp` is the timestamp of the last packet of them."""

    __slots__ = ("end", "parts", "stamp", "start")

    def __init__(self, start: int, end: int, stamp: int, data: bytes) -> None:
        self.start = start
        self.end = end
        self.stamp = stamp
        self.parts = [data]


class Tracks:
    """All tracks have the format of the first packet and begin at one zero; `chunks` is what a draft adds to them.

    Refused packets are ledgered as bad_timestamp, format_changed or format_unsupported; before_zero may be a part of one,
    and too_late, for whose place the file is closed already. `overlapping_samples`, which were there already, are counted only. Counted too: `regressions`, packets older than the newest of their track; `clock_steps`, by more than a
    second; `length_mismatches`, packets that came before the one ahead of them was over. Packets of OPUS cannot be
    divided: one that was there in part is refused as overlapping, one that is no packet as bad_packet.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.plan = FilePlan()
        self.sealed = 0  # so many periods, whose files are closed
        self.audio: AudioFormat | None = None
        self.by_user: dict[int, Track] = {}
        self.names: dict[int, tuple[str, ...]] = {}
        self.chunks: dict[int, list[Chunk]] = {}
        self._own: set[int] = set()
        self._form: TrackFormat | None = None
        self._period = 0  # units in one file, 0: all of them
        self._floor = 0  # nothing can be placed before
        self._edge = 0  # up to here something is special
        self._limit = 0
        self._block = 2
        self._samples = 1
        self._rate = 1000
        self._tolerance = JITTER_MS

    def draft(self, ledger: Ledger) -> Tracks:
        """Return a copy, with a ledger of its own, that can take packets without this one noticing."""
        new = copy.copy(self)
        new.ledger, new.by_user, new.names = ledger, dict(self.by_user), dict(self.names)
        new.chunks, new._own = {}, set()
        return new

    @property
    def form(self) -> TrackFormat:
        """How all tracks are stored."""
        assert self._form is not None
        return self._form

    @property
    def mixed(self) -> bool:
        """True when Zoom mixes: the one track is `audio/mixed.wav` itself."""
        return self.audio is not None and not self.audio.per_participant

    @property
    def end_ms(self) -> int:
        """Where the last unit ends, in milliseconds from zero."""
        return -(-max((track.end for track in self.by_user.values()), default=0) * 1000 // self._rate)

    @property
    def longest_ms(self) -> int:
        """How long a track can be."""
        return self._limit * 1000 // self._rate if self.audio else LONGEST_MS

    def file(self, user_id: int, period: int = 0) -> str:
        """Name the file that a track grows in."""
        return self.plan.growing(user_id, period, mixed=self.mixed, form=self.form)

    @property
    def divided(self) -> bool:
        """True when a track has a file for each period."""
        return bool(self._period)

    def span(self, period: int) -> Span:
        """Return which units are in a period's files."""
        return (period * self._period, (period + 1) * self._period) if self._period else (0, self._limit)

    def periods(self, start: int, end: int) -> range:
        """Return which periods a span of units touches."""
        return range(start // self._period, -(-end // self._period)) if self._period else range(1)

    def seal(self, periods: int) -> None:
        """Take nothing more for the first so many periods."""
        self.sealed, self._floor = periods, periods * self._period
        self._edge = self._floor + self._tolerance if self._floor else 0

    def sounds(self) -> dict[int, Sound]:
        """Tell what each track has, in samples."""
        each = self.form.unit_samples if self.by_user else 1
        return {
            user_id: Sound([(a * each, b * each) for a, b in track.runs], self.form.rate)
            for user_id, track in self.by_user.items()
        }

    def restore_format(self, audio: AudioFormat) -> None:
        """Fix the format of all tracks."""
        self.audio, self._form = audio, track_format(audio)
        form = self.form
        self._block, self._rate, self._samples = form.unit_bytes, form.units_per_sec, form.unit_samples
        self._limit = LONGEST_MS * self._rate // 1000
        self._period = self.plan.period_ms(form) * self._rate // 1000
        self._tolerance = self._rate * JITTER_MS // 1000
        self.seal(self.sealed)

    def place(self, frame: AudioFrame, zero_ms: int) -> None:
        """Put a packet where it belongs; what cannot be placed is ledgered."""
        form = frame.format
        if form is not self.audio and form != self.audio and not self._admit(frame):
            return
        data, stamp = frame.data, frame.timestamp_ms
        position = (stamp - zero_ms) * self._rate // 1000
        if not self._block:
            self._place_packet(frame, position)
            return
        count = len(data) // self._block
        if position < self._edge:
            exactly, data, position = self._at_the_edge(frame, position)
            count = len(data) // self._block
            if exactly and count > 0:
                self._fill(frame, self._track_of(_key(frame), frame.user_name), position, data, count)
                return
        if count <= 0:
            return
        if position + count > self._limit:
            self.refuse(frame, "bad_timestamp")
            return
        user_id = _key(frame)
        track = self._track_of(user_id, frame.user_name)
        start = track.append(stamp, position, count, self._tolerance)
        if start is not None:
            self._chunk(user_id, start, start + count, stamp, data[: count * self._block])
            return
        self._fill(frame, track, track.stand(stamp, position, self._tolerance), data, count)

    def _at_the_edge(self, frame: AudioFrame, position: int) -> tuple[bool, bytes, int]:
        """Refuse what of a packet lies before the floor, and return whether the rest must lie exactly there, and where.

        Jitter must not lead it into a file that is closed.
        """
        before = self._floor - position
        if before <= 0:
            return True, frame.data, position
        self._early(frame, before, "before_zero" if position < 0 else "too_late")
        return bool(self._floor), frame.data[before * self._block :], self._floor

    def _fill(self, frame: AudioFrame, track: Track, start: int, data: bytes, count: int) -> None:
        """Put units exactly there, except where there are some already."""
        stamp, newest = frame.timestamp_ms, track.stamps[-1] if track.stamps else frame.timestamp_ms
        fresh = track.fill(stamp, start, start + count)
        if stamp != newest and fresh and stamp >= self.ledger.recoverable_ms:
            self._wonder(stamp - newest, whole=fresh == [(start, start + count)])
        for a, b in fresh:
            piece = data[(a - start) * self._block : (b - start) * self._block]
            self._chunk(_key(frame), a, b, stamp, piece)
            count -= b - a
        if count:
            self.ledger.count("overlapping_samples", count * self._samples)

    def _wonder(self, later_ms: int, *, whole: bool) -> None:
        """Count what a packet tells of the sender's clock; `later_ms` is how much newer it is than its track."""
        if later_ms < -_STEP_MS:
            self.ledger.count("clock_steps")
        elif later_ms < 0:
            self.ledger.count("regressions")
        elif not whole:
            self.ledger.count("length_mismatches")

    def _place_packet(self, frame: AudioFrame, position: int) -> None:
        """Put a packet of OPUS into the place nearest to where it belongs: whole, or not at all."""
        stamp, count = frame.timestamp_ms, opus.units(frame.data)
        if not count:
            self.refuse(frame, "bad_packet")
            return
        if position < 0:
            self.refuse(frame, "before_zero")
            return
        if position + count > self._limit:
            self.refuse(frame, "bad_timestamp")
            return
        user_id = _key(frame)
        track = self._track_of(user_id, frame.user_name)
        start = track.stand(stamp, position, max(self._tolerance, count // 2))
        fresh = track.free(start, start + count)
        if fresh == [(start, start + count)]:
            track.fill(stamp, start, start + count)
            self._chunk(user_id, start, start + count, stamp, frame.data)
        elif fresh:
            self.refuse(frame, "overlapping")
        else:
            self.ledger.count("overlapping_samples", count * self._samples)

    def refuse(self, frame: AudioFrame, cause: str, lost_ms: int | None = None) -> None:
        """Ledger a packet, or its first `lost_ms`, as not kept."""
        lost_ms = length_ms(frame) if lost_ms is None else lost_ms
        stamp = frame.timestamp_ms
        self.ledger.refuse(Gap(cause, stamp, stamp + lost_ms, MediaKind.AUDIO, _key(frame)))

    def lose(self, user_id: int, units: int, zero_ms: int) -> None:
        """Ledger what a track should have from `units` on, and has not."""
        for start, end in self._track(user_id).cut(units):
            from_ms, to_ms = zero_ms + start * 1000 // self._rate, zero_ms - (-end * 1000 // self._rate)
            self.ledger.report(Gap("unflushed", from_ms, to_ms, MediaKind.AUDIO, user_id))

    def _chunk(self, user_id: int, start: int, end: int, stamp: int, data: bytes) -> None:
        chunks = self.chunks.setdefault(user_id, [])
        if chunks and chunks[-1].end == start:
            last = chunks[-1]
            last.parts.append(data)
            last.end, last.stamp = end, stamp
        else:
            chunks.append(Chunk(start, end, stamp, data))

    def _track_of(self, user_id: int, name: str) -> Track:
        if name and name not in self.names.get(user_id, ()):
            self._name(user_id, name)
        return self.by_user[user_id] if user_id in self._own else self._track(user_id)

    def _track(self, user_id: int) -> Track:
        """Return a track that belongs to this draft alone."""
        known = self.by_user.get(user_id)
        self.by_user[user_id] = known.copy() if known else Track()
        self._own.add(user_id)
        return self.by_user[user_id]

    def _name(self, user_id: int, name: str) -> None:
        names = self.names.get(user_id, ())
        if len(names) < _MOST_NAMES:
            self.names[user_id] = (*names, name)

    def _admit(self, frame: AudioFrame) -> bool:
        """Fix the recording's format by its first frame; refuse what cannot be written or is another one."""
        form = frame.format
        if track_format(form) is None:
            self.refuse(frame, "format_unsupported")
            return False
        if self.audio is not None:
            self.refuse(frame, "format_changed")
            return False
        self.restore_format(form)
        return True

    def _early(self, frame: AudioFrame, units: int, cause: str) -> None:
        units = min(units, len(frame.data) // self._block)
        self.refuse(frame, cause, lost_ms=-(-units * 1000 // self._rate))


def _key(frame: AudioFrame) -> int:
    """The track that a frame belongs to; Zoom's own mix has one, called 0."""
    return frame.user_id if frame.format.per_participant else 0


def length_ms(frame: AudioFrame) -> int:
    """Round the length of a frame up, whatever its format claims."""
    form = frame.format
    return math.ceil(frame.duration_ms) if form.rate > 0 and form.channels > 0 else 0
