"""Tell the story of a meeting from the journal: an answer, the facts, and what happened when."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from rtmsd.diagnosis.answer import answer, apps_of
from rtmsd.protocol.messages import normalised_ms
from rtmsd.state.past import Past, PastWebhook, Story
from rtmsd.state.rows import MeetingRow, StreamRow

LATE_MS = 5_000
"""A webhook that came later than this after its event is told with its delay."""

_RANKS = {"webhook": 0, "note": 1, "stream": 2}
"""What comes first at the same instant: a webhook is the cause of what follows."""


@dataclass(frozen=True)
class Told:
    """The lines to print; `known` is False when the journal has nothing of that meeting."""

    lines: list[str]
    known: bool


@dataclass(frozen=True)
class _Line:
    at_ms: int
    rank: int
    app: str
    what: str
    sentence: str


def why(past: Past, key: str, *, now_ms: int, zone: tzinfo | None = None) -> Told:
    """Tell of the meeting with this number, UUID or stream id: of its newest occurrence, and which others there were.

    `zone`: of the reader; None is this machine's. Raises JournalError.
    """
    key = plain(key)
    story = past.story(key)
    if story.empty:
        return Told([_unknown(one_line(key))], known=False)
    uuids = _occurrences(story)
    if len(uuids) > 1:
        story = past.story(uuids[-1])
    lines = [f"Why: {answer(story, now_ms=now_ms, when=lambda ms: _clock(ms, zone)).sentence}", ""]
    lines += _facts(story, key, zone)
    if len(uuids) > 1:
        lines.append(f"  it was held before; for those, rtmsd why with their UUID: {', '.join(uuids[:-1])}")
    return Told([one_line(line) for line in (*lines, "", *_timeline(story, zone))], known=True)


def plain(key: str) -> str:
    """Meeting numbers are written with spaces and dashes at times."""
    key = key.strip()
    digits = re.sub(r"[\s-]", "", key)
    return digits if digits.isdigit() else key


def _unknown(key: str) -> str:
    return (
        f"Why: nothing is known of {key}: no webhook that names it ever came, or it is more than 30 days old. Compare the number or "
        "UUID with Zoom's. If it is right, the app is not added or not authorised by the meeting's host, sharing realtime content is "
        "off for that account (rtmsd explain no-webhook, rtmsd explain setting-hidden), or webhooks do not reach this machine, or are "
        "refused: those whose signature is wrong, or whose time is more than 300 s off this machine's clock, are not in the journal. "
        "The status page and the log count them with the cause; rtmsd doctor compares clock and secrets."
    )


# Controls move the cursor or ring; separators and marks of direction let foreign text pass for other lines of ours.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def one_line(line: str) -> str:
    """Topics and names come from people: nothing of a line may be more than text in it."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", line)


def _occurrences(story: Story) -> list[str]:
    """List the UUIDs of the meeting's occurrences, in the order in which they began."""
    began: dict[str, int] = {}
    for row in story.meetings:
        began[row.uuid] = min(row.begun_ms, began.get(row.uuid, row.begun_ms))
    for stream in story.streams:
        uuid = stream.info.meeting_uuid
        began.setdefault(uuid, stream.info.started_ms)
    for note in story.notes:
        if note.meeting_uuid:
            began.setdefault(note.meeting_uuid, note.at_ms)
    return sorted(began, key=lambda uuid: began[uuid])


def _facts(story: Story, key: str, zone: tzinfo | None) -> Iterator[str]:
    meeting = _merged(story.meetings)
    info = story.streams[-1].info if story.streams else None
    uuid = (meeting.uuid if meeting else "") or (info.meeting_uuid if info else "")
    noted = next((note.meeting_id for note in story.notes if note.meeting_id), "")
    number = (meeting.number if meeting else "") or (info.meeting_id if info else "") or noted
    number = number or (key if key != uuid else "of unknown number")
    topic = f" “{meeting.topic}”" if meeting and meeting.topic else ""
    yield f"Meeting {number}{topic}{f', UUID {uuid}' if uuid else ''}"
    if meeting:
        ids = {"account": meeting.account_id, "host": meeting.host_id}
        yield from (f"  {what} {value}" for what, value in ids.items() if value)
        if meeting.begun_ms:
            yield f"  began {_moment(meeting.begun_ms, zone)}"
        yield "  has not ended" if meeting.ended_ms is None else f"  ended {_moment(meeting.ended_ms, zone)}"
    apps = apps_of(story)
    yield f"  app{'s' * (len(apps) != 1)} {', '.join(apps)}; streams: {len(story.streams)}"


def _merged(meetings: list[MeetingRow]) -> MeetingRow | None:
    """Every app has its own row of a meeting, and may know what others do not."""
    if not meetings:
        return None
    texts = {
        key: next((value for row in meetings if (value := getattr(row, key))), "")
        for key in ("uuid", "number", "host_id", "account_id", "topic")
    }
    ended = [row.ended_ms for row in meetings if row.ended_ms is not None]
    began = [row.begun_ms for row in meetings if row.begun_ms]
    return MeetingRow(app="", begun_ms=min(began, default=0), ended_ms=max(ended) if ended else None, **texts)


def _timeline(story: Story, zone: tzinfo | None) -> Iterator[str]:
    lines = [_webhook(row) for row in story.webhooks]
    lines += [_Line(row.at_ms, _RANKS["note"], row.app, row.kind, row.sentence) for row in story.notes]
    lines += [line for row in story.streams for line in _stream(row)]
    app_width = max((len(line.app) for line in lines), default=0)
    what_width = max((len(line.what) for line in lines), default=0)
    day = ""
    for line in sorted(lines, key=lambda line: (line.at_ms, line.rank)):
        if (today := _moment(line.at_ms, zone).partition(" ")[0]) != day:
            day = today
            yield f"{day} ({_zone_of(line.at_ms, zone)})"
        yield f"{_clock(line.at_ms, zone)}  {line.app:<{app_width}}  {line.what:<{what_width}}  {line.sentence}".rstrip()


def _webhook(row: PastWebhook) -> _Line:
    told = [row.note] if row.note else ["It was not handled yet."]
    late_ms = row.received_ms - normalised_ms(row.event_ts)
    if row.event_ts > 0 and late_ms > LATE_MS:
        told.append(f"It came {late_ms // 1000} s after the event.")
    if row.repeats:
        told.append(f"Zoom sent it {row.repeats} more time{'s' * (row.repeats != 1)}.")
    return _Line(row.received_ms, _RANKS["webhook"], row.app, row.event, " ".join(told))


def _stream(row: StreamRow) -> Iterator[_Line]:
    """A stream's beginning, and its end or its last contact."""
    name, rank, app = f"stream {row.info.stream_id[:8]}", _RANKS["stream"], row.info.app
    again = (
        f" Begun again {row.segment} time{'s' * (row.segment != 1)}, by a failover or a restart."
        if row.segment
        else ""
    )
    yield _Line(row.info.started_ms, rank, app, name, f"{row.info.stream_id} begins.{again}")
    if row.ended_ms is not None:
        yield _Line(
            row.ended_ms, rank, app, name, f"It ends ({row.name or 'UNKNOWN'}). {row.sentence}".strip()
        )
    else:
        yield _Line(row.last_contact_ms, rank, app, name, "It was connected; it has not ended.")


def _local(ms: int, zone: tzinfo | None) -> datetime:
    """Give the reader's time, whatever came as one: other units are recognised, and what is before 1970 is 1970."""
    return datetime.fromtimestamp(normalised_ms(max(ms, 0)) / 1000, UTC).astimezone(zone)


def _clock(ms: int, zone: tzinfo | None) -> str:
    return _local(ms, zone).strftime("%H:%M:%S")


def _moment(ms: int, zone: tzinfo | None) -> str:
    return _local(ms, zone).strftime("%Y-%m-%d %H:%M:%S")


def _zone_of(ms: int, zone: tzinfo | None) -> str:
    offset = _local(ms, zone).strftime("%z")
    return f"UTC{offset[:3]}:{offset[3:5]}"
