"""What the journal gives back. All times are Unix milliseconds."""

from __future__ import annotations

from dataclasses import dataclass

from rtmsd.frames import StreamInfo


@dataclass(frozen=True)
class Taken:
    """A webhook is on disk. `duplicate`: it already was, under this id."""

    id: int
    duplicate: bool


@dataclass(frozen=True, kw_only=True)
class WebhookRow:
    """A webhook that was taken; `repeats` counts how often Zoom sent it again."""

    id: int
    app: str
    event: str
    event_ts: int
    stream_id: str
    body: bytes
    received_ms: int
    repeats: int


@dataclass(frozen=True, kw_only=True)
class StreamRow:
    """A stream that this machine owns or owned.

    `segment` counts how often it was begun again, by a failover or a restart. `ended_ms` is None while it lives;
    then `reason` (Zoom's stop reason, if any), `name` and `sentence` say why it ended.
    """

    info: StreamInfo
    server_urls: tuple[str, ...]
    segment: int
    last_contact_ms: int
    ended_ms: int | None
    reason: int | None
    name: str
    sentence: str


@dataclass(frozen=True)
class MeetingRow:
    """One occurrence of a meeting, as an app heard of it. What is not known is empty; `ended_ms` None: it goes on."""

    app: str
    uuid: str
    number: str = ""
    host_id: str = ""
    account_id: str = ""
    topic: str = ""
    begun_ms: int = 0
    ended_ms: int | None = None


@dataclass(frozen=True, kw_only=True)
class NoteRow:
    """A sentence of a meeting's story. `kind`: the state of its start ("armed", "refused" …), "asked", "answered", "gap",
    "rule", "never_started". `problem`: somebody should look at it."""

    app: str
    meeting_uuid: str
    meeting_id: str = ""
    stream_id: str = ""
    at_ms: int
    kind: str
    sentence: str
    problem: bool = False
