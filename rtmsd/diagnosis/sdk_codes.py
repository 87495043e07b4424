"""What Zoom's own client calls back with, at a join and on leaving: its reasons are not statuses only (protocol.md §9.2)."""

from __future__ import annotations

from rtmsd.diagnosis.codes import STATUS_CODES, STOP_REASONS, Explanation
from rtmsd.diagnosis.sources import SDK

_OWN: dict[int, tuple[str, str, str]] = {
    -1: (
        "no reason",
        "The stream was terminated without a reason.",
        "Look at the stop webhook, which names one.",
    ),
    0: ("joined", "All handshakes succeeded.", "Nothing needs to be done."),
    1: (
        "join timeout",
        "The join was not through after 10 s: no or no readable answer, or a medium without an address. On leaving: the host "
        "stopped the app.",
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

SDK_NUMBERS = (*_OWN, *(number for number in STATUS_CODES if number not in _OWN))


def sdk_reason(number: int) -> Explanation | None:
    """Explain a reason of `on_join_confirm` or `on_leave`; None when nobody has seen it."""
    if number in _OWN:
        name, cause, remedy = _OWN[number]
        return Explanation(number, name, cause, remedy, SDK)
    status, stop = STATUS_CODES.get(number), STOP_REASONS.get(number)
    if status is None:
        return None
    cause, remedy = f"At a join: a handshake was answered with this status. {status.cause}", status.remedy
    if stop is not None:
        cause += f" On leaving: this is Zoom's stop reason {number}. {stop.cause}"
        remedy = remedy if stop.remedy in remedy else f"After a join: {remedy} After leaving: {stop.remedy}"
    return Explanation(number, status.name, cause, remedy, SDK)
