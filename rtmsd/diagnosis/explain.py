"""What a number means that somebody has seen: Zoom's stop reasons and statuses, its API's codes, its own client's reasons."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rtmsd.diagnosis.codes import STATUS_CODES, STOP_REASONS, Explanation, status_code, stop_reason
from rtmsd.zoom.replies import BY_CODE, BY_STATUS

_SDK: dict[int, tuple[str, str, str]] = {
    -1: (
        "no reason",
        "The stream was terminated without a reason.",
        "Look at the stop webhook, which names one.",
    ),
    0: ("joined", "All handshakes succeeded.", "Nothing needs to be done."),
    1: (
        "join timeout",
        "The join was not through after 10 s: no or no readable answer, or a medium without an address.",
        "See whether every medium that is asked for has its scope, and whether the network lets *.zoom.us through.",
    ),
    16: (
        "no pong, or a duplicate",
        "On leaving: the peer did not answer a ping for 60 s. At a join: Zoom still has a media connection of this kind.",
        "Look at proxies and firewalls that cut long connections, and see that no second program serves the same app.",
    ),
    502: (
        "gave up",
        "After a lost connection it could not rejoin within 10 s.",
        "Look at the network to *.zoom.us.",
    ),
    504: (
        "no connection",
        "No connection came about: DNS, a refused connection, or an HTTP error instead of the WebSocket upgrade.",
        "Look at DNS, firewall and proxy for *.zoom.us, port 443.",
    ),
    610: (
        "TLS",
        "The server's TLS certificate was not accepted.",
        "Look at the machine's CA bundle and clock, and for a proxy that opens TLS.",
    ),
    613: (
        "TLS ended",
        "TLS was ended without a Close frame.",
        "Look at proxies and firewalls that cut long connections.",
    ),
    960: (
        "closed by Zoom",
        "Zoom sent a Close frame. Before the join was through this means: credentials or stream were not accepted. It is no success, "
        "though the SDK calls back as if it were one.",
        "Check that client id and secret are of the same app and environment (development or production) as the subscription "
        "whose secret token verified the webhook; a stop webhook with reason 18 confirms it.",
    ),
}


@dataclass(frozen=True)
class Meaning:
    """One meaning of a number: `kind` is stop, status, api or sdk."""

    kind: str
    explanation: Explanation


def _sdk(number: int) -> Explanation | None:
    if number in _SDK:
        name, cause, remedy = _SDK[number]
        return Explanation(number, name, cause, remedy, "protocol.md §9.2")
    if number in STATUS_CODES:
        same = STATUS_CODES[number]
        return Explanation(
            number,
            same.name,
            f"A handshake was answered with this status. {same.cause}",
            same.remedy,
            "protocol.md §9.2",
        )
    return None


def _api(number: int) -> Explanation | None:
    found = BY_CODE.get(number) or (BY_STATUS.get(number) if number else None)
    if found is None:
        return None
    return Explanation(
        number, f"API_{number}", found.cause, found.remedy or "Nothing needs to be done.", "protocol.md §4.2"
    )


_TABLES: Mapping[str, Callable[[int], Explanation | None]] = MappingProxyType(
    {"stop": STOP_REASONS.get, "status": STATUS_CODES.get, "api": _api, "sdk": _sdk},
)

_NAMES: Mapping[str, Meaning] = MappingProxyType(
    {
        **{one.name.removeprefix("STOP_BC_"): Meaning("stop", one) for one in STOP_REASONS.values()},
        **{one.name: Meaning("status", one) for one in STATUS_CODES.values()},
    }
)


def explain(code: str) -> list[Meaning]:
    """Give every meaning of what somebody saw: `18`, `stop:18`, `status:3`, `api:2310`, `sdk:960`, `0x3c0`, or a name.

    Hexadecimal numbers are the SDK's. Empty when it means nothing here; a stop reason or a status that is merely new
    is explained as that when its kind is said. Raises ValueError with a sentence when `code` has none of these forms.
    """
    text = code.strip()
    if found := _NAMES.get(text.upper().removeprefix("STOP_BC_")):
        return [found]
    form = re.fullmatch(r"(?:(stop|status|api|sdk):)?(0x[0-9a-f]{1,8}|-?[0-9]{1,9})", text.lower())
    if form is None:
        raise ValueError(
            f"expected a number, one with its kind (stop:18, status:3, api:2310, sdk:960), or a name, got {code[:60]!r}"
        )
    kind, digits = form[1], form[2]
    number = int(digits, 0) if digits.startswith("0x") else int(digits)
    if kind is None and digits.startswith("0x"):
        kind = "sdk"
    if kind == "stop":
        return [Meaning("stop", stop_reason(number))]
    if kind == "status":
        return [Meaning("status", status_code(number))]
    tables = _TABLES.items() if kind is None else [(kind, _TABLES[kind])]
    return [Meaning(name, known) for name, table in tables if (known := table(number)) is not None]
