"""What a recording knows, and what each item adds to it. Pure: bytes to write come out as chunks and lines.

A `Progress` that takes items is a draft of the last one: if its writes fail it is dropped, and nothing has happened.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

from rtmsd.frames import AudioFormat, AudioFrame, Event, Gap, Item, MediaKind, StreamEnd, TranscriptFrame
from rtmsd.recording.captions import raw_line
from rtmsd.recording.layout import EVENTS, TRANSCRIPT
from rtmsd.recording.ledger import JITTER_MS, Ledger
from rtmsd.recording.lines import event_line
from rtmsd.recording.spans import Span
from rtmsd.recording.timeline import Track
from rtmsd.recording.wav import LARGEST_DATA_BYTES, WavFormat

# Audio timestamps of this much media time are looked at before zero is chosen.
OPENING_MS = 500
# A timestamp this far from the newest one is believed only when the next item agrees. One wrong number must not make
# a file of days, and a meeting in which nobody spoke for hours must not be lost.
LEAP_MS = 3_600_000
# No track is longer, nor than what a WAV header can say.
LONGEST_MS = 36 * 3_600_000

_MOST_NAMES = 100


class Chunk:
    """Neighbouring samples of one track that came together; `stamp` is the timestamp of its last packet."""

    __slots__ = ("end", "parts", "stamp", "start")

    def __init__(self, start: int, end: int, stamp: int, data: bytes) -> None:
        self.start = start
        self.end = end
        self.stamp = stamp
        self.parts = [data]


class Progress:
    """Zero, tracks, names, gaps, pauses and the end of one recording.

    `counts`: before_zero, bad_timestamp, too_long, format_changed, format_unsupported (packets refused, or cut at
    zero), overlapping_samples (there already).
    """

    def __init__(self, *, started_ms: int) -> None:
        self.started_ms = started_ms
        self.zero_ms: int | None = None
        self.first_ms: int | None = None
        self.newest_ms: int | None = started_ms or None
        self.audio: AudioFormat | None = None
        self.tracks: dict[int, Track] = {}
        self.names: dict[int, tuple[str, ...]] = {}
        self.ledger = Ledger()
        self.pauses: list[tuple[int, int | None]] = []
        self.counts: dict[str, int] = {}
        self.reconnects = 0
        self.end: StreamEnd | None = None
        # When the process died, what came after this moment was not flushed, up to the next item.
        self.torn_ms: int | None = None

        self.chunks: dict[int, list[Chunk]] = {}
        self.lines: dict[str, list[bytes]] = {}

        self._opening: list[AudioFrame] = []
        self._opening_ms = 0
        self._suspect: AudioFrame | None = None
        self._own: set[int] = set()
        self._limit = 0
        self._block = 2
        self._rate = 1000
        self._tolerance = JITTER_MS

    def draft(self) -> Progress:
        """Return a copy that can take items without this one noticing."""
        new = copy.copy(self)
        new.tracks, new.names, new.counts = dict(self.tracks), dict(self.names), dict(self.counts)
        new.ledger, new.pauses = self.ledger.copy(), list(self.pauses)
        new._opening = list(self._opening)
        new.chunks, new.lines, new._own = {}, {}, set()
        return new

    # What is known about the whole

    @property
    def undecided(self) -> bool:
        """True while audio waits for its zero."""
        return bool(self._opening)

    @property
    def form(self) -> WavFormat:
        assert self.audio is not None
        return WavFormat(self.audio.rate, self.audio.channels)

    @property
    def mixed(self) -> bool:
        """True when Zoom mixes: the one track is `audio/mixed.wav` itself."""
        return self.audio is not None and not self.audio.per_participant

    @property
    def duration_ms(self) -> int:
        """From zero to the stream's end, or to the last sample if that is later."""
        if self.zero_ms is None:
            return 0
        last = max((track.end for track in self.tracks.values()), default=0)
        ends = [self.end.timestamp_ms if self.end else None, self.newest_ms, self.zero_ms]
        until = next(
            end - self.zero_ms for end in ends if end is not None and 0 <= end - self.zero_ms <= LONGEST_MS
        )
        return min(max(until, -(-last * 1000 // self._rate)), self._longest_ms())

    def pause_spans(self) -> list[Span]:
        """The pauses in Unix milliseconds; an open one lasts to the end."""
        until = (self.zero_ms or 0) + self.duration_ms
        return [(start, until if end is None else end) for start, end in self.pauses]

    # Taking items

    def take(self, items: Iterable[Item]) -> None:
        """Add items; never raises on what they say."""
        for item in items:
            if isinstance(item, AudioFrame):
                self._audio(item)
            elif isinstance(item, TranscriptFrame):
                self._seen(item.start_ms)
                self.lines.setdefault(TRANSCRIPT, []).append(raw_line(item))
            elif isinstance(item, Event):
                self._event(item)
            elif isinstance(item, Gap):
                self._gap(item)
            elif self.end is None:
                self._seen(item.timestamp_ms)
                self.end = item

    def decide_zero(self) -> None:
        """Choose zero from the audio that waits for it, if any does."""
        opening, self._opening = self._opening, []
        if opening:
            self.zero_ms = min(frame.timestamp_ms for frame in opening)
            for frame in opening:
                self._place(frame)

    def settle(self) -> None:
        """Leave nothing undecided; without any audio zero is the stream's start, or the first item's time."""
        if self._suspect is not None:
            suspect, self._suspect = self._suspect, None
            self._refuse(suspect, "bad_timestamp")
        self.decide_zero()
        if self.end is not None and self.zero_ms is None:
            self.zero_ms = self.started_ms or self.first_ms or self.end.timestamp_ms

    def restore_format(self, audio: AudioFormat) -> None:
        """Fix the format of all tracks."""
        self.audio = audio
        self._block = self.form.block
        self._rate = audio.rate
        self._tolerance = audio.rate * JITTER_MS // 1000
        self._limit = min(LONGEST_MS * audio.rate // 1000, LARGEST_DATA_BYTES // self._block)

    def lose(self, user_id: int, samples: int) -> None:
        """Ledger what a track should have from `samples` on, and has not."""
        assert self.zero_ms is not None
        track = self._track(user_id)
        for start, end in track.cut(samples):
            from_ms, to_ms = (
                self.zero_ms + start * 1000 // self._rate,
                self.zero_ms - (-end * 1000 // self._rate),
            )
            self.ledger.report(Gap("unflushed", from_ms, to_ms, MediaKind.AUDIO, user_id))

    # Audio

    def _audio(self, frame: AudioFrame) -> None:
        stamp = frame.timestamp_ms
        newest = self.newest_ms
        if self._suspect is not None or newest is None or not -LEAP_MS <= stamp - newest <= LEAP_MS:
            self._doubt(frame)
            return
        if stamp > newest:
            self.newest_ms = stamp
        self._believe(frame)

    def _doubt(self, frame: AudioFrame) -> None:
        """Hold a frame from a far time until the next item agrees with it or not."""
        suspect, self._suspect = self._suspect, None
        stamp = frame.timestamp_ms
        if self.newest_ms is None or abs(stamp - self.newest_ms) <= LEAP_MS:
            self.newest_ms = max(stamp, self.newest_ms or stamp)
            self._believe(frame)
            if suspect is not None:
                self._refuse(suspect, "bad_timestamp")
        elif suspect is not None and 0 < abs(stamp - suspect.timestamp_ms) <= LEAP_MS:
            self._leap(suspect, stamp)
            self._believe(frame)
        else:
            if suspect is not None:
                self._refuse(suspect, "bad_timestamp")
            self._suspect = frame

    def _leap(self, suspect: AudioFrame, stamp: int) -> None:
        """Believe a suspect, since another item's timestamp agrees with it."""
        self.newest_ms = max(stamp, suspect.timestamp_ms)
        for frame in [frame for frame in self._opening if abs(frame.timestamp_ms - stamp) > LEAP_MS]:
            self._opening.remove(frame)
            self._refuse(frame, "bad_timestamp")
        self._believe(suspect)

    def _believe(self, frame: AudioFrame) -> None:
        stamp = frame.timestamp_ms
        if self.torn_ms is not None:
            self._mend(stamp)
        if stamp < self.ledger.recoverable_ms:
            self.ledger.recover(stamp, stamp + _length_ms(frame))
        if self.zero_ms is not None:
            self._place(frame)
            return
        self._opening_ms = min(self._opening_ms, stamp) if self._opening else stamp
        self._opening.append(frame)
        if stamp - self._opening_ms >= OPENING_MS:
            self.decide_zero()

    def _place(self, frame: AudioFrame) -> None:
        form = frame.format
        if form is not self.audio and form != self.audio and not self._admit(frame):
            return
        assert self.zero_ms is not None
        data, stamp = frame.data, frame.timestamp_ms
        user_id = _key(frame)
        count = len(data) // self._block
        position = (stamp - self.zero_ms) * self._rate // 1000
        if position < 0:
            self._early(frame, -position)
            data, count, position = data[-position * self._block :], count + position, 0
        if count <= 0:
            return
        if position + count > self._limit:
            self._refuse(frame, "bad_timestamp" if stamp - self.zero_ms > LONGEST_MS else "too_long")
            return
        track = self.tracks[user_id] if user_id in self._own else self._track(user_id)
        if frame.user_name and frame.user_name not in self.names.get(user_id, ()):
            self._name(user_id, frame.user_name)
        start = track.append(stamp, position, count, self._tolerance)
        if start is not None:
            self._chunk(user_id, start, stamp, data[: count * self._block])
            return
        start, fresh = track.place(stamp, position, count, self._tolerance)
        for a, b in fresh:
            self._chunk(user_id, a, stamp, data[(a - start) * self._block : (b - start) * self._block])
            count -= b - a
        if count:
            self._count("overlapping_samples", count)

    def _chunk(self, user_id: int, start: int, stamp: int, data: bytes) -> None:
        chunks = self.chunks.setdefault(user_id, [])
        end = start + len(data) // self._block
        if chunks and chunks[-1].end == start:
            last = chunks[-1]
            last.parts.append(data)
            last.end, last.stamp = end, stamp
        else:
            chunks.append(Chunk(start, end, stamp, data))

    def _track(self, user_id: int) -> Track:
        """Return a track that belongs to this draft alone."""
        known = self.tracks.get(user_id)
        self.tracks[user_id] = known.copy() if known else Track()
        self._own.add(user_id)
        return self.tracks[user_id]

    def _name(self, user_id: int, name: str) -> None:
        names = self.names.get(user_id, ())
        if len(names) < _MOST_NAMES:
            self.names[user_id] = (*names, name)

    # What is refused

    def _admit(self, frame: AudioFrame) -> bool:
        """Fix the recording's format by its first frame; refuse what cannot be written or is another one."""
        form = frame.format
        if form.codec != "L16" or not 1 <= form.channels <= 8 or not 1000 <= form.rate <= 384_000:
            self._refuse(frame, "format_unsupported")
            return False
        if self.audio is not None:
            self._refuse(frame, "format_changed")
            return False
        self.restore_format(form)
        return True

    def _early(self, frame: AudioFrame, samples: int) -> None:
        samples = min(samples, len(frame.data) // self._block)
        self._refuse(frame, "before_zero", lost_ms=-(-samples * 1000 // self._rate))

    def _refuse(self, frame: AudioFrame, cause: str, lost_ms: int | None = None) -> None:
        self._count(cause)
        if lost_ms is None:
            lost_ms = _length_ms(frame)
        stamp = frame.timestamp_ms
        self.ledger.refuse(Gap(cause, stamp, stamp + lost_ms, MediaKind.AUDIO, _key(frame)))

    def _count(self, what: str, by: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + by

    # Everything else

    def _event(self, event: Event) -> None:
        stamp = event.timestamp_ms
        self._seen(stamp)
        self.lines.setdefault(EVENTS, []).append(event_line(event))
        paused = bool(self.pauses) and self.pauses[-1][1] is None
        if event.name == "session_paused" and not paused:
            self.pauses.append((stamp, None))
        elif event.name == "session_resumed" and paused:
            self.pauses[-1] = (self.pauses[-1][0], stamp)
        elif event.name == "socket_reopened":
            self.reconnects += 1

    def _gap(self, gap: Gap) -> None:
        if self.torn_ms is not None and gap.from_ms <= self.torn_ms < gap.to_ms:
            self.torn_ms = None
        self._seen(gap.from_ms)
        self.ledger.report(gap)

    def _seen(self, stamp: int) -> None:
        """Note the time of an item that is not audio."""
        if self._suspect is not None and abs(stamp - self._suspect.timestamp_ms) <= LEAP_MS:
            suspect, self._suspect = self._suspect, None
            self._leap(suspect, stamp)
        if stamp > 0:
            self.first_ms = self.first_ms or stamp
        if self.torn_ms is not None:
            self._mend(stamp)
        if self.newest_ms is None:
            self.newest_ms = self.first_ms
        elif 0 < stamp - self.newest_ms <= LEAP_MS:
            self.newest_ms = stamp

    def _mend(self, stamp: int) -> None:
        """Ledger what was taken and not flushed before the process died, up to the first later item."""
        torn = self.torn_ms
        if torn is not None and stamp > torn:
            self.torn_ms = None
            if stamp - torn <= LEAP_MS:
                self.ledger.report(Gap("unflushed", torn, stamp))

    def _longest_ms(self) -> int:
        return self._limit * 1000 // self._rate if self.audio else LONGEST_MS


def _key(frame: AudioFrame) -> int:
    """The track that a frame belongs to; Zoom's own mix has one, called 0."""
    return frame.user_id if frame.format.per_participant else 0


def _length_ms(frame: AudioFrame) -> int:
    """Round the length of a frame up, whatever its format claims."""
    return -(-len(frame.data) * 500 // max(1, frame.format.rate * frame.format.channels))
