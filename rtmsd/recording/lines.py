"""JSON lines: one object per line, UTF-8."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec
import orjson

from rtmsd.frames import Event, Gap

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
    line: dict[str, Any] = {"timestamp_ms": event.timestamp_ms, "name": event.name}
    if event.user_id is not None:
        line["user_id"] = event.user_id
    if event.user_name is not None:
        line["user_name"] = event.user_name
    if event.details:
        line["details"] = event.details
    return encode(line)


def gap_line(gap: Gap) -> bytes:
    return encode(msgspec.to_builtins(gap))


def decode_all(data: bytes, kind: type[_T]) -> list[_T]:
    """Decode every line; raises ValueError at the first bad one."""
    decoder = msgspec.json.Decoder(kind)
    try:
        return [decoder.decode(line) for line in data.splitlines()]
    except RecursionError:
        raise ValueError("a line is nested too deeply") from None
