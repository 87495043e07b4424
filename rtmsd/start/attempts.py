"""Starting the app in one meeting: when to ask Zoom, how, how often, and when to believe it. Pure (protocol.md §4.4).

A 2xx means that Zoom took the request, not that a stream starts: only `rtms_started` proves that. The usual reason for
silence is that nobody is in the meeting for whom the app may be started; so every arrival is a reason to ask again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from rtmsd.protocol.codes import StopReason
from rtmsd.protocol.lifecycle import Lifecycle
from rtmsd.zoom.replies import Meaning, Verdict

CONFIRM_SECS = 15.0
"""After this long without `rtms_started` an accepted request counts as silent (§4.4)."""

SILENT_SECS = (5.0, 15.0, 30.0, 60.0)
"""From a silent request to the next; the last one again and again."""

LATER_SECS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""From a request that may pass by itself to the next."""

MOST_REQUESTS = 60
"""For one meeting: what has not worked by then is not tried any more."""

MOST_LATER = 12
"""Answers in a row that should have passed by themselves."""

MOST_RESTARTS = 5

RESTART_SECS = (1.0, 5.0, 15.0, 30.0, 60.0)

_FAULTS = frozenset(range(10, 18)) | {StopReason.AWAIT_RECONNECTION_TIMEOUT, StopReason.KEEP_ALIVE_TIMEOUT}
"""Stops after which the stream is started again while the meeting lives (§6.6); 18 would only be repeated."""


class State(StrEnum):
    """Where the start of one meeting stands."""

    IDLE = "idle"
    ARMED = "armed"
    REQUESTED = "requested"
    ACCEPTED = "accepted"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    GIVEN_UP = "given_up"


@dataclass(frozen=True)
class Ask:
    """Ask Zoom to start the app: with the host's own token, or with the account's for `participant_user_id`.

    Answer with `replied` and this `number`.
    """

    number: int
    as_host: bool
    participant_user_id: str
    trigger: str


@dataclass(frozen=True)
class WakeAt:
    """Call `woken` then (monotonic seconds), and not at the time of an earlier WakeAt; None: never."""

    at: float | None


@dataclass(frozen=True)
class Tell:
    """The state is new; the sentence says why, and what is awaited. `problem`: somebody should look at it."""

    state: State
    sentence: str
    problem: bool = False


@dataclass(frozen=True)
class Worked:
    """The request of this trigger was followed by a stream: try it first next time."""

    trigger: str


Action = Ask | WakeAt | Tell | Worked


@dataclass
class _Meeting:
    living: bool = False
    host_id: str = ""
    host_present: bool = False
    present: set[str] = field(default_factory=set)


class StartMachine:
    """One app in one occurrence of a meeting. Every method returns what to do, in order.

    `has_host_token`: the host has authorised the app, so that nobody needs to be there (§4.3). `first_trigger`: what worked
    for this account before; with "joined", for example, the first request waits for the host.
    """

    def __init__(self, *, has_host_token: bool = False, first_trigger: str = "") -> None:
        self.state = State.IDLE
        self.sentence = ""
        self.requests = 0
        self.restarts = 0
        self._has_host_token = has_host_token
        self._first_trigger = first_trigger
        self._meeting = _Meeting()
        self._asked: Ask | None = None  # without an answer
        self._accepted: Ask | None = None  # without a stream
        self._next: float | None = None  # when to ask again, or to stop waiting
        self._again = ""  # why it is asked then
        self._host_was_there = False  # when the last request was made
        self._silences = 0
        self._later = 0
        self._needs_user = False  # guests' coming changes nothing
        self._streams: set[str] = set()
        self._waits_for_user = ""  # after "user left": who has to come back
        self._out: list[Action] = []

    @property
    def over(self) -> bool:
        """Whether nothing will be asked any more, whatever happens but a restart of the meeting."""
        return self.state in (State.REFUSED, State.GIVEN_UP)

    # Inputs

    def happened(self, event: Lifecycle, now: float) -> list[Action]:
        """Zoom told of the meeting."""
        meeting = self._meeting
        meeting.host_id = event.host_id or meeting.host_id
        match event.happening:
            case "started":
                meeting.living = True
                self._arm("The meeting has started.")
                if self._may_ask_at_once():
                    self._ask("started", now)
            case "ended":
                self._ended()
            case "joined" | "admitted" | "jbh_joined":
                meeting.living = True
                self._came(event.user_id, event.happening, now)
            case "left":
                meeting.present.discard(event.user_id)
                meeting.host_present = meeting.host_present and event.user_id != meeting.host_id
            case "role":
                meeting.living = True
                if event.role in ("host", "cohost"):
                    self._trigger("role", now)
            case "waits":
                self._arm("Somebody waits; the meeting has not started.")
            case "waits_no_more":
                pass
        return self._done()

    def found_living(self, host_id: str, now: float) -> list[Action]:
        """The meeting is going on, as Zoom's API says (after a restart of ours)."""
        self._meeting.living = True
        self._meeting.host_id = host_id or self._meeting.host_id
        self._arm("The meeting was going on when rtmsd looked.")
        self._trigger("found", now)
        return self._done()

    def replied(
        self, number: int, meant: Meaning, now: float, *, wait_secs: float | None = None
    ) -> list[Action]:
        """Zoom answered a request; `wait_secs` is what it asked to wait."""
        asked, self._asked = self._asked, None
        if asked is None or asked.number != number or self.state is State.CONFIRMED:
            return self._done()
        if meant.verdict in (Verdict.ACCEPTED, Verdict.ALREADY):
            self._accepted, self._later = asked, 0
            self._next, self._again = now + CONFIRM_SECS, "silence"
            self._tell(State.ACCEPTED, meant.sentence)
        elif meant.verdict in (Verdict.LATER, Verdict.TOKEN):
            self._try_later(meant, now, wait_secs)
        elif meant.verdict is Verdict.CHANGED:
            self._next, self._needs_user = None, True
            self._tell(State.ARMED, meant.sentence, problem=True)
        else:
            self._next = None
            self._tell(State.REFUSED, meant.sentence, problem=True)
        return self._done()

    def stream_started(self, stream_id: str, now: float) -> list[Action]:
        """`rtms_started` came for this meeting, by our doing or not."""
        self._streams.add(stream_id)
        worked = self._accepted or self._asked
        if worked is not None and self.state is not State.CONFIRMED:
            self._out.append(Worked(worked.trigger))
        sentence = "The stream has started." if worked is not None else "Zoom started the stream by itself."
        self._asked = self._accepted = self._next = None
        self._waits_for_user = ""
        self._meeting.living = True
        self._tell(State.CONFIRMED, sentence)
        return self._done()

    def stream_stopped(
        self, stream_id: str, reason: int | None, operator_id: str, now: float
    ) -> list[Action]:
        """A stream of this meeting is over: is it started again (§6.6)?"""
        self._streams.discard(stream_id)
        if self._streams or not self._meeting.living:
            return self._done()
        if reason == StopReason.USER_LEFT:
            self._waits_for_user = operator_id or self._meeting.host_id
            self._tell(State.ARMED, "The user of the app left; it is started again when they come back.")
        elif reason in _FAULTS and self.restarts < MOST_RESTARTS:
            self._next = now + RESTART_SECS[self.restarts]
            self._again = "restart"
            self.restarts += 1
            self._tell(State.ARMED, f"The stream broke (stop reason {reason}); it is started again.")
        elif reason in _FAULTS:
            self._tell(
                State.GIVEN_UP,
                f"The stream broke {MOST_RESTARTS + 1} times in this meeting: it is not started again.",
                problem=True,
            )
        else:
            self._tell(
                State.GIVEN_UP, f"The stream was stopped (stop reason {reason}) and is not started again."
            )
        return self._done()

    def woken(self, now: float) -> list[Action]:
        """The time of the last WakeAt has come. Harmless at any other time."""
        if self._next is not None and now >= self._next:
            self._next = None
            if self._again == "silence" and self._accepted is not None:
                self._fell_silent(now)
            else:
                self._ask(self._again, now)
        return self._done()

    # Rules

    def _may_ask_at_once(self) -> bool:
        """A request at the meeting's start is cheap, unless it is known that this account's only work later."""
        return self._has_host_token or self._first_trigger in ("", "started", "found")

    def _came(self, user_id: str, trigger: str, now: float) -> None:
        meeting = self._meeting
        if user_id:
            meeting.present.add(user_id)
        if user_id and user_id == meeting.host_id:
            meeting.host_present = True
        if self._waits_for_user:
            if user_id == self._waits_for_user:
                self._waits_for_user = ""
                self._ask("rejoined", now)
            return
        if user_id or not self._needs_user:
            self._trigger(trigger, now)

    def _trigger(self, trigger: str, now: float) -> None:
        """Something changed in the meeting: ask, unless an answer or a stream may still come."""
        if (
            self.state in (State.CONFIRMED, State.REFUSED, State.GIVEN_UP, State.REQUESTED)
            or self._waits_for_user
        ):
            return
        host_just_came = self._meeting.host_present and not self._host_was_there
        if self.state is not State.ACCEPTED or (host_just_came and not self._has_host_token):
            self._ask(trigger, now)

    def _ask(self, trigger: str, now: float) -> None:
        if self._asked is not None or not self._meeting.living:
            return
        if self.requests >= MOST_REQUESTS:
            self._tell(
                State.GIVEN_UP,
                f"{MOST_REQUESTS} requests did not start a stream in this meeting: no more are made.",
                problem=True,
            )
            return
        self.requests += 1
        as_host = self._has_host_token
        self._accepted = self._next = None
        self._host_was_there, self._needs_user = self._meeting.host_present, False
        self._asked = Ask(self.requests, as_host, "" if as_host else self._meeting.host_id, trigger)
        self._out.append(self._asked)
        self._tell(State.REQUESTED, f"Zoom is asked to start the app ({_WHY.get(trigger, trigger)}).")

    def _fell_silent(self, now: float) -> None:
        self._accepted = None
        wait = SILENT_SECS[min(self._silences, len(SILENT_SECS) - 1)]
        self._silences += 1
        self._next, self._again = now + wait, "timer"
        who = (
            "The host is in the meeting." if self._meeting.host_present else "The host is not in the meeting."
        )
        self._tell(
            State.ARMED,
            f"Zoom took the request and no stream came within {CONFIRM_SECS:.0f} s. {who} Usually nobody is there for whom the app may be "
            f"started, or who could approve it. It is asked again in {wait:.0f} s, and when somebody joins.",
            problem=True,
        )

    def _try_later(self, meant: Meaning, now: float, wait_secs: float | None) -> None:
        self._later += 1
        if self._later > MOST_LATER:
            self._next = None
            self._tell(State.REFUSED, meant.sentence, problem=True)
            return
        wait = LATER_SECS[min(self._later, len(LATER_SECS)) - 1]
        self._next, self._again = now + max(wait, wait_secs or 0.0), "later"
        self._tell(State.ARMED, meant.sentence, problem=self._later > 3)

    def _arm(self, why: str) -> None:
        if self.state is State.IDLE:
            self._tell(State.ARMED, why)

    def _ended(self) -> None:
        never = self.state not in (State.CONFIRMED, State.IDLE) and not self._streams
        self._meeting = _Meeting(host_id=self._meeting.host_id)
        self._asked = self._accepted = self._next = None
        if never and self.state is not State.GIVEN_UP:
            last = f" The last answer: {self.sentence}" if self.sentence else ""
            self._tell(State.GIVEN_UP, f"The meeting ended, and no stream ever started.{last}", problem=True)
        elif self.state is not State.GIVEN_UP:
            self._tell(State.IDLE, "The meeting ended.")

    def _tell(self, state: State, sentence: str, *, problem: bool = False) -> None:
        self.state, self.sentence = state, sentence
        self._out.append(Tell(state, sentence, problem))

    def _done(self) -> list[Action]:
        done, self._out = [*self._out, WakeAt(self._next)], []
        return done


_WHY = {
    "started": "the meeting started",
    "found": "the meeting was going on",
    "joined": "somebody joined",
    "admitted": "somebody was admitted",
    "jbh_joined": "somebody joined before the host",
    "role": "somebody became host",
    "rejoined": "the user came back",
    "timer": "nothing came of the last request",
    "later": "the last request may now pass",
    "restart": "the stream broke",
}
