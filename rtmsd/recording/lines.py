"""JSON lines: one object per line, UTF-8."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec
import orjson

from rtmsd.frames import ChatFrame, Event

_T = TypeVar("_T")


def encode(value: dict[str, Any]) -> bytes:
    """Encode one line. What JSON cannot hold (half a surrogate pair, a number beyond 64 bits) is approximated."""
    try:
        return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        text = json.dumps(value, ensure_ascii=False, default=str)
        return text.encode("utf-8", "replace") + b"\n"


def event_line(event: Event) -> bytes:
    """Encode an event; what it does not have is left out."""
    said: dict[str, Any] = {"timestamp_ms": event.timestamp_ms, "name": event.name}
    if event.user_id is not None:
        said["user_id"] = event.user_id
    if event.user_name is not None:
        said["user_name"] = event.user_name
    if event.details:
        said["details"] = event.details
    return encode(said)


def chat_line(frame: ChatFrame) -> bytes:
    """Encode what was done in the chat; what Zoom sent goes last, as `raw`."""
    return encode({"timestamp_ms": frame.timestamp_ms} | msgspec.structs.asdict(frame))


def line(value: msgspec.Struct) -> bytes:
    """Encode anything else with its fields as they are."""
    return encode(msgspec.to_builtins(value))


def whole_lines(data: bytes, kind: type[_T]) -> tuple[list[_T], int]:
    """Decode the lines before the first that is torn or damaged; return them and how many bytes they are."""
    decoder = msgspec.json.Decoder(kind)
    found, size = list[_T](), 0
    for one in data.splitlines(keepends=True):
        try:
            if not one.endswith(b"\n"):
                break
            orjson.loads(one)  # the decoder passes over damage in what it does not need
            found.append(decoder.decode(one))
        except (ValueError, RecursionError):
            break
        size += len(one)
    return found, size


def decode_all(data: bytes, kind: type[_T]) -> list[_T]:
    """Decode every line; raises ValueError at the first bad one."""
    decoder = msgspec.json.Decoder(kind)
    try:
        return [decoder.decode(one) for one in data.splitlines()]
    except RecursionError:
        raise ValueError("a line is nested too deeply") from None
