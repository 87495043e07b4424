"""What an HTTP status means for an engine: later again, or never."""

from __future__ import annotations

from rtmsd_transcribe.engine import EngineLost, EngineRefused

# A server that asks for more than an hour has said nothing useful about this meeting.
_LONGEST_WAIT_SECS = 3600.0

# What a server that accepts other sound says of a piece that it cannot read.
_OF_ONE_PIECE = (400, 415, 422)

# The service is not to be had just now: it has not looked at what was sent.
_BUSY = (429, 503)

_REMEDIES = {
    400: "does not accept what is asked of it (HTTP 400); look at its model and language",
    415: "cannot read the sound it gets (HTTP 415); look at its upload and model",
    422: "does not accept what is asked of it (HTTP 422); look at its model and language",
    401: "does not accept the key (HTTP 401); check the engine's key",
    402: "has no credit left for this key (HTTP 402); look at the account",
    403: "does not let this key in (HTTP 403); check what the key is allowed to do",
    404: "does not know this address or model (HTTP 404); check the engine's url and model",
}


def http_fault(
    engine: str, status: int, retry_after: str | None = None, *, works: bool = False
) -> EngineLost | EngineRefused:
    """Make the error of an HTTP answer that is no success; `retry_after` is the header of that name.

    `works`: this engine has had success, so that its model and its language are none to complain about.
    """
    if works and status in _OF_ONE_PIECE:
        return EngineLost(
            f"{engine} does not accept a piece of sound (HTTP {status}), and has accepted others."
        )
    if status in _REMEDIES:
        return EngineRefused(f"{engine} {_REMEDIES[status]}.")
    if status == 413:
        return EngineLost(
            f"{engine} does not take a piece that is so large (HTTP 413); make longest_secs shorter, or raise the server's limit."
        )
    wait, until = _seconds(retry_after), 0.0 if status in _BUSY else None
    if status == 429:
        return EngineLost(
            f"{engine} is asked too much at once (HTTP 429).", retry_secs=wait, until_secs=until
        )
    if 300 <= status < 400:
        return EngineRefused(
            f"{engine} sends us to another address (HTTP {status}); give that one as its url."
        )
    return EngineLost(f"{engine} answered with HTTP {status}.", retry_secs=wait, until_secs=until)


def _seconds(retry_after: str | None) -> float:
    # The header may also be a date; then the sink's own pause serves.
    try:
        return min(max(0.0, float(retry_after or 0)), _LONGEST_WAIT_SECS)  # in this order for "nan"
    except ValueError:
        return 0.0
