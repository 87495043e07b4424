"""What a tap says in lines: phrases for people, JSON for programs."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from rtmsd.diagnosis.why import one_line
from rtmsd.frames import (
    AudioFrame,
    ChatFrame,
    Event,
    Frame,
    Gap,
    Item,
    MediaKind,
    ShareFrame,
    StreamEnd,
    StreamInfo,
    TranscriptFrame,
    VideoFrame,
)
from rtmsd.runtime.clock import iso_utc

STOPPED = "rtmsd stops here; the stream may go on"

_NAMES: dict[type, str] = {
    AudioFrame: "audio",
    VideoFrame: "video",
    ShareFrame: "share",
    TranscriptFrame: "transcript",
    ChatFrame: "chat",
    Event: "event",
    Gap: "gap",
    StreamEnd: "end",
}
_CHANGES = {"update": ", corrected", "delete": ", taken back"}


class Lines:
    """Writes items as lines. `user_id`: only this participant's frames, with all that concerns the stream."""

    def __init__(self, line: Callable[[Item], str], stopped: str, user_id: int | None) -> None:
        self.left_out = 0
        self._line = line
        self._stopped = stopped
        self._user_id = user_id
        self._ended = False

    def of(self, items: Sequence[Item], now: float) -> bytes:
        """Write what there is to say of the items."""
        return b"".join(self._encoded(self._line(item)) for item in items if self._is_asked_for(item))

    def last(self) -> bytes:
        """Say that no more comes, unless the stream has said so itself."""
        return b"" if self._ended else self._encoded(self._stopped)

    def _is_asked_for(self, item: Item) -> bool:
        self._ended = self._ended or isinstance(item, StreamEnd)
        return not isinstance(item, Frame) or self._user_id in (None, item.user_id)

    @staticmethod
    def _encoded(line: str) -> bytes:
        return f"{line}\n".encode("utf-8", "replace") if line else b""


def text_lines(user_id: int | None) -> Lines:
    """Phrases as they are spoken, what is missing of them, and the end."""
    return Lines(_text, f"-- {STOPPED}", user_id)


def json_lines(stream: StreamInfo, user_id: int | None, *, samples: bool) -> Lines:
    """One object for every item, `type` first. `samples`: those of sound too, in base64."""

    def line(item: Item) -> str:
        said = _said(item)
        if isinstance(item, AudioFrame):
            data = base64.b64encode(item.data).decode() if samples else None
            said |= {"data": data} if samples else {}
        return _json(_NAMES[type(item)], said)

    return Lines(line, _json("stopped", {"stream_id": stream.stream_id, "sentence": STOPPED}), user_id)


def _said(item: Item) -> dict[str, Any]:
    said = msgspec.structs.asdict(item)
    if isinstance(item, AudioFrame | VideoFrame | ShareFrame):
        del said["data"]
        said["format"] = msgspec.structs.asdict(item.format)
        said["bytes"] = len(item.data)
    if isinstance(item, AudioFrame):
        said["duration_ms"] = item.duration_ms
    if isinstance(item, TranscriptFrame):
        said["words"] = [msgspec.structs.asdict(word) for word in item.words]
    return said


def _json(name: str, said: dict[str, Any]) -> str:
    """What JSON cannot hold is written as text; half a surrogate pair becomes a question mark when it is encoded.

    JSON lets some signs stand that a terminal obeys: those are escaped, and mean the same to who parses it.
    """
    line = json.dumps({"type": name} | said, ensure_ascii=False, separators=(",", ":"), default=str)
    if (line.isascii() and "\x7f" not in line) or one_line(line) == line:
        return line
    return "".join(
        sign if one_line(sign) == sign or _is_half(sign) else f"\\u{ord(sign):04x}" for sign in line
    )


def _is_half(sign: str) -> bool:
    return "\ud800" <= sign <= "\udfff"


def _text(item: Item) -> str:
    """Write what matters to somebody who reads along: names and words are people's, so no more than text of one line."""
    if isinstance(item, TranscriptFrame):
        who = item.user_name or f"user {item.user_id}"
        source = "" if item.source == "zoom" else f" [{item.source}]"
        change = _CHANGES.get(item.operation, "")
        return one_line(f"{_time(item.start_ms)}  {who}{source}{change}: {item.text}")
    if isinstance(item, Gap) and item.media in (None, MediaKind.TRANSCRIPT):
        return f"-- from {_time(item.from_ms)} to {_time(item.to_ms)} phrases may be missing ({item.cause})"
    if isinstance(item, StreamEnd):
        return one_line(f"-- {_time(item.timestamp_ms)}  the stream has ended: {item.sentence}")
    return ""


def _time(unix_ms: int) -> str:
    return iso_utc(unix_ms)[11:19]
