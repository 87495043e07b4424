"""Two clients' messages side by side: as fields with a path each, what differs, and whether a table explains it."""

from __future__ import annotations

import fnmatch
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

KEEP_ALIVE_ANSWER = 13
ABSENT = "(absent)"


@dataclass(frozen=True)
class Said:
    """A message of a client: on which socket, in which kind of frame."""

    socket: str
    frame: str
    message: dict[str, Any]


@dataclass(frozen=True)
class Ids:
    """What is another value in each run, and by which word it is replaced before comparing."""

    client_id: str
    client_secret: str
    meeting_uuid: str
    stream_id: str
    session_id: str = "session-0001"

    def neutral(self, value: object) -> object:
        signed = f"{self.client_id},{self.meeting_uuid},{self.stream_id}".encode()
        signature = hmac.new(self.client_secret.encode(), signed, hashlib.sha256).hexdigest()
        words: dict[object, str] = {
            self.meeting_uuid: "(the meeting's uuid)",
            self.stream_id: "(the stream's id)",
            self.session_id: "(the session's id)",
            signature: "(the right signature)",
        }
        if isinstance(value, int) and value > 10**12:
            return "(a time)"
        return words.get(value, value)


def fields_of(said: Iterable[Said], ids: Ids) -> dict[str, object]:
    """Spread out each socket's first message of each type: `signaling 1 protocol_version` → 1.

    `signaling order` holds the types in the order they came, keep-alive answers left out: those follow the clock.
    """
    fields: dict[str, object] = {}
    order: dict[str, list[int]] = {}
    for one in said:
        number = one.message["msg_type"]
        where = f"{one.socket} {number}"
        if number != KEEP_ALIVE_ANSWER:
            order.setdefault(one.socket, []).append(number)
        if f"{where} frame" not in fields:
            fields[f"{where} frame"] = one.frame
            spread(fields, where + " ", one.message, ids)
    return fields | {f"{socket} order": tuple(numbers) for socket, numbers in order.items()}


def spread(fields: dict[str, object], path: str, value: object, ids: Ids) -> None:
    """Put each leaf of a JSON value under its path."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            spread(fields, f"{path}{key}" if path.endswith(" ") else f"{path}.{key}", inner, ids)
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            spread(fields, f"{path}[{index}]", inner, ids)
    else:
        fields[path] = ids.neutral(value) if not isinstance(value, Mapping | list) else repr(value)


def differences(one: Mapping[str, object], other: Mapping[str, object]) -> dict[str, tuple[object, object]]:
    """Give each path at which the two have not the same, with what each has."""
    return {
        path: (one.get(path, ABSENT), other.get(path, ABSENT))
        for path in sorted({*one, *other})
        if one.get(path, ABSENT) != other.get(path, ABSENT)
    }


def assert_explained(different: Mapping[str, tuple[object, object]], reasons: Mapping[str, str]) -> None:
    """Each difference must have a row in the table, and each row a difference. `*` stands for anything in a row."""
    unexplained = {
        path: values
        for path, values in different.items()
        if not any(fnmatch.fnmatchcase(path, row.replace("[", "[[]")) for row in reasons)
    }
    idle = [row for row in reasons if not fnmatch.filter(different, row.replace("[", "[[]"))]
    assert not unexplained, f"differs, and the table does not say why: {unexplained}"
    assert not idle, f"these rows of the table explain nothing: {idle}"
