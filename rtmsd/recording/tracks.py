"""The tracks of a recording: packets become samples at their places, or entries in the ledger."""

from __future__ import annotations

import copy

from rtmsd.frames import AudioFormat, AudioFrame, Gap, MediaKind
from rtmsd.recording.ledger import JITTER_MS, Ledger
from rtmsd.recording.timeline import Track
from rtmsd.recording.wav import LARGEST_DATA_BYTES, WavFormat

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


class Tracks:
    """All tracks have the format of the first packet and begin at one zero; `chunks` is what a draft adds to them.

    Refused packets are ledgered as bad_timestamp, too_long, format_changed or format_unsupported; before_zero may
    be a part of one. `overlapping_samples`, which were there already, are counted only.
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
        self._rate = 1000
        self._tolerance = JITTER_MS

    def draft(self, ledger: Ledger) -> Tracks:
        """Return a copy, with a ledger of its own, that can take packets without this one noticing."""
        new = copy.copy(self)
        new.ledger, new.by_user, new.names = ledger, dict(self.by_user), dict(self.names)
        new.chunks, new._own = {}, set()
        return new

    @property
    def form(self) -> WavFormat:
        assert self.audio is not None
        return WavFormat(self.audio.rate, self.audio.channels)

    @property
    def mixed(self) -> bool:
        """True when Zoom mixes: the one track is `audio/mixed.wav` itself."""
        return self.audio is not None and not self.audio.per_participant

    @property
    def end_ms(self) -> int:
        """Where the last sample ends, in milliseconds from zero."""
        return -(-max((track.end for track in self.by_user.values()), default=0) * 1000 // self._rate)

    @property
    def longest_ms(self) -> int:
        """How long a track can be."""
        return self._limit * 1000 // self._rate if self.audio else LONGEST_MS

    def restore_format(self, audio: AudioFormat) -> None:
        """Fix the format of all tracks."""
        self.audio = audio
        self._block = self.form.block
        self._rate = audio.rate
        self._tolerance = audio.rate * JITTER_MS // 1000
        self._limit = min(LONGEST_MS * audio.rate // 1000, LARGEST_DATA_BYTES // self._block)

    def place(self, frame: AudioFrame, zero_ms: int) -> None:
        """Put a packet where it belongs; what cannot be placed is ledgered."""
        form = frame.format
        if form is not self.audio and form != self.audio and not self._admit(frame):
            return
        data, stamp = frame.data, frame.timestamp_ms
        user_id = _key(frame)
        count = len(data) // self._block
        position = (stamp - zero_ms) * self._rate // 1000
        if position < 0:
            self._early(frame, -position)
            data, count, position = data[-position * self._block :], count + position, 0
        if count <= 0:
            return
        if position + count > self._limit:
            self.refuse(frame, "bad_timestamp" if stamp - zero_ms > LONGEST_MS else "too_long")
            return
        track = self.by_user[user_id] if user_id in self._own else self._track(user_id)
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
            self.ledger.count("overlapping_samples", count)

    def refuse(self, frame: AudioFrame, cause: str, lost_ms: int | None = None) -> None:
        """Ledger a packet, or its first `lost_ms`, as not kept."""
        lost_ms = length_ms(frame) if lost_ms is None else lost_ms
        stamp = frame.timestamp_ms
        self.ledger.refuse(Gap(cause, stamp, stamp + lost_ms, MediaKind.AUDIO, _key(frame)))

    def lose(self, user_id: int, samples: int, zero_ms: int) -> None:
        """Ledger what a track should have from `samples` on, and has not."""
        for start, end in self._track(user_id).cut(samples):
            from_ms, to_ms = zero_ms + start * 1000 // self._rate, zero_ms - (-end * 1000 // self._rate)
            self.ledger.report(Gap("unflushed", from_ms, to_ms, MediaKind.AUDIO, user_id))

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
        if form.codec != "L16" or not 1 <= form.channels <= 8 or not 1000 <= form.rate <= 384_000:
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
    return -(-len(frame.data) * 500 // max(1, frame.format.rate * frame.format.channels))
