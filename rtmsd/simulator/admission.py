"""Who a stream is, and who is let in; and how patient Zoom is with it."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace

from rtmsd.protocol.codes import StatusCode
from rtmsd.protocol.signature import handshake_signature
from rtmsd.simulator.behaviour import Behaviour
from rtmsd.simulator.messages import Message
from rtmsd.simulator.products import MEETING, Product

ID_KEYS = ("meeting_uuid", "webinar_uuid", "session_id", "engagement_id", "call_id")


@dataclass(frozen=True, kw_only=True)
class Timings:
    """Zoom's patience, in seconds (protocol.md §5.2, §5.4, §5.6.2, §7.1). `replay_secs` is ours: audio sent so shortly
    before a socket was lost is sent again, because nobody can know what was still on the wire."""

    connect_secs: float = 60.0
    keep_alive_secs: float = 10.0
    keep_alive_misses: int = 3
    signaling_window_secs: float = 60.0
    media_window_secs: float = 65.0
    buffer_secs: float = 60.0
    replay_secs: float = 2.0
    refusal_secs: float = 1.0
    goodbye_secs: float = 2.0
    handshake_secs: float = 10.0

    def behaving(self, behaviour: Behaviour, pace: float) -> Timings:
        """Give the patience of a Zoom that behaves so, `pace` times as short; media time, and with it the buffer and
        what is sent again, stays."""
        signaling_secs = behaviour.signaling_window_secs or self.signaling_window_secs
        media_secs = behaviour.media_window_secs or self.media_window_secs
        return replace(
            self,
            connect_secs=self.connect_secs / pace,
            keep_alive_secs=self.keep_alive_secs / pace,
            signaling_window_secs=signaling_secs / pace,
            media_window_secs=media_secs / pace,
            refusal_secs=self.refusal_secs / pace,
        )


@dataclass(frozen=True)
class Identity:
    """What a client must know to be let in, and the ids of the stream."""

    client_id: str
    client_secret: str
    meeting_uuid: str
    stream_id: str
    session_id: str
    product: Product = MEETING

    def judge(self, message: Message) -> StatusCode:
        """Check the credentials of a handshake. Any of the five id keys may carry the meeting's uuid."""
        if message.get("rtms_stream_id") != self.stream_id:
            return StatusCode.INVALID_RTMS_STREAM_ID
        if self.meeting_uuid not in [message.get(key) for key in ID_KEYS]:
            return StatusCode.INVALID_PAYLOAD
        expected = handshake_signature(
            client_id=self.client_id,
            client_secret=self.client_secret,
            uuid=self.meeting_uuid,
            stream_id=self.stream_id,
        )
        given = str(message.get("signature", ""))
        fits = hmac.compare_digest(given.encode(), expected.encode())
        return StatusCode.STATUS_OK if fits else StatusCode.INVALID_SIGNATURE
