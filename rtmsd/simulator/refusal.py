"""How a handshake is refused, and how its parameters are read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal

from rtmsd.protocol.codes import MediaContentType, StatusCode

Strictness = Literal["zoom", "strict", "lenient"]
"""How parameters about which Zoom's sources disagree are judged (protocol.md §10 C21–C24), as docs/scenarios.md tells."""


class Refused(Exception):
    """A handshake that Zoom answers with this status."""

    def __init__(self, status: StatusCode) -> None:
        self.status = status
        super().__init__(status.name)


def table(asked: object, status: StatusCode) -> Mapping[str, Any]:
    """Take the parameters of one medium; null and missing are an empty table. Raises Refused."""
    if asked is None:
        return {}
    if not isinstance(asked, dict):
        raise Refused(status)
    return asked


def chosen(
    asked: Mapping[str, Any], key: str, default: int, allowed: Collection[int], status: StatusCode
) -> int:
    """Take one number; null and missing are the default. Raises Refused when it is not allowed."""
    value = asked.get(key)
    if value is None:
        return default
    if not is_number(value) or value not in allowed:
        raise Refused(status)
    return int(value)


def check_text(asked: Mapping[str, Any], status: StatusCode) -> None:
    """Check the content type of a medium that can only be text. Raises Refused."""
    chosen(asked, "content_type", MediaContentType.TEXT, (MediaContentType.TEXT,), status)


def is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
