"""Why Zoom is asked, and what is usually to blame when a meeting never starts. Pure."""

from __future__ import annotations

from rtmsd.start.values import Means

WHY = {
    "started": "the meeting started",
    "found": "the meeting was going on",
    "joined": "somebody joined",
    "host_joined": "the host joined",
    "admitted": "somebody was admitted",
    "jbh_joined": "somebody joined before the host",
    "role": "somebody became host",
    "rejoined": "the user came back",
    "timer": "nothing came of the last request",
    "later": "the last request may now pass",
    "already": "another stream of it ran",
    "restart": "the stream broke",
}
"""Triggers of requests, in words."""

AWAY = "The user of the app left; it is started again when they come back."


def never_started(means: Means, account_id: str, *, last: str = "", expected: bool = False) -> str:
    """Say that a meeting has no stream by its deadline, and what is usually to blame (§9.1, 1, 4 and 28).

    `account_id` is the meeting's; `last` what is known of the request for it; `expected`: Zoom told nothing of it at all.
    """
    secs = f"{means.deadline_secs:.0f} s"
    if expected:
        begin = f"Zoom has told nothing of this meeting, {secs} after it was expected to begin"
    else:
        begin = f"The meeting never started streaming: it has gone on for {secs} without a stream"
    known = f"{begin}. {last}".rstrip()
    if account_id and means.account_id and account_id != means.account_id:
        return f"{known} It belongs to another account ({account_id}): {_EXTERNAL}"
    if means.auto or expected:
        return f"{known} {_AUTO} If its host is of another account: {_EXTERNAL}"
    return known


_EXTERNAL = (
    "its host has to authorise the app by the app's authorisation URL (an app that is not published works in its own account "
    "only), the host's account has to be verified and to share realtime meeting content with apps, and a free account may "
    "silently never start."
)

_AUTO = (
    'Look in Zoom\'s web portal, Settings, Zoom Apps: "Share realtime meeting content with apps" must be on, and this app on '
    "among those that start automatically, for this host; the account that owns the app needs Developer Pack credits, and the "
    "app the events RTMS started and stopped."
)
