"""Why a stream ended or lacks a medium, in one or two sentences with the remedy."""

from __future__ import annotations

from rtmsd.diagnosis.codes import status_code, stop_reason

_OVER = "The recording up to there is complete"
_NETWORK = "look at the network between this machine and *.zoom.us, port 443"

# Media as rtmsd names them, and as Zoom's scopes do (protocol.md §1.2).
_SCOPES = {
    "audio": "audio",
    "video": "video",
    "share": "screenshare",
    "transcript": "transcript",
    "chat": "chat",
}


def explain_end(*, outcome: str, reason: int | None, status: int | None, detail: str, app: str) -> str:
    """Say why a stream ended and what to do.

    `outcome`: ended, refused, rejected, unreachable, no_media, lost, bad_url,
    ended_unknown, internal_error. `reason` is Zoom's stop
    reason, `status` that of a handshake, `detail` what was seen (no secrets), `app` whose secret verified the webhook.
    """
    seen = f" ({detail.rstrip('.')})" if detail else ""
    if reason is not None and outcome in ("ended", "ended_unknown", "lost", "refused"):
        return _with_reason(reason, app)
    if outcome == "rejected" and status is not None:
        explained = status_code(status)
        return (
            f"Zoom refused the handshake of app {app} with status {status} ({explained.name}){seen}: "
            f"{_lower(explained.cause)} {explained.remedy}"
        )
    if outcome in ("refused", "rejected"):
        return (
            f"Zoom closed the connection before it answered the handshake{seen}: most often the credentials are not "
            f"those of the app that the stream belongs to. The webhook was verified by a secret of app {app}: check "
            "that its client_id and client_secret are of the same app and environment (development or production) as "
            "that secret, and that the account owns Developer Pack credits."
        )
    sentences = {
        "ended": f"Zoom ended the stream without naming a reason{seen}. {_OVER}.",
        "unreachable": (
            f"Zoom's streaming server could not be reached within 60 s{seen}, so that the stream was not joined; {_NETWORK}."
        ),
        "no_media": (
            f"Zoom refused every medium of app {app}{seen}. Check the app's scopes (meeting:read:meeting_audio, "
            "meeting:read:meeting_transcript), and let every user authorise the app again after a change."
        ),
        "lost": (
            f"The connection to Zoom was lost and not regained while Zoom waited: 60 s, or 65 s for media{seen}. {_OVER}; "
            f"{_NETWORK}."
        ),
        "bad_url": (
            f"The webhook named no server that rtmsd may connect to{seen}. Expected a wss:// address whose host is in "
            "allowed_hosts of [zoom]; add the host there only if it is Zoom's."
        ),
        "internal_error": (
            "rtmsd itself failed in this stream; other streams are not touched. The recording holds what came before. "
            "The log has the fault: please report it."
        ),
        "ended_unknown": (
            f"Zoom closed all connections{_unknown(status)} and gave no reason within 90 s{seen}: most likely the meeting "
            f"ended. {_OVER}; see that "
            "the app is subscribed to the event rtms_stopped, which carries the reason."
        ),
    }
    return sentences.get(outcome) or f"The stream ended{seen}. {_OVER}."


def explain_medium(kind: str, status: int | None, cause: str) -> str:
    """Say why one medium is missing. `kind` as in MediaKind; `status` of its handshake, or None with a `cause`."""
    seen = f" ({cause.rstrip('.')})" if cause else ""
    if status:
        explained = status_code(status)
        return f"No {kind}: Zoom answered with status {status} ({explained.name}){seen}: {_lower(explained.cause)} {explained.remedy}"
    if cause.startswith("not regained"):
        return (
            f"No more {kind}: its connection was lost and {cause.rstrip('.')}, which is how long Zoom waits. What came before "
            f"is recorded, and so are the other media; {_NETWORK}."
        )
    scope = _SCOPES.get(kind, kind)
    return (
        f"No {kind}{seen}: the most likely cause is a missing scope. Add meeting:read:meeting_{scope} (for webinars "
        f"webinar:read:webinar_{scope}) to the app and let every user authorise it again."
    )


def _unknown(status: int | None) -> str:
    return f", did not know the stream any more (status {status})" if status else ""


def _with_reason(reason: int, app: str) -> str:
    explained = stop_reason(reason)
    of_app = f" The webhook was verified by a secret of app {app}." if reason == 18 else ""
    remedy = "" if explained.expected and explained.remedy.startswith("Nothing") else f" {explained.remedy}"
    return f"{explained.cause.rstrip('.')} (stop reason {reason}).{of_app}{remedy}"


def _lower(sentence: str) -> str:
    """Continue after a colon; a product's name keeps its capital."""
    return sentence if sentence.startswith("Zoom") else sentence[:1].lower() + sentence[1:]
