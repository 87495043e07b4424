"""Understand what a transcription server answers, with times or without."""

from __future__ import annotations

import math

import msgspec

from rtmsd_transcribe.engine import EngineLost, Heard, Word
from rtmsd_transcribe.engines.pieces import Piece

# Rounding may put an end behind the sound's; what is further out is no time.
_TOLERANCE_SECS = 1.0


class _Segment(msgspec.Struct):
    text: str
    start: float | None = None
    end: float | None = None
    avg_logprob: float | None = None
    no_speech_prob: float | None = None


class _Word(msgspec.Struct):
    word: str
    start: float
    end: float


class _Answer(msgspec.Struct):
    text: str
    segments: list[_Segment] | None = None
    words: list[_Word] | None = None


class _Error(msgspec.Struct):
    code: str | None = None


class _Refusal(msgspec.Struct):
    error: _Error


def error_code(body: bytes) -> str | None:
    """Give the code of an error answer; None when there is none."""
    try:
        return msgspec.json.decode(body, type=_Refusal).error.code
    except (msgspec.MsgspecError, ValueError):
        return None


def understood(body: bytes, piece: Piece, *, no_speech: float) -> list[Heard]:
    """Give what was said in a piece, times from its beginning, one per segment.

    Servers that give no usable times get those where the piece's speech begins and ends. Segments that are silence with
    a probability above `no_speech` are dropped: models make up words for them. Raises EngineLost.
    """
    answer = _decoded(body)
    segments = answer.segments or []
    if not _have_times(segments, piece.secs):
        return _without_times(answer, piece, no_speech)
    words = _words(answer.words or [])
    return [
        _heard(segment, words)
        for segment in segments
        if segment.text.strip() and not _silent(segment, no_speech)
    ]


def _decoded(body: bytes) -> _Answer:
    try:
        return msgspec.json.decode(body, type=_Answer)
    except (msgspec.MsgspecError, ValueError):
        pass
    # Outside of the handler: the decoder's error may hold what was said.
    raise EngineLost("openai sent an answer that is not as its documentation says; is the url right?")


def _have_times(segments: list[_Segment], secs: float) -> bool:
    """Some servers leave times out, or make all of them 0."""
    last = 0.0
    for segment in segments:
        if segment.start is None or segment.end is None or not last <= segment.end <= secs + _TOLERANCE_SECS:
            return False
        if not 0 <= segment.start <= segment.end:
            return False
        last = segment.end
    return last > 0


def _silent(segment: _Segment, no_speech: float) -> bool:
    return segment.no_speech_prob is not None and segment.no_speech_prob > no_speech


def _words(words: list[_Word]) -> list[Word]:
    return [Word(word.word.strip(), word.start, word.end) for word in words if word.word.strip()]


def _heard(segment: _Segment, words: list[Word]) -> Heard:
    assert segment.start is not None
    assert segment.end is not None
    inside = tuple(
        word for word in words if segment.start <= (word.start_secs + word.end_secs) / 2 < segment.end
    )
    return Heard(
        text=segment.text.strip(),
        # Segments begin and end somewhere in the silence around their words.
        start_secs=inside[0].start_secs if inside else segment.start,
        end_secs=inside[-1].end_secs if inside else segment.end,
        final=True,
        words=inside,
        confidence=None if segment.avg_logprob is None else min(math.exp(segment.avg_logprob), 1.0),
    )


def _without_times(answer: _Answer, piece: Piece, no_speech: float) -> list[Heard]:
    segments = answer.segments or []
    kept = [segment for segment in segments if not _silent(segment, no_speech)]
    dropped = len(kept) < len(segments)
    text = " ".join(segment.text.strip() for segment in kept) if dropped else answer.text.strip()
    words = tuple(_words(answer.words or [])) if not dropped else ()
    if words and words[-1].end_secs > 0:
        return [Heard(text, words[0].start_secs, words[-1].end_secs, True, words)] if text else []
    return [Heard(text, piece.speech_start_secs, piece.speech_end_secs, True)] if text else []
