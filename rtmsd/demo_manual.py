"""The demo of `--manual`: a guest comes first, the start is accepted and nothing happens, until the host comes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from rtmsd.demo import follow, introduce, judge, running_daemon, webhook_url, workplace
from rtmsd.demo_show import Show, progress
from rtmsd.diagnosis.why import why
from rtmsd.runtime.clock import Clock
from rtmsd.simulator import Says, guest_first_meeting
from rtmsd.simulator.cloud import HOST_ID, Cloud, Gathering, Sent, new_credentials
from rtmsd.state.past import Story, read_journal

PROMPT_SECS = 2.0
"""So soon after the host's joining the stream has to begin."""

_TICK_SECS = 0.25
_SHOWN_EVERY = 4
_HANDLING_TICKS = 20
_HELD_BACK_MS = 300
"""What happened is told so late, so that what the journal gets later stands at its place."""

_MANUAL = """\
start = "manual"

[apps.manual]
account_id = "{account_id}"
client_id = "{client_id}"
client_secret = {{ env = "RTMSD_DEMO_CONTROLLER_SECRET" }}
"""


async def run_manual_demo(
    *, seconds: float, output: Path | None, keep: bool, out: TextIO, clock: Clock | None = None
) -> int:
    """Let rtmsd have a meeting's stream started, tell the story as it happens, and return the exit status.

    It is 0 only when the stream began within PROMPT_SECS of the host's joining and the recording is complete; where that
    is, see `run_demo`. `clock` is another than the real one, in tests. Raises RtmsdError when a part cannot start.
    """
    clock = clock or Clock()
    app, controller = new_credentials("demo")
    diary = _Diary(clock)
    with workplace(output, keep=keep) as place:
        async with Cloud(
            apps=[app],
            controllers=[controller],
            directory=place.directory / "zoom",
            clock=clock,
            tell=diary.zoom_told,
        ) as zoom:
            place.write_config(
                ca_file=zoom.ca_file,
                client_id=app.client_id,
                zoom=f'oauth_url = "{zoom.oauth_url}"\napi_url = "{zoom.api_url}"\n',
                app=_MANUAL.format(account_id=controller.account_id, client_id=controller.client_id),
            )
            passwords = {
                "RTMSD_DEMO_CLIENT_SECRET": app.client_secret,
                "RTMSD_DEMO_WEBHOOK_SECRET": app.webhook_secret,
                "RTMSD_DEMO_CONTROLLER_SECRET": controller.client_secret,
            }
            meeting = zoom.plan(meeting=guest_first_meeting(seconds))
            async with running_daemon(place, passwords, clock) as at:
                zoom.set_webhook(app.name, webhook_url(at))
                introduce(zoom.signaling_url, at, out)
                out.write(
                    f"Meeting {meeting.number}, {seconds:g} s. Nothing starts by itself in it: rtmsd has to ask.\n"
                )
                with progress(at.report, out) as show:
                    story = _Story(diary, zoom.sent, meeting, place.state_dir, show)
                    await follow(meeting.play(), at.report, story.tick, every_secs=_TICK_SECS)
                    await story.finish()
        prompt = _judge_start(zoom.sent, out)
        whole = judge(place, out)
        _tell_why(place.state_dir, meeting.number, clock.wall_ms(), out)
        if keep:
            out.write(f"Every step of it: rtmsd why {meeting.number} -c {place.config}\n")
        else:
            out.write("With --keep the journal stays, and tells every step.\n")
        return 0 if prompt and whole else 1


@dataclass(frozen=True)
class _Line:
    """Something that happened: when (Unix ms), whether rtmsd did it, and the sentence."""

    at_ms: int
    ours: bool
    sentence: str


class _Diary:
    """What the simulated cloud says of REST and tokens, with the time."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.lines: list[_Line] = []

    def zoom_told(self, sentence: str) -> None:
        if sentence.startswith(("REST:", "A token")):  # events are told by what they hold
            self.lines.append(_Line(self.clock.wall_ms(), False, sentence))


class _Story:
    """Tells what people and Zoom do, and what rtmsd notes in its journal, in the order of time."""

    def __init__(
        self, diary: _Diary, sent: list[Sent], meeting: Gathering, state_dir: Path, show: Show
    ) -> None:
        self._diary = diary
        self._sent = sent
        self._meeting = meeting
        self._state_dir = state_dir
        self._show = show
        self._zero_ms = self._told_ms = 0
        self._seen = [0, 0, 0]
        self._waiting: list[_Line] = []
        self._noted = ""
        self._ticks = 0

    async def tick(self) -> None:
        """Tell what is new, and now and then how the stream is."""
        await self._tell(self._diary.clock.wall_ms() - _HELD_BACK_MS)
        if self._ticks % _SHOWN_EVERY == 0:
            await self._show.tick()
        self._ticks += 1

    async def finish(self) -> None:
        """Tell the rest, when all that Zoom sent was handled, or should long be."""
        for _ in range(_HANDLING_TICKS):
            if await asyncio.to_thread(self._all_handled):
                break
            await asyncio.sleep(_TICK_SECS)
        await asyncio.sleep(_TICK_SECS)  # notes are written a moment later
        await self._tell(self._diary.clock.wall_ms())

    async def _tell(self, until_ms: int) -> None:
        notes = await asyncio.to_thread(self._notes)
        if not self._sent:
            return
        if not self._zero_ms:
            self._zero_ms = self._sent[0].event_ms
            self._waiting += self._speech()
        # What is heard of late, as rtms_stopped is, is told with the time of the telling.
        new = self._new(self._diary.lines, self._events(), notes)
        self._waiting += [replace(line, at_ms=max(line.at_ms, self._told_ms)) for line in new]
        self._told_ms = until_ms
        self._waiting.sort(key=lambda line: (line.at_ms, not line.ours))
        while self._waiting and self._waiting[0].at_ms <= until_ms:
            self._say(self._waiting.pop(0))

    def _new(self, *sources: list[_Line]) -> list[_Line]:
        """Give what was added to each of these since the last call."""
        new = [line for seen, lines in zip(self._seen, sources, strict=True) for line in lines[seen:]]
        self._seen = [len(lines) for lines in sources]
        return new

    def _say(self, line: _Line) -> None:
        if line.ours:
            if line.sentence in self._noted:  # the answer to a request says what the state is then
                return
            self._noted = line.sentence
        begin = f"{(line.at_ms - self._zero_ms) / 1000:6.1f} s  {'rtmsd' if line.ours else 'Zoom':<5}  "
        self._show.say(begin + line.sentence, indent=len(begin))

    def _speech(self) -> list[_Line]:
        names = {person.user_id: person.name for person in self._meeting.meeting.people}
        return [
            _Line(self._zero_ms + one.at_ms, False, f"{names[one.user_id]} says: {one.sentence.text}")
            for one in self._meeting.meeting.timeline
            if isinstance(one, Says)
        ]

    def _events(self) -> list[_Line]:
        return [_Line(one.event_ms, False, told) for one in self._sent if (told := _in_words(one))]

    def _notes(self) -> list[_Line]:
        return [_Line(note.at_ms, True, note.sentence) for note in self._journal().notes]

    def _all_handled(self) -> bool:
        return sum(bool(webhook.note) for webhook in self._journal().webhooks) >= len(self._sent)

    def _journal(self) -> Story:
        with read_journal(self._state_dir) as past:
            return past.story(str(self._meeting.number))


def _in_words(sent: Sent) -> str:
    """Tell an event in a sentence; empty for those that only say again what another says."""
    name, role = _who(sent)
    match sent.event:
        case "meeting.started":
            return "The meeting begins."
        case "meeting.participant_joined":
            return f"{name}, {role}, joins."
        case "meeting.participant_left":
            return f"{name} leaves."
        case "meeting.ended":
            return "The meeting ends."
        case "meeting.rtms_started":
            return "The stream begins: Zoom sends rtms_started."
        case "meeting.rtms_stopped":
            return f"The stream is over: Zoom sends rtms_stopped, reason {sent.payload['stop_reason']}."
    return ""


def _who(sent: Sent) -> tuple[str, str]:
    """Give the name of whom an event is about, and whether it is the host."""
    thing = sent.payload.get("object")
    person = thing.get("participant", {}) if isinstance(thing, dict) else {}
    return person.get("user_name", ""), "the host" if person.get("id") == HOST_ID else "a guest"


def _judge_start(sent: list[Sent], out: TextIO) -> bool:
    """Say how long after the host's joining the stream began; tell whether that was soon."""
    came = [
        one.event_ms
        for one in sent
        if one.event == "meeting.participant_joined" and _who(one)[1] == "the host"
    ]
    began = [one.event_ms for one in sent if one.event == "meeting.rtms_started"]
    if not came or not began:
        out.write(f"{'The stream never began' if came else 'The host never came'}: the demo failed.\n")
        return False
    secs = (began[0] - came[0]) / 1000
    soon = 0 <= secs <= PROMPT_SECS
    judged = "at most" if soon else "the demo failed, for it has to be within"
    out.write(f"The stream began {secs:.1f} s after the host had joined ({judged} {PROMPT_SECS:g} s).\n")
    return soon


def _tell_why(state_dir: Path, number: int, now_ms: int, out: TextIO) -> None:
    with read_journal(state_dir) as past:
        told = why(past, str(number), now_ms=now_ms)
    out.write(f"rtmsd why {number}\n  {told.lines[0]}\n")
