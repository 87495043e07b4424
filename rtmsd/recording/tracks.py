"""The tracks of a recording: packets become units of sound at their places, or entries in the ledger."""

from __future__ import annotations

import copy
import math

from rtmsd.frames import AudioFormat, AudioFrame, Gap, MediaKind
from rtmsd.recording import opus
from rtmsd.recording.account import Sound
from rtmsd.recording.files import track_file
from rtmsd.recording.ledger import JITTER_MS, Ledger
from rtmsd.recording.timeline import Track
from rtmsd.recording.track_format import LARGEST_DATA_BYTES, TrackFormat, track_format

# No track is longer, nor than what a WAV header can say.
LONGEST_MS = 36 * 3_600_000

_MOST_NAMES = 100


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

    Refused packets are ledgered as bad_timestamp, too_long, format_changed or format_unsupported; before_zero may
    be a part of one. `overlapping_samples`, which were there already, are counted only. Packets of OPUS cannot be
    divided: one that was there in part is refused as overlapping, one that is no packet as bad_packet.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.audio: AudioFormat | None = None
        self.by_user: dict[int, Track] = {}
        self.names: dict[int, tuple[str, ...]] = {}
        self.chunks: dict[int, list[Chunk]] = {}
        self._own: set[int] = set()
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
        form = track_format(self.audio) if self.audio is not None else None
        assert form is not None
        return form

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

    def file(self, user_id: int) -> str:
        """Name the file of a track."""
        return track_file(user_id, mixed=self.mixed, suffix=self.form.suffix)

    def sounds(self) -> dict[int, Sound]:
        """Tell what each track has, in samples."""
        each = self.form.unit_samples if self.by_user else 1
        return {
            user_id: Sound([(a * each, b * each) for a, b in track.runs], self.form.rate)
            for user_id, track in self.by_user.items()
        }

    def restore_format(self, audio: AudioFormat) -> None:
        """Fix the format of all tracks."""
        self.audio = audio
        form = self.form
        self._block, self._rate, self._samples = form.unit_bytes, form.units_per_sec, form.unit_samples
        self._tolerance = self._rate * JITTER_MS // 1000
        self._limit = LONGEST_MS * self._rate // 1000
        if self._block:
            self._limit = min(self._limit, LARGEST_DATA_BYTES // self._block)

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
        if position < 0:
            self._early(frame, -position)
            data, count, position = data[-position * self._block :], count + position, 0
        if count <= 0:
            return
        if position + count > self._limit:
            self._refuse_far(frame, position)
            return
        user_id = _key(frame)
        track = self._track_of(user_id, frame.user_name)
        start = track.append(stamp, position, count, self._tolerance)
        if start is not None:
            self._chunk(user_id, start, start + count, stamp, data[: count * self._block])
            return
        start, fresh = track.place(stamp, position, count, self._tolerance)
        for a, b in fresh:
            self._chunk(user_id, a, b, stamp, data[(a - start) * self._block : (b - start) * self._block])
            count -= b - a
        if count:
            self.ledger.count("overlapping_samples", count * self._samples)

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
            self._refuse_far(frame, position)
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

    def _refuse_far(self, frame: AudioFrame, position: int) -> None:
        self.refuse(frame, "bad_timestamp" if position > LONGEST_MS * self._rate // 1000 else "too_long")

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

    def _early(self, frame: AudioFrame, samples: int) -> None:
        samples = min(samples, len(frame.data) // self._block)
        self.refuse(frame, "before_zero", lost_ms=-(-samples * 1000 // self._rate))


def _key(frame: AudioFrame) -> int:
    """The track that a frame belongs to; Zoom's own mix has one, called 0."""
    return frame.user_id if frame.format.per_participant else 0


def length_ms(frame: AudioFrame) -> int:
    """Round the length of a frame up, whatever its format claims."""
    form = frame.format
    return math.ceil(frame.duration_ms) if form.rate > 0 and form.channels > 0 else 0
