"""Starting the app in one meeting: when to ask Zoom, how, how often, and when to believe it. Pure (protocol.md §4.4).

A 2xx means that Zoom took the request, not that a stream starts: only `rtms_started` proves that. The usual reason for
silence is that nobody is in the meeting for whom the app may be started; so every arrival is a reason to ask again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rtmsd.protocol.codes import StopReason
from rtmsd.protocol.lifecycle import Lifecycle
from rtmsd.start.sentences import AWAY, WHY, never_started
from rtmsd.start.values import FAULTS, Action, Ask, Means, State, Tell, WakeAt, Worked
from rtmsd.zoom.replies import Meaning, Verdict

CONFIRM_SECS = 15.0
"""After this long without `rtms_started` an accepted request counts as silent (§4.4)."""

OTHER_SECS = 2.0
"""So long the stream of somebody else is awaited, when the host came while it was asked for."""

SILENT_SECS = (5.0, 15.0, 30.0, 60.0)
"""From a silent request to the next; the last one again and again."""

LATER_SECS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""From a request that may pass by itself to the next."""

MOST_REQUESTS = 60
"""For one meeting: what has not worked by then is not tried any more."""

ALREADY_SECS = 300.0
"""From an answer that the app runs already to the next request: its stream may be one that was announced while nobody
heard."""

FOR_THE_HOST = 10
"""Of these so many are kept for the host's coming, which changes more than time does."""

MOST_RESTARTS = 5

RESTART_SECS = (1.0, 5.0, 15.0, 30.0, 60.0)


@dataclass
class _Meeting:
    living: bool = False
    host_id: str = ""
    account_id: str = ""
    present: dict[str, int] = field(default_factory=dict)  # with how many devices, in the order of coming

    @property
    def host_present(self) -> bool:
        return self.host_id in self.present


class StartMachine:
    """One app in one occurrence of a meeting. Every method returns what to do, in order.

    `first_trigger`: what worked for this account before; with "joined", for example, the first request waits for the host.
    """

    def __init__(self, means: Means, *, first_trigger: str = "") -> None:
        self.state = State.IDLE
        self.sentence = ""
        self._obstacle = ""  # the last problem
        self.requests = 0
        self.restarts = 0
        self._means = means
        self._host_token_is_bad = False
        self._first_trigger = first_trigger
        self._meeting = _Meeting()
        self._asked: Ask | None = None  # without an answer
        self._accepted: Ask | None = None  # without a stream
        self._next: float | None = None  # when to ask again, or to stop waiting
        self._again = ""  # why it is asked then
        self._not_before = 0.0  # Zoom wants to be left alone until then
        self._deadline: float | None = None
        self._host_was_there = False  # when the last request was made
        self._silences = 0
        self._later = 0
        self._needs_user = False  # guests' coming changes nothing
        self._spent = False  # the requests are
        self._ended_ms = 0  # when the meeting was last told to be over
        self._runs = False  # Zoom says that the app runs, and no stream was announced to us
        self._streams: set[str] = set()
        self._stopped: set[str] = set()
        self._waits_for_user = ""  # after "user left": who has to come back
        self._out: list[Action] = []

    # What was before

    def resume_after(self, reason: int, operator_id: str, sentence: str) -> None:
        """A daemon before this one had a stream in this meeting, and Zoom ended it: what is not started again, is not now."""
        if reason == StopReason.USER_LEFT:
            self._waits_for_user = operator_id
            self.state, self.sentence = State.ARMED, AWAY
        elif reason not in FAULTS:
            self.state, self.sentence = State.GIVEN_UP, sentence

    def was_over(self, ended_ms: int) -> None:
        """The meeting was told to be over then (Unix ms); what happened before is not news."""
        self._ended_ms = max(self._ended_ms, ended_ms)

    # Inputs

    def happened(self, event: Lifecycle, now: float) -> list[Action]:
        """Zoom told of the meeting."""
        if event.at_ms and event.at_ms <= self._ended_ms and event.happening != "ended":
            return self._done()  # told late: of the meeting as it was
        meeting = self._meeting
        meeting.host_id = event.host_id or meeting.host_id
        meeting.account_id = event.account_id or meeting.account_id
        match event.happening:
            case "started":
                self._lives(now)
                self._arm("The meeting has started.")
                if self._may_ask_at_once():
                    self._trigger("started", now)
            case "ended":
                self._ended_ms = event.at_ms
                self._ended()
            case "joined" | "admitted" | "jbh_joined":
                self._lives(now)
                self._came(event.user_id, event.happening, now)
            case "left":
                self._went(event.user_id)
            case "role":
                self._lives(now)
                if event.role in ("host", "cohost"):
                    self._trigger("role", now)
            case "waits":
                self._arm("Somebody waits; the meeting has not started.")
            case "waits_no_more":
                pass
        return self._done()

    def found_living(self, host_id: str, now: float, *, had_stream: bool = False) -> list[Action]:
        """The meeting is going on, as Zoom's API says. `had_stream`: until we lost it, so that it is wanted again."""
        self._meeting.host_id = host_id or self._meeting.host_id
        self._lives(now)
        self._arm("The meeting was going on when rtmsd looked.")
        if had_stream or not self._means.auto:
            self._trigger("found", now, lost=had_stream)
        return self._done()

    def left_alone(self, sentence: str) -> list[Action]:
        """A stream of this meeting came, and the rules do not take it: nothing is missing, unless another is asked for."""
        if self._means.auto:
            self._deadline = None
            if not self._streams:
                self._tell(State.GIVEN_UP, sentence)
        return self._done()

    def noticed(self, event: str, sentence: str, now: float) -> list[Action]:
        """Zoom told of a start that failed, is limited, or waits for somebody's approval (`rtms.*`, §2.5.5)."""
        if self.state in (State.CONFIRMED, State.REFUSED, State.GIVEN_UP):
            return self._done()
        if event in ("rtms.start_failed", "rtms.concurrency_limited"):
            asked = self._asked or self._accepted
            self._asked = self._accepted = None
            if asked is not None:
                self._next, self._again = now + self._pause(), "timer"
            self._tell(State.ARMED, sentence, problem=True)
        else:
            self._tell(self.state, sentence)
        return self._done()

    def host_token_failed(self) -> None:
        """The host's own token is not to be had: the controller asks from now on, where there is one."""
        self._host_token_is_bad = True

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
            self._runs = meant.verdict is Verdict.ALREADY
            if self._runs:  # asking again brings the same answer, until that stream is over
                self._next, self._again = now + ALREADY_SECS, "already"
            self._tell(State.ACCEPTED, meant.sentence)
            self._ask_for_who_came_meanwhile(now)
        elif meant.verdict in (Verdict.LATER, Verdict.TOKEN):
            self._try_later(meant, now, wait_secs)
        elif meant.verdict is Verdict.CHANGED:
            self._next, self._needs_user = None, True
            self._tell(State.ARMED, meant.sentence, problem=True)
            self._ask_for_who_came_meanwhile(now)
        else:
            self._next = None
            self._tell(State.REFUSED, meant.sentence, problem=True)
        return self._done()

    def stream_started(self, stream_id: str) -> list[Action]:
        """`rtms_started` came for this meeting, by our doing or not."""
        if stream_id in self._stopped:
            return self._done()  # the webhooks came in the wrong order
        self._streams.add(stream_id)
        worked = self._accepted or self._asked
        if worked is not None and self.state is not State.CONFIRMED:
            self._out.append(Worked(worked.trigger))
        sentence = "The stream has started." if worked is not None else "Zoom started the stream by itself."
        self._asked = self._accepted = self._next = self._deadline = None
        self._waits_for_user, self._runs = "", False
        self._meeting.living = True
        self._tell(State.CONFIRMED, sentence)
        return self._done()

    def stream_stopped(
        self, stream_id: str, reason: int | None, operator_id: str, now: float, *, broke: bool = False
    ) -> list[Action]:
        """A stream of this meeting is over: is it started again (§6.6)? `broke`: by our finding, not by Zoom's word."""
        self._stopped.add(stream_id)
        if stream_id not in self._streams:  # it was told before, or its start is still to come, or never came
            if self._runs and reason in FAULTS and self.state is State.ACCEPTED:
                self._next, self._again = now + RESTART_SECS[0], "already"
            return self._done()
        self._streams.discard(stream_id)
        broke = broke or reason in FAULTS
        why = f"stop reason {reason}" if reason is not None else "Zoom gave no reason"
        if self._streams or not self._meeting.living:
            return self._done()
        if not self._may_ask() and (broke or reason == StopReason.USER_LEFT):
            self._tell(
                State.GIVEN_UP,
                f"The stream was stopped ({why}). With [apps.manual], rtmsd would have it started again.",
            )
        elif reason == StopReason.USER_LEFT:
            self._waits_for_user = operator_id or self._meeting.host_id
            self._tell(State.ARMED, AWAY)
            if self._waits_for_user in self._meeting.present:  # they were quicker than the webhook
                self._waits_for_user = ""
                self._ask("rejoined")
        elif broke and self.restarts < MOST_RESTARTS:
            self._next = now + RESTART_SECS[self.restarts]
            self._again = "restart"
            self.restarts += 1
            self._tell(State.ARMED, f"The stream broke ({why}); it is started again.")
        elif broke:
            self._tell(
                State.GIVEN_UP,
                f"The stream broke {MOST_RESTARTS + 1} times in this meeting: it is not started again.",
                problem=True,
            )
        else:
            over = reason == StopReason.MEETING_ENDED  # the meeting's own end may come later, or not at all
            self._tell(
                State.IDLE if over else State.GIVEN_UP,
                "The meeting ended." if over else f"The stream was stopped ({why}) and is not started again.",
            )
        return self._done()

    def stream_replaced(self, old_id: str, new_id: str) -> None:
        """A stream goes on under another id."""
        if old_id in self._streams:
            self._streams.discard(old_id)
            self._streams.add(new_id)

    def woken(self, now: float) -> list[Action]:
        """The time of the last WakeAt has come. Harmless at any other time."""
        if self._deadline is not None and now >= self._deadline:
            self._deadline = None
            last = self._obstacle or ("" if self._means.auto else self.sentence)
            sentence = never_started(self._means, self._meeting.account_id, last=last)
            self._obstacle = sentence
            self._out.append(Tell(self.state, sentence, problem=True, never_started=True))
        if self._next is not None and now >= self._next:
            self._next = None
            if self._again == "silence" and self._accepted is not None:
                self._fell_silent(now)
            else:
                self._ask(self._again)
        return self._done()

    # Rules

    def _may_ask_at_once(self) -> bool:
        """A request at the meeting's start is cheap, unless it is known that this account's only work later."""
        return not self._means.auto and (self._as_host() or self._first_trigger in ("", "started", "found"))

    def _as_host(self) -> bool:
        host_id = self._meeting.host_id
        return host_id in self._means.host_tokens and not self._host_token_is_bad and self._takes(host_id)

    def _takes(self, user_id: str) -> bool:
        """Whether the rules would take a stream of this user's."""
        if self._means.only_host:
            return user_id == self._meeting.host_id
        return not self._means.only_operators or user_id in self._means.only_operators

    def _may_ask(self) -> bool:
        return self._means.controller or self._as_host()

    def _lives(self, now: float) -> None:
        if not self._meeting.living and not self._streams and self.state in (State.IDLE, State.ARMED):
            self._deadline = now + self._means.deadline_secs
        self._meeting.living = True

    def _for_whom(self) -> str:
        """Whose app is started: the host's, or, while the host is away, that of who came last and may have it (§4.3).

        Empty: of those whose stream would be taken, nobody is there.
        """
        meeting = self._meeting
        takes_host = self._takes(meeting.host_id)
        # The first request is for the host, who may be there unheard.
        if takes_host and (meeting.host_present or not self.requests):
            return meeting.host_id
        others = [user_id for user_id in reversed(meeting.present) if self._takes(user_id)]
        return others[0] if others else meeting.host_id if takes_host else ""

    def _ask_for_who_came_meanwhile(self, now: float) -> None:
        """The host came while Zoom was answering a request that was made without them."""
        if not self._meeting.host_present or self._host_was_there or self._as_host():
            return
        asked = self._accepted
        if asked is not None and asked.participant_user_id != self._meeting.host_id:
            # With the host there it may start for the other one: two would be one too many.
            self._next, self._again = now + OTHER_SECS, "host_joined"
        else:
            self._ask("host_joined")

    def _came(self, user_id: str, trigger: str, now: float) -> None:
        meeting = self._meeting
        if user_id:
            meeting.present[user_id] = meeting.present.pop(user_id, 0) + 1
        if user_id and user_id == meeting.host_id:
            trigger = "host_joined"
        if self._waits_for_user:
            if user_id == self._waits_for_user:
                self._waits_for_user = ""
                self._ask("rejoined")
            return
        if user_id or not self._needs_user:
            self._trigger(trigger, now)

    def _went(self, user_id: str) -> None:
        """Somebody left, perhaps with one device of two, or to come in again."""
        meeting = self._meeting
        if meeting.present.get(user_id, 0) > 1:
            meeting.present[user_id] -= 1
        else:
            meeting.present.pop(user_id, None)

    def _trigger(self, trigger: str, now: float, *, lost: bool = False) -> None:
        """Something changed in the meeting: ask, unless an answer or a stream may still come."""
        if (
            self.state in (State.CONFIRMED, State.REFUSED, State.REQUESTED)
            or self._waits_for_user
            or (self._means.auto and not lost and not self.restarts)
        ):
            return
        host_just_came = self._meeting.host_present and not self._host_was_there and not self._as_host()
        if now < self._not_before:
            if host_just_came:
                self._next, self._again = self._not_before, trigger
        elif host_just_came and (self.state is not State.GIVEN_UP or self._spent):
            self._ask(trigger, reserve=0)
        elif self.state in (State.IDLE, State.ARMED) and not (self._next and self._again == "later"):
            self._ask(trigger)

    def _ask(self, trigger: str, *, reserve: int = FOR_THE_HOST) -> None:
        if self._asked is not None or not self._meeting.living:
            return
        if self.requests >= MOST_REQUESTS - reserve:
            self._spent = True
            self._tell(
                State.GIVEN_UP,
                f"{self.requests} requests did not start a stream in this meeting: no more are made, unless its host comes. "
                f"{self._obstacle}".rstrip(),
                problem=True,
            )
            return
        if not self._may_ask():
            self._tell(
                State.REFUSED,
                "Nobody may ask Zoom for this host: there is no [apps.manual], and the host is none of [[apps.hosts]].",
                problem=True,
            )
            return
        as_host = self._as_host()
        for_user = "" if as_host else self._for_whom()
        if not as_host and not for_user:
            self._next = None
            self._tell(
                State.ARMED,
                "Nobody is in the meeting whose stream only.operators takes; one of them is awaited.",
            )
            return
        self.requests += 1
        self._accepted = self._next = None
        self._host_was_there, self._needs_user = self._meeting.host_present, False
        self._asked = Ask(self.requests, as_host, for_user, trigger)
        self._out.append(self._asked)
        self._tell(State.REQUESTED, f"Zoom is asked to start the app ({WHY.get(trigger, trigger)}).")

    def _fell_silent(self, now: float) -> None:
        self._accepted = None
        wait = self._pause()
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

    def _pause(self) -> float:
        """From a request that nothing came of to the next."""
        self._silences += 1
        return SILENT_SECS[min(self._silences, len(SILENT_SECS)) - 1]

    def _try_later(self, meant: Meaning, now: float, wait_secs: float | None) -> None:
        self._later += 1
        self._not_before = now + (wait_secs or 0.0)
        wait = LATER_SECS[min(self._later, len(LATER_SECS)) - 1]
        self._next, self._again = now + max(wait, wait_secs or 0.0), "later"
        self._tell(State.ARMED, meant.sentence, problem=self._later > 3)

    def _arm(self, why: str) -> None:
        if self.state is State.IDLE:
            self._tell(State.ARMED, why)

    def _ended(self) -> None:
        never = self.state not in (State.CONFIRMED, State.IDLE) and not self._streams
        self._meeting = _Meeting(host_id=self._meeting.host_id)
        self._asked = self._accepted = self._next = self._deadline = None
        if never and self.state is not State.GIVEN_UP:
            obstacle = self._obstacle or self.sentence
            last = f" The last that was known: {obstacle}" if obstacle else ""
            self._tell(State.GIVEN_UP, f"The meeting ended, and no stream ever started.{last}", problem=True)
        elif self.state is not State.GIVEN_UP:
            self._tell(State.IDLE, "The meeting ended.")

    def _tell(self, state: State, sentence: str, *, problem: bool = False) -> None:
        self.state, self.sentence = state, sentence
        self._obstacle = sentence if problem else self._obstacle
        self._out.append(Tell(state, sentence, problem))

    def _done(self) -> list[Action]:
        times = [at for at in (self._next, self._deadline) if at is not None]
        done, self._out = [*self._out, WakeAt(min(times, default=None))], []
        return done
