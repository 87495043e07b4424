"""Transcripts: phrases, and what changes them (protocol.md §5.6, §6.7, §6.10)."""

from __future__ import annotations

from rtmsd.frames import TranscriptFrame
from rtmsd.protocol.codes import LANGUAGE_NUMBERS, LANGUAGES, DataMessageAttribute, number_of
from rtmsd.protocol.messages import MAX_TIMESTAMP, Content, Malformed, normalised_ms

_OPERATIONS: dict[int, str] = {
    DataMessageAttribute.UPDATE: "update",
    DataMessageAttribute.DELETE: "delete",
}
_NAMES = {name.casefold(): number for number, (_, name) in LANGUAGES.items()} | {
    tag.casefold(): number for tag, number in LANGUAGE_NUMBERS.items()
}


def transcript_frame(content: Content) -> TranscriptFrame | Malformed:
    """Decode message 17. Without start and end (before November 2025) the phrase has the time it came with.

    A phrase that is deleted may come without its text. An attribute that is not known makes it new.
    """
    if content.user_id < 0 or not 0 < content.timestamp < MAX_TIMESTAMP:
        return Malformed("transcript_without_user_or_time")
    number = number_of(DataMessageAttribute, content.attribute)
    operation = "new" if number is None else _OPERATIONS.get(number, "new")
    if type(content.data) is not str or not (content.data or operation == "delete"):
        return Malformed("transcript_without_text")
    timestamp = normalised_ms(content.timestamp)
    start = normalised_ms(content.start_time) if 0 < content.start_time < MAX_TIMESTAMP else timestamp
    end = normalised_ms(content.end_time) if 0 < content.end_time < MAX_TIMESTAMP else start
    return TranscriptFrame(
        user_id=content.user_id,
        user_name=content.user_name or "",
        timestamp_ms=timestamp,
        start_ms=start,
        end_ms=max(start, end),
        text=content.data,
        language=language_number(content.language),
        operation=operation,
    )


def language_number(value: int | str | None) -> int | None:
    """Read Zoom's number of a language, which may come as text, as the language's name or as its tag.

    A number that is not in the table is passed on; None: nothing was said, or nothing that is known.
    """
    if isinstance(value, str):
        text = value.strip()
        if text.removeprefix("-").isdecimal() and text.isascii() and len(text) < 6:
            return int(text)
        return _NAMES.get(text.casefold())
    return value
