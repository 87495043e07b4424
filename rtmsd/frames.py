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
    """How the samples of a stream's audio frames are laid out, as Zoom confirmed it (protocol.md §5.5).

    `codec`: "L16", signed 16-bit little-endian PCM, channels interleaved; "G711", A-law, one byte for a sample; "G722",
    one byte for two samples; "OPUS", one packet in each frame. `rate` is in samples per second. `per_participant` is
    False when Zoom mixes everybody into one track (then `AudioFrame.user_id` is 0).
    """

    codec: str
    rate: int
    channels: int
    per_participant: bool

    def duration_ms(self, data: bytes) -> float:
        """How long `data` sounds; 0 for a codec that this program does not know."""
        if self.codec == "L16":
            return len(data) * 500 / (self.rate * self.channels)
        if self.codec == "G711":
            return len(data) * 1000 / (self.rate * self.channels)
        if self.codec == "G722":
            return len(data) * 2000 / self.rate
        return opus_duration_ms(data) if self.codec == "OPUS" else 0.0


_SILK_MS, _HYBRID_MS, _CELT_MS = (10.0, 20.0, 40.0, 60.0), (10.0, 20.0), (2.5, 5.0, 10.0, 20.0)


def opus_duration_ms(packet: bytes) -> float:
    """How long an Opus packet sounds, by its first bytes (RFC 6716 §3.1, §3.2); 0 when it is none."""
    if not packet:
        return 0.0
    configuration, code = packet[0] >> 3, packet[0] & 3
    if configuration < 12:
        each = _SILK_MS[configuration & 3]
    elif configuration < 16:
        each = _HYBRID_MS[configuration & 1]
    else:
        each = _CELT_MS[configuration & 3]
    if code < 3:
        return each * (1 if code == 0 else 2)
    return each * (packet[1] & 63) if len(packet) > 1 else 0.0


class AudioFrame(msgspec.Struct, frozen=True, gc=False):
    """Some milliseconds of one participant's sound; `timestamp_ms` belongs to the first sample of `data`.

    In a contact centre `user_id` stands for a channel: an event `channel_appeared` tells which.
    """

    user_id: int
    user_name: str
    timestamp_ms: int
    data: bytes
    format: AudioFormat

    @property
    def duration_ms(self) -> float:
        return self.format.duration_ms(self.data)


class PictureFormat(msgspec.Struct, frozen=True, gc=False):
    """How pictures come, as Zoom confirmed it (protocol.md §5.5).

    `codec`: "H264", Annex-B NAL units; "JPG" and "PNG", a whole file in each frame. `resolution`: "SD", "HD", "FHD" or
    "QHD", the largest to expect: the true size may change at any frame. `fps` is what was agreed.
    """

    codec: str
    resolution: str
    fps: int


class VideoFrame(msgspec.Struct, frozen=True, gc=False):
    """One picture of a camera, `data` as Zoom sent it."""

    user_id: int
    user_name: str
    timestamp_ms: int
    data: bytes
    format: PictureFormat


class ShareFrame(msgspec.Struct, frozen=True, gc=False):
    """One picture of a shared screen, `data` as Zoom sent it; `user_id` is who shares."""

    user_id: int
    user_name: str
    timestamp_ms: int
    data: bytes
    format: PictureFormat


class SpokenWord(msgspec.Struct, frozen=True, gc=False):
    """One word of a phrase. `confidence` is 0 to 1, None when nobody says."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float | None = None


class TranscriptFrame(msgspec.Struct, frozen=True, gc=False):
    """One finished phrase. `language` is Zoom's number (protocol.md §6.10) or None; `source` is who transcribed.

    `operation`: "new"; "update" and "delete" concern the phrase with the same user and `timestamp_ms` (§5.6). `words`
    and `confidence` come from other transcribers: Zoom does not tell them.
    """

    user_id: int
    user_name: str
    timestamp_ms: int
    start_ms: int
    end_ms: int
    text: str
    language: int | None = None
    source: str = "zoom"
    operation: str = "new"
    words: tuple[SpokenWord, ...] = ()
    confidence: float | None = None


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
    media_refused, transcribed (details.seconds: sound that was sent, by transcriber; details.lost_seconds: that none
    of them heard). Zoom's: stream_active, stream_interrupted, stream_terminating, stream_terminated, stream_paused,
    stream_resumed, session_started, session_paused, session_resumed, session_stopped, first_packet,
    active_speaker_changed, participant_joined, participant_left, sharing_started, sharing_stopped,
    media_interrupted, participant_video_on, participant_video_off; others by their names in protocol.md §6.2 and
    §6.3, in small letters. Ours, too: channel_appeared (details.channel_id is the channel behind `user_id`),
    participant_renamed (details.old, details.new: the id came back under another name), media_changed (details.media;
    details.asked and details.confirmed hold the parameters that Zoom confirmed otherwise than they were asked for).
    A pause is the time from session_paused to the next session_resumed; while only some of several sessions are paused, it
    is one_session_paused.
    """

    name: str
    timestamp_ms: int
    user_id: int | None = None
    user_name: str | None = None
    details: dict[str, Any] = {}  # msgspec copies the default for every instance


class Gap(msgspec.Struct, frozen=True, gc=False):
    """A span for which frames are missing. `media` None means every kind, `user_id` None every participant.

    Causes: socket_down, lane_full, disk_full, sink_failed, sink_rejected, daemon_restart, not_delivered.
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


Frame = AudioFrame | VideoFrame | ShareFrame | TranscriptFrame | ChatFrame
Item = Frame | Event | Gap | StreamEnd


class StreamInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Which stream the items belong to. `started_ms` is the event time of Zoom's `rtms_started`.

    `zoom_id` is the id by which Zoom knows the stream, where that is not `stream_id`: a failover may bring another one for
    the same recording, and a stream that was given up and announced again begins another recording.
    `is_original_host`: whether its user is the meeting's original host, where Zoom says so.
    `product`: "meeting", "webinar", "video_sdk", "contact_center" or "phone"; `meeting_uuid` is that product's id of
    the session (protocol.md §1.1), `meeting_id` the number or key that people know, where there is one.
    """

    app: str
    product: str
    stream_id: str
    meeting_uuid: str
    meeting_id: str = ""
    account_id: str = ""
    operator_id: str = ""
    started_ms: int = 0
    zoom_id: str = ""
    is_original_host: bool | None = None
