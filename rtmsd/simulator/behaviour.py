"""Which Zoom is played where the sources disagree about Zoom (protocol.md §10), and how strict and how fast it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rtmsd.simulator.refusal import Strictness

WrongSignature = Literal["close", "status"]
SecondSignaling = Literal["reject", "kick"]
MediaParams = Strictness
MediaKeepAlives = Literal["idle", "always"]
WindowReason = Literal["timeout", "interrupted", "closed"]
InterruptedUrls = Literal["none", "same", "fresh"]
PausesAre = Literal["session", "stream", "both"]
RetriedWebhooks = Literal["failed", "refused"]


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What a scenario's `[behaviour]` says; the defaults are what protocol.md §10 tells a simulator to do.

    `distort` names distortions that hold all the time. With `official_client_strict` nothing is sent that Zoom's own
    client would throw away (§11.1).
    """

    wrong_signature: WrongSignature = "close"
    """C42: a bare Close(1000, "Normal close"), or status 3."""
    second_signaling: SecondSignaling = "reject"
    """C15: status 8, or the older connection is closed with 1000."""
    media_params: MediaParams = "zoom"
    """C21–C24: parameters are judged as Zoom does, or as the narrowest of its documents, or what is wrong is replaced by
    the defaults."""
    media_keep_alives: MediaKeepAlives = "idle"
    """C8: media sockets are asked for a sign of life only while nothing is sent on them, or always."""
    signaling_window_secs: float | None = None
    media_window_secs: float | None = None
    """C9: 65 s, or 30 as older documents have it; None is the simulator's default."""
    window_reason: WindowReason = "timeout"
    """What a stream is stopped with when its window has passed: 19, or 13 and 14, or 15 and 16."""
    interrupted_urls: InterruptedUrls = "none"
    """C2: `rtms_interrupted` carries no URL, the one that is known, or that of another server, which is then the
    only one that answers."""
    pauses: PausesAre = "session"
    """§5.7: a pause is told as session states 3 and 4, as stream states 5 and 6, or as both."""
    retried_webhooks: RetriedWebhooks = "failed"
    """C44: only what failed with 5xx or on the way is sent again, or whatever was not answered with 200."""
    distort: tuple[str, ...] = ()
    official_client_strict: bool = False


DEFAULT_BEHAVIOUR = Behaviour()
