"""Starts one app in its meetings: a StartMachine for each, whose requests, timers and sentences are carried out here."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from typing import Any, Protocol

import structlog

from rtmsd.config import AppConfig
from rtmsd.errors import JournalError
from rtmsd.protocol.codes import StopReason
from rtmsd.protocol.lifecycle import Lifecycle
from rtmsd.runtime.clock import Clock
from rtmsd.start.attempts import StartMachine
from rtmsd.start.meetings import (
    SAID,
    StartedMeeting,
    adds_nothing,
    merged,
    read_meeting,
    row_of,
    who,
)
from rtmsd.start.rules import Facts, refused_meeting
from rtmsd.start.story import StoryWriter
from rtmsd.start.values import Action, Ask, Means, State, Tell, WakeAt, Worked
from rtmsd.state import Journal, MeetingRow, StreamRow
from rtmsd.zoom.meetings import Action as AppAction
from rtmsd.zoom.oauth import TokenError
from rtmsd.zoom.replies import Meaning, Reply, Verdict, meaning

LOOK_UP_SECS = 5.0
"""An announced stream waits for the answer, and Zoom for us: a minute in all."""

STALE_MS = 2 * 3600 * 1000
"""What happened longer ago is of a meeting that is most likely over: Zoom's last repeat comes after 85 minutes."""

MEETINGS_KEPT = 200
"""Meetings that are over and can still be looked at; all are in the journal."""


class Calls(Protocol):
    """What is asked of Zoom; see `zoom.calls.AppCalls`."""

    async def set_app(
        self, meeting_id: str, action: AppAction, *, as_user: str = "", for_user: str = ""
    ) -> Reply: ...

    async def meeting(self, number_or_uuid: str, *, host_id: str = "") -> Reply: ...

    async def live_meetings(self, user_id: str) -> Reply: ...

    def may_ask(self, user_id: str) -> bool: ...


class Starter:
    """All meetings of one app. `schedule` runs a coroutine as a supervised task of the daemon.

    Raises JournalError from `happened`, `ended` and the like; what is done later logs it instead.
    """

    def __init__(
        self,
        app: AppConfig,
        *,
        calls: Calls,
        journal: Journal,
        clock: Clock,
        schedule: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self.app = app
        self.meetings: dict[str, StartedMeeting] = {}  # by UUID, the newest last
        self.story = StoryWriter(app.name, journal, clock)
        self._calls = calls
        self._journal = journal
        self._clock = clock
        self._schedule = schedule
        self.means = _means(app)
        self._ended_before: dict[str, int] = {}
        self._streams_before: dict[str, StreamRow] = {}
        self.missing: deque[StartedMeeting] = deque(maxlen=20)  # expected, and never heard of
        self.attempts: Counter[str] = Counter()  # requests to start, by what Zoom's answer meant
        self.never_started = 0
        self.confirmed = 0  # requests that a stream followed
        self.confirm_secs = 0.0  # how long that took, in all
        self._log = structlog.get_logger("rtmsd.start").bind(app=app.name)

    # What happens

    def remember(self, meetings: Iterable[MeetingRow], streams: Iterable[StreamRow]) -> None:
        """Learn what daemons before this one knew: which meetings were over, and how streams ended; the newest first."""
        for meeting in meetings:
            if meeting.app == self.app.name and meeting.ended_ms is not None:
                self._ended_before[meeting.uuid] = meeting.ended_ms
        for row in streams:
            if row.info.app == self.app.name:
                self._streams_before.setdefault(row.info.meeting_uuid, row)

    async def happened(self, life: Lifecycle) -> str:
        """Zoom told of a meeting's life; returns what was done, in a sentence."""
        now_ms = self._clock.wall_ms()
        what = SAID.get(life.happening, who(life))
        if life.at_ms and now_ms - life.at_ms > STALE_MS and life.happening != "ended":
            return f"{what} That was told too late to act upon."
        meeting = await self._meeting(row_of(self.app.name, life, now_ms))
        before = meeting.sentence
        if life.happening == "ended":
            await self._journal.meeting_ended(self.app.name, life.meeting_uuid, life.at_ms or now_ms)
            meeting.over = True
        self._tell(meeting, lambda machine, now: machine.happened(life, now))
        self._forget_oldest()
        if meeting.sentence in (before, what) and meeting.machine is not None:
            return what
        return f"{what} {meeting.sentence}".strip()

    async def found(self, row: MeetingRow, *, had_stream: bool = False) -> None:
        """Zoom's API says that a meeting goes on."""
        known = self.meetings.get(row.uuid)
        if known is not None and known.state is not State.IDLE and not had_stream:
            return  # its own events, or its stream, are ahead of this
        meeting = await self._meeting(row)
        self._tell(
            meeting, lambda machine, now: machine.found_living(row.host_id, now, had_stream=had_stream)
        )

    async def vanished(self, row: MeetingRow) -> None:
        """Zoom's API says that a meeting does not go on any more; its end was not heard."""
        now_ms = self._clock.wall_ms()
        await self.happened(
            Lifecycle("ended", now_ms, row.number, row.uuid, row.host_id, account_id=row.account_id)
        )

    def missed(self, row: MeetingRow, sentence: str) -> None:
        """An expected meeting was never heard of."""
        now_ms = self._clock.wall_ms()
        missing = StartedMeeting(row, None, State.IDLE, sentence, True, True, now_ms)
        self._in_trouble(missing, Tell(State.IDLE, sentence, problem=True, never_started=True))
        self.missing.append(missing)
        self.story.note(row, "never_started", sentence, problem=True)

    def noticed(self, uuid: str, event: str, sentence: str) -> None:
        """Zoom told of a start that failed or was limited."""
        self._tell(self.meetings.get(uuid), lambda machine, now: machine.noticed(event, sentence, now))

    async def stream_started(self, row: MeetingRow, stream_id: str) -> None:
        """`rtms_started` came, and the stream is taken."""
        self._tell(await self._meeting(row), lambda machine, _: machine.stream_started(stream_id))

    async def stream_refused(self, row: MeetingRow, sentence: str) -> None:
        """`rtms_started` came, and the rules do not take the stream."""
        self._tell(await self._meeting(row), lambda machine, _: machine.left_alone(sentence))

    def stream_replaced(self, uuid: str, old_id: str, new_id: str) -> None:
        """A stream goes on under another id."""
        meeting = self.meetings.get(uuid)
        if meeting is not None and meeting.machine is not None:
            meeting.machine.stream_replaced(old_id, new_id)

    def stream_stopped(
        self, uuid: str, stream_id: str, reason: int | None, operator_id: str, *, broke: bool = False
    ) -> None:
        """A stream of a meeting is over, by Zoom's word or because it `broke`; told twice it counts once."""
        meeting = self.meetings.get(uuid)
        self._tell(
            meeting,
            lambda machine, now: machine.stream_stopped(stream_id, reason, operator_id, now, broke=broke),
        )
        if (
            meeting is not None and reason == StopReason.MEETING_ENDED
        ):  # the meeting's own end may never be told
            meeting.over = True
            self._forget_oldest()

    def facts(self, uuid: str, facts: Facts) -> Facts:
        """Add what is known of a meeting to what an event told of a stream in it; empty fields stay unknown."""
        known = self.meetings.get(uuid)
        if known is None:
            return facts
        row = known.row
        return replace(
            facts,
            account_id=facts.account_id or row.account_id,
            meeting_id=facts.meeting_id or row.number,
            host_id=facts.host_id or row.host_id,
            topic=facts.topic or row.topic,
        )

    async def look_up(self, uuid: str, facts: Facts) -> Facts:
        """Ask Zoom for what an event left out; what is not to be had stays unknown."""
        if not self._calls.may_ask(facts.host):
            return facts
        try:
            async with asyncio.timeout(LOOK_UP_SECS):
                reply = await self._calls.meeting(uuid, host_id=facts.host)
        except TokenError as error:
            self._log.warning("a meeting could not be looked up", why=str(error))
            return facts
        except TimeoutError:
            self._log.warning("a meeting could not be looked up", why="Zoom's API did not answer in time")
            return facts
        if not reply.good:
            self._log.warning("a meeting could not be looked up", why=meaning(reply).sentence)
            return facts
        row = read_meeting(self.app.name, reply.document, self._clock.wall_ms())
        if row is not None:
            await self._meeting(row)
        return self.facts(uuid, facts)

    async def stop(self, facts: Facts) -> str:
        """Ask Zoom to stop a stream that the rules refuse; returns what came of it."""
        host = facts.host
        as_user = host if host in self.means.host_tokens and not self.means.controller else ""
        if not facts.meeting_id or not (as_user or self.means.controller):
            return (
                "It could not be stopped: its meeting's number is not known, or nobody may ask for its host."
            )
        try:
            reply = await self._calls.set_app(
                facts.meeting_id, "stop", as_user=as_user, for_user="" if as_user else facts.operator_id
            )
        except TokenError as error:
            return f"It could not be stopped: {error}"
        if reply.good:
            return "Zoom was asked to stop it."
        return f"It could not be stopped: {meaning(reply).sentence}"

    # Inside

    async def _meeting(self, row: MeetingRow) -> StartedMeeting:
        known = self.meetings.get(row.uuid)
        if known is not None and not known.over and adds_nothing(row, known.row):
            return known
        await self._journal.meeting_seen(row)
        if known is not None:
            known.row = merged(known.row, row)
            if known.machine is None:
                self._judge(known)
            return known
        trigger = await self._journal.kept(self.app.name, f"worked:{row.account_id}") or ""
        meeting = self.meetings.get(row.uuid)
        if meeting is None:  # nobody was quicker while we asked the journal
            meeting = self.meetings[row.uuid] = StartedMeeting(row, self._machine(row.uuid, trigger))
            self._judge(meeting)
        return meeting

    def _machine(self, uuid: str, first_trigger: str = "") -> StartMachine:
        machine = StartMachine(self.means, first_trigger=first_trigger)
        machine.was_over(self._ended_before.get(uuid, 0))
        stream = self._streams_before.get(uuid)
        if stream is not None and stream.ended_ms is not None and stream.reason is not None:
            machine.resume_after(stream.reason, stream.info.operator_id, stream.sentence)
        return machine

    def _judge(self, meeting: StartedMeeting) -> None:
        """Leave a meeting alone that the rules do not take; what they cannot judge yet is asked for all the same."""
        row = meeting.row
        facts = Facts(account_id=row.account_id, meeting_id=row.number, host_id=row.host_id, topic=row.topic)
        refusal = refused_meeting(self.app.only, facts)
        if refusal is not None and not refusal.unknown:
            if meeting.machine is not None or not meeting.sentence:
                sentence = refusal.sentence.replace("The stream", "The meeting", 1)
                self._log.info("meeting not taken", meeting_id=row.number, rule=refusal.rule, why=sentence)
                meeting.sentence = sentence
                self.story.note(row, "rule", sentence)
            meeting.machine = None
        elif meeting.machine is None:
            meeting.machine, meeting.sentence = self._machine(row.uuid), ""

    def _tell(
        self, meeting: StartedMeeting | None, change: Callable[[StartMachine, float], list[Action]]
    ) -> None:
        """Change the machine of a meeting, if there is one, and do what it says."""
        if meeting is None or meeting.machine is None:
            return
        for action in change(meeting.machine, self._clock.monotonic()):
            match action:
                case Ask():
                    self._schedule(self._asked(meeting, action))
                case WakeAt(at):
                    self._wake(meeting, at)
                case Tell():
                    self._told(meeting, action)
                case Worked(trigger):
                    self._schedule(self._remember(meeting.row.account_id, trigger))

    async def _asked(self, meeting: StartedMeeting, ask: Ask) -> None:
        """Ask Zoom, tell the story of the answer, and hand it to the machine."""
        machine, row = meeting.machine, meeting.row
        assert machine is not None
        reply, meeting.asked_at = Reply(0), self._now()
        try:
            reply = await self._calls.set_app(
                row.number,
                "start",
                as_user=row.host_id if ask.as_host else "",
                for_user=ask.participant_user_id,
            )
            meant = meaning(reply)
        except TokenError as error:
            if ask.as_host and not error.passing:
                machine.host_token_failed()
            verdict = Verdict.LATER if error.passing or ask.as_host else Verdict.PERSON
            meant = Meaning(verdict, str(error))
        except Exception as error:  # noqa: BLE001  # supervision: a request without an answer would be awaited for ever
            self._log.error("a request to Zoom failed in rtmsd itself", exc_info=error)
            meant = Meaning(Verdict.LATER, "The request failed by a fault of rtmsd's own: please report it.")
        self.attempts[meant.verdict.value] += 1
        who = "in the host's own name" if ask.as_host else f"for the user {ask.participant_user_id}"
        answer = f"HTTP {reply.status}" if reply.status else "none"
        if reply.code is not None:
            answer += f", code {reply.code}"
        if reply.tracking_id:
            answer += f", tracking id {reply.tracking_id}"
        sentence = f"Request {ask.number} to start the app, {who}: {answer}. {meant.sentence}"
        self.story.note(row, "answered", sentence, problem=meant.verdict is not Verdict.ACCEPTED)
        if machine is meeting.machine:
            wait_secs = reply.retry_after_secs
            self._tell(meeting, lambda _, now: machine.replied(ask.number, meant, now, wait_secs=wait_secs))

    def _told(self, meeting: StartedMeeting, told: Tell) -> None:
        same = (told.state, told.sentence) == (meeting.state, meeting.sentence)
        if told.state is State.CONFIRMED:
            if meeting.state in (State.REQUESTED, State.ACCEPTED):
                self.confirmed += 1
                self.confirm_secs += self._now() - meeting.asked_at
            meeting.troubled = meeting.never_started = False
        elif told.problem:
            self._in_trouble(meeting, told)
        meeting.state, meeting.sentence = told.state, told.sentence
        meeting.problem, meeting.changed_ms = told.problem, self._clock.wall_ms()
        if same:
            return
        log = self._log.warning if told.problem else self._log.info
        log(f"start {told.state}", meeting_id=meeting.row.number, meeting=meeting.row.uuid, why=told.sentence)
        kind = "never_started" if told.never_started else str(told.state)
        self.story.note(meeting.row, kind, told.sentence, problem=told.problem)

    def _in_trouble(self, meeting: StartedMeeting, told: Tell) -> None:
        """Keep the sentence that says most: of a meeting that never started, why that is, unless Zoom says it is refused."""
        if told.never_started or told.state is State.REFUSED or not meeting.never_started:
            meeting.trouble = told.sentence
        if told.never_started and not meeting.never_started:
            meeting.never_started = True
            self.never_started += 1
        meeting.troubled, meeting.trouble_ms = True, self._clock.wall_ms()

    def _wake(self, meeting: StartedMeeting, at: float | None) -> None:
        if meeting.wake is not None:
            meeting.wake.cancel()
            meeting.wake = None
        if at is not None:
            delay = max(0.0, at - self._now())
            meeting.wake = asyncio.get_running_loop().call_later(delay, self._woken, meeting)

    def _woken(self, meeting: StartedMeeting) -> None:
        meeting.wake = None
        self._tell(meeting, lambda machine, now: machine.woken(now))

    async def _remember(self, account_id: str, trigger: str) -> None:
        try:
            await self._journal.keep(self.app.name, f"worked:{account_id}", trigger)
        except JournalError as error:
            self._log.error("what worked could not be remembered", error=str(error))

    def _forget_oldest(self) -> None:
        over = [uuid for uuid, meeting in self.meetings.items() if meeting.over]
        for uuid in over[:-MEETINGS_KEPT]:
            self._wake(self.meetings.pop(uuid), None)

    def close(self) -> None:
        """Let no timer fire any more."""
        for meeting in self.meetings.values():
            self._wake(meeting, None)

    def _now(self) -> float:
        return self._clock.monotonic()


def _means(app: AppConfig) -> Means:
    return Means(
        auto=app.start == "auto",
        host_tokens=frozenset(one.user_id for one in app.hosts),
        controller=app.manual is not None,
        account_id=app.manual.account_id if app.manual is not None else "",
        only_host=app.only.original_host,
        only_operators=frozenset(app.only.operators),
        deadline_secs=app.start_deadline_secs,
    )
