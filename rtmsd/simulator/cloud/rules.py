"""Who may start and stop an app in a meeting, and when Zoom says yes and does nothing. Pure (protocol.md §4.2, §4.3).

Zoom's rules changed three times; `World.era` says which are in force. What is not published is marked as a guess.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from rtmsd.simulator.cloud.world import Attendee, CloudApp, Era, LiveMeeting, RunningStream, World


@dataclass(frozen=True)
class Caller:
    """Whom a token stands for: a user who authorised the app `client_id`, or, without `user_id`, a whole account.

    `account_id` is that of the app; nobody knows here whose account a user is.
    """

    account_id: str = ""
    user_id: str = ""
    client_id: str = ""


@dataclass(frozen=True)
class Started:
    """The app starts, for this user."""

    operator_id: str
    app: CloudApp


@dataclass(frozen=True)
class Controlled:
    """These streams are stopped, paused or resumed."""

    streams: tuple[RunningStream, ...]


@dataclass(frozen=True)
class Silent:
    """Zoom answers 2xx, and nothing happens."""

    why: str


@dataclass(frozen=True)
class Refused:
    """Zoom answers with an error. `code` is None where none is known; `wrong` is the field of the request, and why."""

    status: int
    code: int | None
    message: str
    wrong: tuple[str, str] | None = None


def invalid(field: str, why: str = "Invalid field.") -> Refused:
    """Refuse a request for what is in one of its fields."""
    return Refused(400, 300, "Validation Failed.", (field, why))


TOKEN_ENDED = Refused(401, 124, "Invalid access token.")
NO_MEETING = Refused(404, 3001, "Meeting does not exist.")
NOT_STARTED = Refused(400, 3000, "The meeting has not started.")
NOT_ALLOWED = Refused(400, 2308, "Not allowed to start RTMS app.")
FAILED = Refused(400, 2310, "Failed to perform RTMS app operation.")
NO_CONTENT = Refused(403, 13262, "The app's client id is not authorized to access meeting content.")
NOT_HOST = Refused(403, None, "Only the host or an alternative host can perform this operation.")
ALREADY = Refused(400, None, "RTMS already started for this meeting.")

Judgement = Started | Silent | Refused


def judge_start(
    world: World, meeting: LiveMeeting | None, *, caller: Caller, client_id: str, participant: str = ""
) -> Judgement:
    """Say what a request to start the app `client_id` comes to. `participant`: the Zoom user id it names, if any."""
    if meeting is None:
        return NO_MEETING
    app = _app(world, client_id)
    if app is None:
        # A guess: an id that is no app's cannot be on the list of apps that may read content.
        return NO_CONTENT
    if not meeting.in_progress:
        return NOT_STARTED
    if not app.has_credits(world.age_secs):
        return FAILED
    if not app.allow_listed:
        return NO_CONTENT
    operator = _operator(world.era, meeting, app, caller, participant)
    if isinstance(operator, Refused):
        return operator
    if any(one.client_id == client_id and one.operator_id == operator for one in meeting.streams):
        return ALREADY
    if not _installed(meeting, app, caller, operator):
        return Silent("the user for whom the app should start has not authorised it")
    return _judge_presence(world.era, meeting, app, caller, operator)


def judge_control(
    world: World, meeting: LiveMeeting | None, *, caller: Caller, client_id: str, participant: str = ""
) -> Controlled | Silent | Refused:
    """Say which streams a request to stop, pause or resume the app `client_id` is about, and whether it is heeded."""
    if meeting is None:
        return NO_MEETING
    app = _app(world, client_id)
    if app is None:
        return NO_CONTENT
    if not meeting.in_progress:
        return NOT_STARTED
    hosting = _is_hosts(meeting, app, caller)
    wanted = participant or caller.user_id
    if not hosting and wanted != caller.user_id:
        return NOT_ALLOWED
    running = [one for one in meeting.streams if one.client_id == client_id]
    own = [one for one in running if one.operator_id == wanted]
    if not hosting and not own:
        return NOT_ALLOWED
    streams = own if own or participant else running
    if not streams:
        # A guess: there is nothing to be stopped.
        return FAILED
    if why := _not_heeded(world.era, meeting, app, caller, streams):
        return Silent(why)
    return Controlled(tuple(streams))


def _app(world: World, client_id: str) -> CloudApp | None:
    return next((app for app in world.apps if app.client_id == client_id), None)


def _operator(
    era: Era, meeting: LiveMeeting, app: CloudApp, caller: Caller, participant: str
) -> str | Refused:
    """Find for whom the app is to start."""
    if participant and participant != caller.user_id:
        return participant if _is_hosts(meeting, app, caller) else NOT_ALLOWED
    if caller.user_id:
        return caller.user_id
    # That it is the host's app that starts then is a guess. Otherwise the account is nobody in the meeting.
    return meeting.host_id if _account_controls(era, meeting, app, caller) else NOT_ALLOWED


def _judge_presence(
    era: Era, meeting: LiveMeeting, app: CloudApp, caller: Caller, operator: str
) -> Judgement:
    """Say whether those are in the meeting who have to be."""
    owns = caller.user_id == operator
    if owns and operator == meeting.host_id and era >= "2026-01":
        return Started(operator, app)  # with the host's own token nobody needs to be there
    rightful = _rightful(meeting)
    if not _is_there(meeting, operator):
        if owns and operator not in rightful:
            return NOT_ALLOWED
        return Silent("the user for whom the app should start has not joined")
    invited = {one.zoom_user_id for one in _there(meeting) if one.invited}
    if operator not in rightful and operator not in invited and era >= "2026-07":
        return NOT_ALLOWED
    if not _somebody_approves(meeting):
        return Silent("nobody who could approve the app is in the meeting")
    return Started(operator, app)


def _not_heeded(
    era: Era, meeting: LiveMeeting, app: CloudApp, caller: Caller, streams: Collection[RunningStream]
) -> str:
    """Say why a stop, pause or resume does nothing; empty when it is heeded."""
    if not caller.user_id:
        free = _account_controls(era, meeting, app, caller)
        return "" if free or _is_there(meeting, meeting.host_id) else "the host is not in the meeting"
    is_host = caller.user_id == meeting.host_id
    owns = all(one.operator_id == caller.user_id for one in streams)
    if (is_host and era >= "2026-01") or (owns and era >= "2026-10"):
        return ""
    return "" if _is_there(meeting, caller.user_id) else "whoever's token it is has not joined"


def _account_controls(era: Era, meeting: LiveMeeting, app: CloudApp, caller: Caller) -> bool:
    """Zoom: "Also allows account-level REST control over internal applications" (18 January 2026)."""
    return era >= "2026-01" and app.account_id == meeting.account_id == caller.account_id


def _is_hosts(meeting: LiveMeeting, app: CloudApp, caller: Caller) -> bool:
    """Whether the caller may act for others: a host, or the account of the meeting or of the app."""
    if caller.user_id:
        return caller.user_id in _rightful(meeting)
    return caller.account_id in (app.account_id, meeting.account_id)


def _rightful(meeting: LiveMeeting) -> Collection[str]:
    """Those who may start the app for themselves and others: the scheduled, alternative, and present hosts."""
    hosting = (one.zoom_user_id for one in _there(meeting) if one.role == "host")
    return {meeting.host_id, *meeting.alternative_hosts, *filter(None, hosting)}


def _there(meeting: LiveMeeting) -> list[Attendee]:
    """Who is in the meeting, and not in its waiting room; the same user may be there twice."""
    return [one for one in meeting.attendees if not one.waits]


def _is_there(meeting: LiveMeeting, user_id: str) -> bool:
    return any(one.zoom_user_id == user_id for one in _there(meeting))


def _somebody_approves(meeting: LiveMeeting) -> bool:
    """Zoom: "If there is no one in the meeting to approve the app, the RTMS session cannot start" (§1.4)."""
    rightful = _rightful(meeting)
    return any(one.role != "attendee" or one.zoom_user_id in rightful for one in _there(meeting))


def _installed(meeting: LiveMeeting, app: CloudApp, caller: Caller, operator: str) -> bool:
    """Whether the user has authorised the app. Nobody's account is known but the hosts': others are of the caller's."""
    if operator in app.installed_by or (caller.user_id == operator and caller.client_id == app.client_id):
        return True
    hosts = {meeting.host_id, *meeting.alternative_hosts}
    by_account = not caller.user_id and operator not in hosts
    account = caller.account_id if by_account else meeting.account_id
    return "*" in app.installed_by and account == app.account_id
