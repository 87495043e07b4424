"""From what an engine heard to transcript frames, at the meeting's times and without doubles."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from rtmsd.api import SpokenWord, TranscriptFrame
from rtmsd_transcribe.engine import RATE, Heard
from rtmsd_transcribe.speech import Speech


class Phrases:
    """One session's answers. `answered` is the position in the speech up to which finals have come.

    A session begins where the one before was answered, so nothing can come twice. It may skip parts of the speech: `sent`
    says what it got.
    """

    def __init__(self, speech: Speech, source: str, *, answered: int, interim: bool) -> None:
        self.answered = answered
        self._speech = speech
        self._source = source
        self._interim = interim
        self._runs: list[
            tuple[int, int]
        ] = []  # (sample of the session, position) where sound begins or skips
        self._samples = 0
        self._shown: TranscriptFrame | None = None  # the interim result that stands

    def sent(self, at: int, samples: int) -> None:
        """Note that the session got so many samples from this position on."""
        if not self._runs or self._position(self._samples, ends=True) != at:
            self._runs.append((self._samples, at))
        self._samples += samples

    def take(self, heard: Heard) -> Iterator[TranscriptFrame]:
        """Give what is to be published of a result, before anything else is taken."""
        if not self._runs:
            return
        start = self._at(heard.start_secs)
        end = max(start, self._at(heard.end_secs, ends=True))
        text = " ".join(heard.text.split())
        if heard.final:
            self.answered = max(self.answered, end)
            self._speech.forget(self.answered)
        elif not self._interim:
            return
        if text:
            yield self._frame(start, end, text, heard)
        elif heard.final:
            yield from self.withdraw()

    def position(self, secs: float) -> int:
        """Give the position in the speech where so many seconds of the session end."""
        return self._at(secs, ends=True) if self._runs else self.answered

    def withdraw(self) -> Iterator[TranscriptFrame]:
        """Take back the interim result that no final has replaced."""
        shown, self._shown = self._shown, None
        if shown is not None:
            yield TranscriptFrame(
                shown.user_id,
                shown.user_name,
                shown.timestamp_ms,
                shown.start_ms,
                shown.end_ms,
                "",
                source=shown.source,
                operation="delete",
            )

    def _frame(self, start: int, end: int, text: str, heard: Heard) -> TranscriptFrame:
        start_ms = round(self._speech.media_ms(start))
        end_ms = max(start_ms, round(self._speech.media_ms(end, ends=True)))
        frame = TranscriptFrame(
            self._speech.user_id,
            self._speech.user_name,
            start_ms if self._shown is None else self._shown.timestamp_ms,
            start_ms,
            end_ms,
            text,
            source=self._source,
            operation="new" if self._shown is None else "update",
            words=tuple(self._words(heard)),
            confidence=heard.confidence,
        )
        self._shown = None if heard.final else frame
        return frame

    def _words(self, heard: Heard) -> Iterator[SpokenWord]:
        for word in heard.words:
            start = self._at(word.start_secs)
            end = max(start, self._at(word.end_secs, ends=True))
            start_ms = round(self._speech.media_ms(start))
            end_ms = max(start_ms, round(self._speech.media_ms(end, ends=True)))
            yield SpokenWord(word.text, start_ms, end_ms, word.confidence)

    def _at(self, secs: float, *, ends: bool = False) -> int:
        return self._position(min(max(round(secs * RATE), 0), self._samples), ends=ends)

    def _position(self, sample: int, *, ends: bool = False) -> int:
        index = bisect_right(self._runs, sample - 1 if ends else sample, key=lambda run: run[0])
        from_sample, from_at = self._runs[max(0, index - 1)]
        return from_at + sample - from_sample
