"""One sentence to "why did it not start, why did it stop, why has it a hole", from what the journal knows of a meeting."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rtmsd.diagnosis.codes import stop_reason
from rtmsd.protocol.codes import StopReason
from rtmsd.state.past import PastWebhook, Story
from rtmsd.state.rows import MeetingRow, NoteRow, StreamRow

CONTACT_MS = 90_000
"""A living stream is in contact again and again; after this long without, nobody serves it."""

SILENT_MS = 12 * 3_600_000
"""A meeting of which nothing was heard for so long is over, though nobody said so."""

LATE_MS = 10_000
"""A stream that begins later than this after its meeting began late."""

When = Callable[[int], str]
"""Writes Unix ms as the reader's time of day."""


@dataclass(frozen=True)
class Answer:
    """The sentence, and whether somebody should do something about it."""

    sentence: str
    problem: bool


@dataclass(frozen=True)
class _Part:
    """What one app knows of the meeting, each list oldest first."""

    app: str
    meeting: MeetingRow | None
    webhooks: list[PastWebhook]
    notes: list[NoteRow]
    streams: list[StreamRow]


def answer(story: Story, *, now_ms: int, when: When) -> Answer:
    """Answer for the app that has the worst to tell; the others are named when they differ. `story` is not empty."""
    parts = [_part(story, app) for app in apps_of(story)]
    answers = [(part.app, _of_app(part, now_ms, when)) for part in parts]
    problems = [one for one in answers if one[1].problem]
    app, told = (problems or answers)[0]
    if len(answers) == 1:
        return told
    others = ", ".join(
        f"{name}: {'a problem too' if one.problem else 'all is well'}" for name, one in answers if name != app
    )
    return Answer(f"App {app}: {told.sentence} ({others}.)", told.problem)


def apps_of(story: Story) -> list[str]:
    """List the apps that know of a meeting, by name."""
    names = {row.app for rows in (story.meetings, story.webhooks, story.notes) for row in rows}
    return sorted(names | {row.info.app for row in story.streams})


def _part(story: Story, app: str) -> _Part:
    return _Part(
        app,
        next((row for row in reversed(story.meetings) if row.app == app), None),
        [row for row in story.webhooks if row.app == app],
        [row for row in story.notes if row.app == app],
        [row for row in story.streams if row.info.app == app],
    )


def _of_app(part: _Part, now_ms: int, when: When) -> Answer:
    if part.streams:
        return _of_streams(part, now_ms, when)
    return _of_no_stream(part, now_ms, when)


def _of_streams(part: _Part, now_ms: int, when: When) -> Answer:
    """Some stream was joined: is it going on, why did the last one end, and what is missing?"""
    living = [row for row in part.streams if row.ended_ms is None]
    last = (living or part.streams)[-1]
    told, problem = _end(last, now_ms, when)
    broken = [row for row in part.streams if row is not last and row not in living and not went_well(row)]
    if broken:
        told += f" Besides, {_number(len(broken), 'stream')} of this meeting broke off; the first: {broken[0].sentence}"
    problems = [note for note in part.notes if note.problem and note.kind not in ("gap", "answered")]
    later = [note for note in problems if note.at_ms >= (last.ended_ms or now_ms)]
    if later:
        told += f" {later[-1].sentence}"
    holes = [note for note in part.notes if note.kind == "gap"]
    if holes:
        told += f" It has {_number(len(holes), 'hole')}; the last: {holes[-1].sentence}"
    told += _late(part, problems)
    return Answer(told, problem or bool(holes or broken or later))


def _late(part: _Part, problems: Sequence[NoteRow]) -> str:
    """Say what kept a stream from beginning with the meeting."""
    began_ms, first_ms = part.meeting.begun_ms if part.meeting else 0, part.streams[0].info.started_ms
    before = [note for note in problems if note.at_ms <= first_ms]
    if began_ms <= 0 or not before or first_ms - began_ms < LATE_MS:  # 0: unknown; less: no time at all
        return ""
    return f" It began {(first_ms - began_ms) // 1000} s after the meeting. Before: {before[-1].sentence}"


def went_well(row: StreamRow) -> bool:
    """Whether a stream ended the way streams end when all is well."""
    if row.reason is not None:
        return stop_reason(row.reason).expected
    return row.name == "ENDED"


def _never_joined(row: StreamRow) -> bool:
    refused = row.reason in (StopReason.AUTHENTICATION_FAILURE, StopReason.CONNECTION_TIMEOUT)
    return refused or row.name in ("REFUSED", "REJECTED", "UNREACHABLE", "NO_MEDIA", "BAD_URL")


def _end(row: StreamRow, now_ms: int, when: When) -> tuple[str, bool]:
    if row.ended_ms is not None:
        what = (
            "It was not recorded." if _never_joined(row) else f"It was recorded until {when(row.ended_ms)}."
        )
        return f"{what} {row.sentence}".strip(), not went_well(row)
    away_ms = now_ms - row.last_contact_ms
    if away_ms > CONTACT_MS:
        return (
            f"Its stream was last connected at {when(row.last_contact_ms)}, and nobody has ended it since: rtmsd does not run, or "
            "cannot connect. Start it; what Zoom still has is recorded, the rest is noted as missing.",
            True,
        )
    return f"It is being recorded, since {when(row.info.started_ms)}.", False


def _of_no_stream(part: _Part, now_ms: int, when: When) -> Answer:
    """Nothing was joined: what became of a stream that was announced, else of the start, else of what Zoom told."""
    over = _over(part, now_ms)
    told = "It was not recorded." if over else "It is not recorded yet."
    announced = [row for row in part.webhooks if row.event.endswith("rtms_started")]
    if announced:
        note = announced[-1].note or "The start of its stream was not handled yet: is rtmsd running?"
        by_rule = _NOT_TAKEN in note and _NOT_KNOWN not in note
        return Answer(f"{told} {note}", not by_rule)
    if sentence := _of_its_start(part):
        return Answer(f"{told} {_looking_back(sentence) if over else sentence}", True)
    rules = [note for note in part.notes if note.kind == "rule"]
    if rules or (part.notes and not over):
        return Answer(f"{told} {(rules or part.notes)[-1].sentence}", False)
    return _as_zoom_told(part, over, when)


# In the sentences of `start.rules`: a rule that is not met, and one that could not be judged.
_NOT_TAKEN, _NOT_KNOWN = "is not taken: ", "Zoom did not say"


def _of_its_start(part: _Part) -> str:
    """Tell what kept the app from being started; empty when nothing is known to have gone wrong."""
    problems = [note for note in part.notes if note.problem and note.kind != "gap"]
    ends = [note for note in problems if note.kind == "given_up"]
    answers = [
        note for note in problems if note.kind == "answered"
    ]  # their states say it again, in plainer words
    states = [note for note in problems if note not in ends and note not in answers]
    if states:
        budget = [note.sentence for note in ends if not note.sentence.startswith("The meeting ended")]
        return " ".join([states[-1].sentence, *budget[-1:]])
    if answers:
        return answers[-1].sentence
    return f"{ends[-1].sentence} {_NEVER_ANNOUNCED}" if ends else ""


# In the sentences of `start.attempts`: what is no news any more, and what a host could do about.
_AGAIN = re.compile(r" ?It is asked again[^.]*\.")
_SILENT = "no stream came within"


def _looking_back(sentence: str) -> str:
    """Tell of a start that is over: nothing is asked again, but the next meeting can go better."""
    told = _AGAIN.sub("", sentence)
    if _SILENT in told:
        told += (
            " The next time the host has to join, or to authorise the app beforehand ([[apps.hosts]]), or Zoom to start it "
            '(start = "auto"): rtmsd explain silent-start.'
        )
    return told


def _as_zoom_told(part: _Part, over: bool, when: When) -> Answer:
    """Go by the events alone."""
    if _event(part.webhooks, "rtms_stopped"):
        return Answer(
            "It was not recorded: rtmsd got the end of a stream, and never its start. Subscribe the app to RTMS started, and see "
            "whether rtmsd ran when the meeting began.",
            True,
        )
    began = _event(part.webhooks, ".started")
    if began is None and not over:
        return Answer(
            "It has not started, as far as Zoom told: somebody waits, or it is only expected. A waiting room overrides joining "
            "before the host: rtmsd explain waiting-room.",
            False,
        )
    at = f" at {when(began.received_ms)}" if began is not None else ""
    return Answer(
        f"It was not recorded: the meeting began{at}, and Zoom never announced a stream. {_NEVER_ANNOUNCED}",
        True,
    )


_NEVER_ANNOUNCED = (
    "Either the app does not start by itself for this host (Settings, Zoom Apps in Zoom's web portal: rtmsd explain "
    "setting-hidden), or the host's account may not have it (rtmsd explain no-webhook), or the app is not subscribed to RTMS "
    "started (rtmsd doctor)."
)


def _over(part: _Part, now_ms: int) -> bool:
    """Whether nothing more is to be expected: Zoom said so, its start is settled, or nothing was heard for long."""
    if part.meeting is not None and part.meeting.ended_ms is not None:
        return True
    if _event(part.webhooks, "meeting.ended") is not None:
        return True
    if any(note.kind in ("refused", "given_up", "never_started", "rule") for note in part.notes[-1:]):
        return True
    heard = [row.received_ms for row in part.webhooks] + [note.at_ms for note in part.notes]
    return now_ms - max(heard, default=now_ms) > SILENT_MS


def _event(webhooks: Sequence[PastWebhook], suffix: str) -> PastWebhook | None:
    return next((row for row in webhooks if row.event.endswith(suffix)), None)


def _number(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
