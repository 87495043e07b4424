"""What Zoom tells of an account or of a start that failed, in a sentence with the remedy (protocol.md §2.5.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Notice:
    """A sentence for people. `problem`: something is not recorded, or soon will not be."""

    sentence: str
    problem: bool


_LIMIT = (
    "How many streams there may be at once depends on the Developer Pack of the account that owns the app (a trial has 5): "
    "buy more, or let fewer meetings start the app."
)


def explain_notice(event: str, *, uuid: str, said: Mapping[str, str | int | float | bool]) -> Notice:
    """Explain an `rtms.*` event. `uuid` is the meeting's, if Zoom named one; `said` the payload's short values."""
    meeting = f"the meeting {uuid}" if uuid else "a meeting"
    if event == "rtms.concurrency_near_limit":
        return Notice(f"The account is near its limit of streams at once{_numbers(said)}. {_LIMIT}", True)
    if event == "rtms.concurrency_limited":
        return Notice(
            f"The account is at its limit of streams at once{_numbers(said)}: {meeting} is not recorded. {_LIMIT}",
            True,
        )
    if event == "rtms.start_failed":
        why = next((str(said[key]) for key in ("reason", "error_message", "message") if said.get(key)), "")
        cause = f"Zoom says: {why.rstrip('.')}" if why else "Zoom did not say why"
        return Notice(
            f"Zoom could not start the stream of {meeting}, which is not recorded. {cause}. Check the app's scopes, that "
            "its users have authorised it, and that the account that owns it has Developer Pack credits.",
            True,
        )
    told = ", ".join(f"{key} {value}" for key, value in sorted(said.items())) or "nothing more"
    what = "the request to stream" if event == "rtms.request_status" else event
    return Notice(f"Zoom tells of {what} ({meeting}): {told}.", False)


def _numbers(said: Mapping[str, str | int | float | bool]) -> str:
    number, limit, percentage = (
        said.get(key) for key in ("concurrency_number", "concurrency_limit", "percentage")
    )
    parts = []
    if number is not None:
        parts.append(f"{number} of {limit}" if limit is not None else f"{number} streams")
    if percentage is not None:
        parts.append(f"{percentage} %")
    return f" ({', '.join(parts)})" if parts else ""
