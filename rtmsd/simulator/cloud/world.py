"""What the parts of the cloud know of each other: apps, controllers, users, and meetings that are going on (protocol.md §1, §4)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from rtmsd.simulator.products import ACCOUNT_ID

Era = Literal["2025", "2026-01", "2026-07", "2026-10"]
"""The rules of §4.3 that are in force since then."""

Role = Literal["host", "cohost", "attendee"]

START_SCOPE = "meeting:update:participant_rtms_app_status:admin"
READ_SCOPES = ("meeting:read:meeting:admin", "meeting:read:list_meetings:admin")


@dataclass(frozen=True, kw_only=True)
class CloudApp:
    """An RTMS app in one environment: its credentials, where its events go, and what its account may.

    `webhook` is where events are POSTed, `subscription_id` the event WebSocket that gets them. `lifecycle`: it has
    subscribed to the events of a meeting's life too. `auto_start`: Zoom starts it by itself when somebody in
    `installed_by` hosts or joins. `entitled_after_secs`: from when on its account has credits, after the simulator's
    beginning; None: never. `allow_listed`: it may read meeting content. `installed_by` are Zoom user ids; "*" is
    everybody of `account_id`.
    """

    name: str
    client_id: str
    client_secret: str
    webhook_secret: str
    account_id: str = ACCOUNT_ID
    environment: Literal["development", "production"] = "production"
    webhook: str | None = None
    subscription_id: str = ""
    lifecycle: bool = True
    auto_start: bool = False
    entitled_after_secs: float | None = 0.0
    allow_listed: bool = True
    installed_by: frozenset[str] = frozenset({"*"})
    concurrency_limit: int = 2000

    def has_credits(self, age_secs: float) -> bool:
        """Say whether its account has credits when the simulator is so old."""
        return self.entitled_after_secs is not None and age_secs >= self.entitled_after_secs


@dataclass(frozen=True, kw_only=True)
class Controller:
    """A Server-to-Server OAuth app: it may ask for tokens of its account with these scopes."""

    account_id: str
    client_id: str
    client_secret: str
    scopes: tuple[str, ...] = (START_SCOPE, *READ_SCOPES)
    token_secs: int = 3600


@dataclass(frozen=True, kw_only=True)
class HostGrant:
    """A user who authorised an RTMS app: the refresh token works once, and its answer holds the next."""

    user_id: str
    client_id: str
    refresh_token: str
    scopes: tuple[str, ...] = ("meeting:update:participant_rtms_app_status", "meeting:read:meeting")


@dataclass(frozen=True)
class Attendee:
    """Somebody who is in a meeting, or waits for it. `zoom_user_id` is empty for guests.

    `invited`: on the invitation list, and not come by an anonymous link. `waits` in the waiting room, or for the host.
    """

    user_id: int
    name: str
    zoom_user_id: str = ""
    role: Role = "attendee"
    invited: bool = False
    waits: bool = False


@dataclass(frozen=True)
class RunningStream:
    """A stream that Zoom has for an app in a meeting."""

    stream_id: str
    client_id: str
    operator_id: str
    paused: bool


class LiveMeeting(Protocol):
    """A meeting, as the rules see it. `in_progress`: it has started and not ended. `host_id` is the scheduled host."""

    @property
    def number(self) -> int: ...
    @property
    def uuid(self) -> str: ...
    @property
    def account_id(self) -> str: ...
    @property
    def host_id(self) -> str: ...
    @property
    def topic(self) -> str: ...
    @property
    def in_progress(self) -> bool: ...
    @property
    def alternative_hosts(self) -> Collection[str]: ...
    @property
    def attendees(self) -> Sequence[Attendee]: ...
    @property
    def streams(self) -> Sequence[RunningStream]: ...

    def start(self, app: CloudApp, operator_id: str) -> None:
        """Begin a stream: `rtms_started` goes to the app."""
        ...

    def stop(self, stream: RunningStream) -> None: ...

    def pause(self, stream: RunningStream) -> None: ...

    def resume(self, stream: RunningStream) -> None: ...


class World(Protocol):
    """Everything that REST and OAuth need to know, and nothing that they need to do but through a `LiveMeeting`."""

    @property
    def era(self) -> Era: ...
    @property
    def apps(self) -> Sequence[CloudApp]: ...
    @property
    def controllers(self) -> Sequence[Controller]: ...
    @property
    def grants(self) -> Sequence[HostGrant]: ...

    @property
    def age_secs(self) -> float:
        """How long the simulator has been there; follows its clock."""
        ...

    def meeting(self, number_or_uuid: str) -> LiveMeeting | None:
        """Find a meeting that is planned, going on, or over, by its number (the latest occurrence) or its UUID."""
        ...

    def meetings_of(self, user_id: str) -> Sequence[LiveMeeting]:
        """List the meetings of a host that are in progress."""
        ...
