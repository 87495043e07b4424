"""What is kept so that nothing is taken twice, and how much that is."""

from __future__ import annotations

import tracemalloc

from rtmsd.frames import ChatFrame, TranscriptFrame
from rtmsd.protocol.duplicates import Duplicates


def phrase(text: str, timestamp_ms: int = 1) -> TranscriptFrame:
    return TranscriptFrame(7, "Ann", timestamp_ms, 1, 2, text)


def said(text: str, message_id: str = "m") -> ChatFrame:
    return ChatFrame(7, "Ann", 1, "new", message_id, text)


def test_a_text_is_new_once() -> None:
    """The same phrase, or the same line, at the same time is a duplicate; another text is not."""
    known = Duplicates()
    assert [known.is_new_transcript(phrase(text)) for text in ("yes", "no", "yes", "no", "yes!")] == [
        True,
        True,
        False,
        False,
        True,
    ]
    assert known.is_new_transcript(phrase("yes", timestamp_ms=2))
    lines = [("a", "m"), ("a", "m"), ("a", "n"), ("b", "m"), ("b", "m")]
    assert [known.is_new_chat(said(*line)) for line in lines] == [True, False, True, True, False]


def test_long_texts_are_not_kept() -> None:
    """A hundred phrases of a megabyte leave a few kilobytes."""
    known = Duplicates()
    tracemalloc.start()
    try:
        for number in range(100):
            assert known.is_new_transcript(phrase(f"{number}" + "x" * 1_000_000))
            assert known.is_new_chat(said("x" * 1_000_000, message_id=f"{number}"))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 500_000
