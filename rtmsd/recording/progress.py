"""What a recording knows, and what each item adds to it. Pure: bytes to write come out as chunks and lines.

A `Progress` that takes items is a draft of the last one: if its writes fail it is dropped, and nothing has happened.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

from rtmsd.frames import (
    AudioFrame,
    ChatFrame,
    Event,
    Gap,
    Item,
    MediaKind,
    ShareFrame,
    StreamEnd,
    TranscriptFrame,
    VideoFrame,
)
from rtmsd.recording.files import CHAT, EVENTS, TRANSCRIPT
from rtmsd.recording.ledger import Ledger
from rtmsd.recording.lines import chat_line, event_line, line
from rtmsd.recording.manifest import FileEntry
from rtmsd.recording.pictures import Pictures
from rtmsd.recording.spans import Span
from rtmsd.recording.track_format import LONGEST_MS
from rtmsd.recording.tracks import Tracks, length_ms

# Audio timestamps of this much media time are looked at before zero is chosen.
OPENING_MS = 500
# A timestamp this far from the newest one is believed only when the next item agrees. One wrong number must not make
# a file of days, and a meeting in which nobody spoke for hours must not be lost.
LEAP_MS = 3_600_000


class Progress:
    """Zero, tracks, pictures, gaps, pauses and the end of one recording; `lines` is what a draft adds to the line files."""

    def __init__(self, *, started_ms: int) -> None:
        self.started_ms = started_ms
        self.zero_ms: int | None = None
        self.first_ms: int | None = None
        # Phrases and chat from before the recording was continued: Zoom may replay them to a process that does not
        # remember them.
        self.had_lines: frozenset[bytes] = frozenset()
        self.newest_ms: int | None = started_ms or None
        self.ledger = Ledger()
        self.tracks = Tracks(self.ledger)
        self.pictures = Pictures()
        # Files that are complete while the meeting runs, and nobody touches again.
        self.sealed: dict[str, FileEntry] = {}
        self.pauses: list[tuple[int, int | None]] = []
        self.reconnects = 0
        self.joined_ms: int | None = None
        self.end: StreamEnd | None = None
        # When the process died, what came after this moment was not flushed, up to the next item.
        self.torn_ms: int | None = None

        self.lines: dict[str, list[bytes]] = {}

        self._opening: list[AudioFrame] = []
        self._opening_ms = 0
        self._suspect: AudioFrame | None = None

    def draft(self) -> Progress:
        """Return a copy that can take items without this one noticing."""
        new = copy.copy(self)
        new.ledger = self.ledger.copy()
        new.tracks, new.pictures = self.tracks.draft(new.ledger), self.pictures.draft()
        new.pauses, new._opening, new.lines = list(self.pauses), list(self._opening), {}
        return new

    # What is known about the whole

    @property
    def undecided(self) -> bool:
        """True while audio waits for its zero."""
        return bool(self._opening)

    @property
    def duration_ms(self) -> int:
        """From zero to the stream's end, or to the last sample if that is later."""
        if self.zero_ms is None:
            return 0
        ends = [self.end.timestamp_ms if self.end else None, self.newest_ms, self.zero_ms]
        until = next(
            end - self.zero_ms for end in ends if end is not None and 0 <= end - self.zero_ms <= LONGEST_MS
        )
        return min(max(until, self.tracks.end_ms), self.tracks.longest_ms)

    @property
    def backlog_ms(self) -> int:
        """How much was heard from before we had joined: Zoom had kept it (protocol.md §5.5, `buffer_data`)."""
        if self.joined_ms is None or self.zero_ms is None or not self.tracks.by_user:
            return 0
        return min(max(0, self.joined_ms - self.zero_ms), self.duration_ms)

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
                self._once(TRANSCRIPT, line(item))
            elif isinstance(item, ChatFrame):
                self._seen(item.timestamp_ms)
                self._once(CHAT, chat_line(item))
            elif isinstance(item, VideoFrame | ShareFrame):
                self._picture(item)
            elif isinstance(item, Event):
                self._event(item)
            elif isinstance(item, Gap):
                self._gap(item)
            elif isinstance(item, StreamEnd) and self.end is None:
                self._seen(item.timestamp_ms)
                self.end = item

    def _once(self, name: str, text: bytes) -> None:
        if text not in self.had_lines:
            self.lines.setdefault(name, []).append(text)

    def decide_zero(self) -> None:
        """Choose zero from the audio that waits for it, if any does."""
        opening, self._opening = self._opening, []
        if opening:
            self.zero_ms = min(frame.timestamp_ms for frame in opening)
            for frame in opening:
                self.tracks.place(frame, self.zero_ms)

    def settle(self) -> None:
        """Leave nothing undecided; without any audio zero is the stream's start, or the first item's time."""
        if self._suspect is not None:
            suspect, self._suspect = self._suspect, None
            self.tracks.refuse(suspect, "bad_timestamp")
        self.decide_zero()
        if self.end is not None and self.zero_ms is None:
            self.zero_ms = self.started_ms or self.first_ms or self.end.timestamp_ms

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
                self.tracks.refuse(suspect, "bad_timestamp")
        elif suspect is not None and 0 < abs(stamp - suspect.timestamp_ms) <= LEAP_MS:
            self._leap(suspect, stamp)
            self._believe(frame)
        else:
            if suspect is not None:
                self.tracks.refuse(suspect, "bad_timestamp")
            self._suspect = frame

    def _leap(self, suspect: AudioFrame, stamp: int) -> None:
        """Believe a suspect, since another item's timestamp agrees with it."""
        if self.zero_ms is not None and stamp < (self.newest_ms or 0):
            self.ledger.count("clock_steps")  # forward it may be hours in which nobody spoke
        self.newest_ms = max(stamp, suspect.timestamp_ms)
        if self.started_ms or len(self._opening) > 1:
            self.decide_zero()
        else:
            # Nothing vouched for the very first frame, and two others speak against it.
            wrong, self._opening = self._opening, []
            for frame in wrong:
                self.tracks.refuse(frame, "bad_timestamp")
        self._believe(suspect)

    def _believe(self, frame: AudioFrame) -> None:
        stamp = frame.timestamp_ms
        if self.torn_ms is not None:
            self._mend(stamp)
        if stamp < self.ledger.recoverable_ms:
            self.ledger.recover(stamp, stamp + length_ms(frame))
        if self.zero_ms is not None:
            self.tracks.place(frame, self.zero_ms)
            return
        self._opening_ms = min(self._opening_ms, stamp) if self._opening else stamp
        self._opening.append(frame)
        if stamp - self._opening_ms >= OPENING_MS:
            self.decide_zero()

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
        elif event.name == "stream_joined" and self.joined_ms is None:
            self.joined_ms = stamp

    def _picture(self, frame: VideoFrame | ShareFrame) -> None:
        stamp = frame.timestamp_ms
        self._seen(stamp)
        if not self.pictures.take(frame):
            kind = MediaKind.SHARE if isinstance(frame, ShareFrame) else MediaKind.VIDEO
            cause = "format_unsupported" if frame.data else "bad_packet"
            self.ledger.refuse(Gap(cause, stamp, stamp, kind, frame.user_id))

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
            self.ledger.report(Gap("unflushed", torn, min(stamp, torn + LEAP_MS)))
