"""What an HTTP status means for an engine: later again, or never."""

from __future__ import annotations

from rtmsd_transcribe.engine import EngineLost, EngineRefused

# A server that asks for more than an hour has said nothing useful about this meeting.
_LONGEST_WAIT_SECS = 3600.0

_REMEDIES = {
    400: "does not accept what is asked of it (HTTP 400); look at its model and language",
    415: "cannot read the sound it gets (HTTP 415); look at its upload and model",
    422: "does not accept what is asked of it (HTTP 422); look at its model and language",
    401: "does not accept the key (HTTP 401); check the engine's key",
    402: "has no credit left for this key (HTTP 402); look at the account",
    403: "does not let this key in (HTTP 403); check what the key is allowed to do",
    404: "does not know this address or model (HTTP 404); check the engine's url and model",
}


def http_fault(engine: str, status: int, retry_after: str | None = None) -> EngineLost | EngineRefused:
    """Make the error of an HTTP answer that is no success; `retry_after` is the header of that name."""
    if status in _REMEDIES:
        return EngineRefused(f"{engine} {_REMEDIES[status]}.")
    wait = _seconds(retry_after)
    if status == 429:
        return EngineLost(f"{engine} is asked too much at once (HTTP 429).", retry_secs=wait)
    if 300 <= status < 400:
        return EngineRefused(
            f"{engine} sends us to another address (HTTP {status}); give that one as its url."
        )
    return EngineLost(f"{engine} answered with HTTP {status}.", retry_secs=wait)


def _seconds(retry_after: str | None) -> float:
    # The header may also be a date; then the sink's own pause serves.
    try:
        return min(max(0.0, float(retry_after or 0)), _LONGEST_WAIT_SECS)  # in this order for "nan"
    except ValueError:
        return 0.0
