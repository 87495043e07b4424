"""Writes the story of an app's meetings into the journal, a sentence at a time, for `rtmsd why`."""

from __future__ import annotations

from collections import Counter

import structlog

from rtmsd.errors import JournalError
from rtmsd.frames import StreamInfo
from rtmsd.runtime.clock import Clock
from rtmsd.state import Journal, MeetingRow, NoteRow

NOTES_OF_A_STREAM = 100
"""A connection that breaks every second for hours need not be told each time."""

STREAMS_COUNTED = 1000


class StoryWriter:
    """Writes for one app. Returns at once: sentences are written in their turn, also when the daemon stops."""

    def __init__(self, app: str, journal: Journal, clock: Clock) -> None:
        self._app = app
        self._journal = journal
        self._clock = clock
        self._noted: Counter[str] = Counter()
        self._log = structlog.get_logger("rtmsd.start").bind(app=app)

    def note(self, row: MeetingRow, kind: str, sentence: str, *, problem: bool = False) -> None:
        """Add a sentence to a meeting's story. A journal that cannot be written does not cost the meeting."""
        self._write(row.uuid, row.number, "", kind, sentence, problem)

    def note_stream(self, info: StreamInfo, kind: str, sentence: str, *, problem: bool = False) -> None:
        """The same about a stream; of one stream so many sentences at most."""
        if len(self._noted) > STREAMS_COUNTED:
            self._noted.clear()
        self._noted[info.stream_id] += 1
        if self._noted[info.stream_id] <= NOTES_OF_A_STREAM:
            self._write(info.meeting_uuid, info.meeting_id, info.stream_id, kind, sentence, problem)

    def _write(self, uuid: str, number: str, stream_id: str, kind: str, sentence: str, problem: bool) -> None:
        note = NoteRow(
            app=self._app,
            meeting_uuid=uuid,
            meeting_id=number,
            stream_id=stream_id,
            at_ms=self._clock.wall_ms(),
            kind=kind,
            sentence=sentence,
            problem=problem,
        )
        self._journal.note(note, self._not_noted)

    def _not_noted(self, error: JournalError) -> None:
        self._log.error("a meeting's story could not be written", error=str(error))
