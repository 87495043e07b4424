"""What travels from the sockets to the sinks.

All times are Unix milliseconds on the meeting's own clock (the timestamps that Zoom puts into its messages).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec


class MediaKind(StrEnum):
    """What a stream can carry, one socket each."""

    AUDIO = "audio"
    VIDEO = "video"
    SHARE = "share"
    TRANSCRIPT = "transcript"
    CHAT = "chat"


class AudioFormat(msgspec.Struct, frozen=True, gc=False):
    """How the samples of a stream's audio frames are laid out, as Zoom confirmed it.

    `codec` is "L16": signed 16-bit little-endian PCM, channels interleaved. `per_participant` is False when Zoom
    mixes everybody into one track (then `AudioFrame.user_id` is 0).
    """

    codec: str
    rate: int
    channels: int
    per_participant: bool


class AudioFrame(msgspec.Struct, frozen=True, gc=False):
    """Some milliseconds of one participant's sound; `timestamp_ms` belongs to the first sample of `data`."""

    user_id: int
    user_name: str
    timestamp_ms: int
    data: bytes
    format: AudioFormat

    @property
    def duration_ms(self) -> float:
        return len(self.data) * 500 / (self.format.rate * self.format.channels)


class TranscriptFrame(msgspec.Struct, frozen=True, gc=False):
    """One finished phrase. `language` is Zoom's number (protocol.md §6.10) or None; `source` is who transcribed."""

    user_id: int
    user_name: str
    timestamp_ms: int
    start_ms: int
    end_ms: int
    text: str
    language: int | None = None
    source: str = "zoom"


class ChatFrame(msgspec.Struct, frozen=True):
    """One thing done in the chat. `operation`: new, update, delete, add_emoji, remove_emoji.

    `user_id` is the sender's, None when Zoom did not say. `audience`: everyone, individual, chat_group, … (or
    "unknown"); `receiver_id` for an individual. `raw` is what Zoom sent, as a JSON object.
    """

    user_id: int | None
    user_name: str
    timestamp_ms: int
    operation: str
    message_id: str
    text: str
    audience: str = "unknown"
    receiver_id: int | None = None
    parent_id: str = ""
    raw: dict[str, Any] = {}  # msgspec copies the default for every instance


class Event(msgspec.Struct, frozen=True):
    """Something that happened in the stream, named in the past tense; `details` holds JSON values only.

    Ours: stream_joined, socket_lost, socket_reopened (details.socket; "signaling" when all were made anew),
    media_refused. Zoom's: stream_active, stream_interrupted, stream_terminating, stream_terminated, stream_paused,
    stream_resumed, session_started, session_paused, session_resumed, session_stopped, first_packet,
    active_speaker_changed, participant_joined, participant_left, sharing_started, sharing_stopped,
    media_interrupted, participant_video_on, participant_video_off.
    A pause is the time from session_paused to the next session_resumed.
    """

    name: str
    timestamp_ms: int
    user_id: int | None = None
    user_name: str | None = None
    details: dict[str, Any] = {}  # msgspec copies the default for every instance


class Gap(msgspec.Struct, frozen=True, gc=False):
    """A span for which frames are missing. `media` None means every kind, `user_id` None every participant.

    Causes: socket_down, lane_full, sink_failed, sink_rejected, daemon_restart, not_delivered.
    """

    cause: str
    from_ms: int
    to_ms: int
    media: MediaKind | None = None
    user_id: int | None = None


class StreamEnd(msgspec.Struct, frozen=True, gc=False):
    """The stream is over; nothing follows. `reason` is Zoom's stop reason, or None when Zoom named none."""

    reason: int | None
    name: str
    sentence: str
    timestamp_ms: int


Frame = AudioFrame | TranscriptFrame | ChatFrame
Item = AudioFrame | TranscriptFrame | ChatFrame | Event | Gap | StreamEnd


class StreamInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Which stream the items belong to. `started_ms` is the event time of Zoom's `rtms_started`."""

    app: str
    product: str
    stream_id: str
    meeting_uuid: str
    meeting_id: str = ""
    account_id: str = ""
    operator_id: str = ""
    started_ms: int = 0
