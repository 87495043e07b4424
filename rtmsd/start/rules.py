"""Which meetings and streams an app takes: `[apps.only]`, rule by rule. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from rtmsd.config import OnlyConfig


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of a meeting, and of a stream in it; empty or None: not known, or there is no stream yet."""

    account_id: str = ""
    meeting_id: str = ""
    host_id: str = ""
    topic: str = ""
    operator_id: str = ""
    is_original_host: bool | None = None

    @property
    def host(self) -> str:
        """The scheduled host: as told, or the user whose app it is, if Zoom says that this is the same."""
        return self.host_id or (self.operator_id if self.is_original_host else "")

    @property
    def of_host(self) -> bool | None:
        """Whether it is the original host's stream; None when nobody says."""
        if self.is_original_host is None and self.host_id and self.operator_id:
            return self.host_id == self.operator_id
        return self.is_original_host


@dataclass(frozen=True)
class Refusal:
    """A rule is not met. `unknown`: it could not be judged, so that somebody should know."""

    rule: str
    sentence: str
    unknown: bool = False


def refused_meeting(only: OnlyConfig, facts: Facts) -> Refusal | None:
    """Say which rule forbids this meeting, of the rules that concern meetings."""
    number = facts.meeting_id
    if only.meetings and number not in only.meetings:
        return _refuse(
            "meetings", number, f"the meeting {number} is none of those named there", "the meeting's number"
        )
    if only.accounts and facts.account_id not in only.accounts:
        return _refuse(
            "accounts", facts.account_id, f"the account {facts.account_id} is not named there", "the account"
        )
    if only.hosts and facts.host not in only.hosts:
        return _refuse(
            "hosts", facts.host, f"the meeting's host {facts.host} is not named there", "the meeting's host"
        )
    if only.topics and not any(_like(facts.topic, pattern) for pattern in only.topics):
        return _refuse(
            "topics", facts.topic, "the meeting's topic matches no pattern there", "the meeting's topic"
        )
    return None


def refused_stream(only: OnlyConfig, facts: Facts) -> Refusal | None:
    """Say which rule forbids this stream, of all rules but those on second streams."""
    if only.original_host and facts.of_host is not True:
        known = "" if facts.of_host is None else "known"
        return _refuse(
            "original_host",
            known,
            "its user is not the meeting's original host",
            "whether its user is the original host",
        )
    if only.operators and facts.operator_id not in only.operators:
        return _refuse(
            "operators", facts.operator_id, f"its user {facts.operator_id} is not named there", "its user"
        )
    return refused_meeting(only, facts)


@dataclass(frozen=True)
class Second:
    """What a second stream of a meeting means. `instead`: take it, and end those before it."""

    refusal: Refusal | None = None
    instead: bool = False


def judge_second(only: OnlyConfig, new: Facts, others: Sequence[Facts]) -> Second:
    """Judge a new stream beside the living ones of the same meeting and app (protocol.md §7.6)."""
    if not others or only.second_stream == "both":
        return Second()
    if only.second_stream == "first":
        return Second(
            Refusal(
                "second_stream",
                'The stream is not taken: another stream of this meeting is being recorded, and only.second_stream is "first".',
            )
        )
    if new.of_host and not any(one.of_host for one in others):
        return Second(instead=True)
    return Second(
        Refusal(
            "second_stream",
            "The stream is not taken: another stream of this meeting is being recorded, this one is not its host's, and "
            'only.second_stream is "host".',
        )
    )


def _refuse(rule: str, value: str, why: str, what: str) -> Refusal:
    if value:
        return Refusal(rule, f"The stream is not taken: {why} (only.{rule}).")
    return Refusal(
        rule,
        f"The stream is not taken: only.{rule} is set for this app, and Zoom did not say {what}. Subscribe the app to the "
        "events Start Meeting and Participant/Host joined meeting, or configure [apps.manual], so that it can be looked up.",
        unknown=True,
    )


def _like(topic: str, pattern: str) -> bool:
    return bool(topic) and fnmatchcase(topic.casefold(), pattern.casefold())
