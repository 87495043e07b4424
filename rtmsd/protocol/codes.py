"""Zoom's numbers, as data (protocol.md §6, of the November 2026 documentation and SDK 1.1.0).

A number that is not here is never an error: it is counted and passed on as it came.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag


class MessageType(IntEnum):
    UNDEFINED = 0
    SIGNALING_HAND_SHAKE_REQ = 1
    SIGNALING_HAND_SHAKE_RESP = 2
    DATA_HAND_SHAKE_REQ = 3
    DATA_HAND_SHAKE_RESP = 4
    EVENT_SUBSCRIPTION = 5
    EVENT_UPDATE = 6
    CLIENT_READY_ACK = 7
    STREAM_STATE_UPDATE = 8
    SESSION_STATE_UPDATE = 9
    SESSION_STATE_REQ = 10
    SESSION_STATE_RESP = 11
    KEEP_ALIVE_REQ = 12
    KEEP_ALIVE_RESP = 13
    MEDIA_DATA_AUDIO = 14
    MEDIA_DATA_VIDEO = 15
    MEDIA_DATA_SHARE = 16
    MEDIA_DATA_TRANSCRIPT = 17
    MEDIA_DATA_CHAT = 18
    STREAM_STATE_REQ = 19
    STREAM_STATE_RESP = 20
    STREAM_CLOSE_REQ = 21
    STREAM_CLOSE_RESP = 22
    META_DATA_AUDIO = 23
    META_DATA_VIDEO = 24
    META_DATA_SHARE = 25
    META_DATA_TRANSCRIPT = 26
    META_DATA_CHAT = 27
    VIDEO_SUBSCRIPTION_REQ = 28
    VIDEO_SUBSCRIPTION_RESP = 29


class EventType(IntEnum):
    """Of meetings, webinars and Video SDK sessions; contact centre streams use the numbers from 8 for others."""

    UNDEFINED = 0
    FIRST_PACKET_TIMESTAMP = 1
    ACTIVE_SPEAKER_CHANGE = 2
    PARTICIPANT_JOIN = 3
    PARTICIPANT_LEAVE = 4
    SHARING_START = 5
    SHARING_STOP = 6
    MEDIA_CONNECTION_INTERRUPTED = 7
    PARTICIPANT_VIDEO_ON = 8
    PARTICIPANT_VIDEO_OFF = 9
    CHAT_GROUP_CREATE = 10
    CHAT_GROUP_DELETE = 11
    CHAT_GROUP_MEMBERS_ADD = 12
    CHAT_GROUP_MEMBERS_DELETE = 13
    CHAT_GROUP_MEMBER_STATUS_UPDATE = 14


class ContactCenterEventType(IntEnum):
    UNDEFINED = 0
    CONSUMER_ANSWERED = 8
    CONSUMER_END = 9
    USER_ANSWERED = 10
    USER_END = 11
    USER_HOLD = 12
    USER_UNHOLD = 13
    MONITOR_STARTED = 14
    MONITOR_TRANSITIONED = 15
    MONITOR_ENDED = 16
    TAKEOVER_STARTED = 17
    TRANSFER_INITIATED = 18
    TRANSFER_CANCELED = 19
    TRANSFER_ACCEPTED = 20
    TRANSFER_COMPLETED = 21
    TRANSFER_REJECTED = 22
    TRANSFER_TIMEOUT = 23
    CONFERENCE_CANCELED = 24
    CONFERENCE_PARTICIPANT_CANCELED = 25
    CONFERENCE_PARTICIPANT_INVITED = 26
    CONFERENCE_PARTICIPANT_REJECTED = 27
    CONFERENCE_PARTICIPANT_TIMEOUT = 28
    CONFERENCE_PARTICIPANT_LEFT = 29


class StatusCode(IntEnum):
    """In handshake responses (2, 4), 22 and 29."""

    STATUS_OK = 0
    INVALID_MESSAGE_TYPE = 1
    INVALID_RTMS_STREAM_ID = 2
    INVALID_SIGNATURE = 3
    INVALID_PAYLOAD = 4
    INVALID_EVENTS = 5
    INVALID_EVENT_TYPE = 6
    INVALID_MEDIA_TYPE = 7
    DUPLICATE_SIGNAL_REQUEST = 8
    MEDIA_TYPE_AUDIO_NOT_SUPPORT = 9
    MEDIA_TYPE_VIDEO_NOT_SUPPORT = 10
    MEDIA_TYPE_DESKSHARE_NOT_SUPPORT = 11
    MEDIA_TYPE_TRANSCRIPT_NOT_SUPPORT = 12
    MEDIA_TYPE_CHAT_NOT_SUPPORT = 13
    MEDIA_TYPE_INVALID_VALUE = 14
    MEDIA_DATA_ALL_CONNECTION_EXIST = 15
    DUPLICATE_MEDIA_DATA_CONNECTION = 16
    INVALID_MEDIA_PARAMS = 17
    INVALID_MEDIA_AUDIO_PARAMS = 18
    INVALID_MEDIA_AUDIO_CONTENT_TYPE = 19
    INVALID_MEDIA_AUDIO_SAMPLE_RATE = 20
    INVALID_MEDIA_AUDIO_CHANNEL = 21
    INVALID_MEDIA_AUDIO_CODEC = 22
    INVALID_MEDIA_AUDIO_DATA_OPT = 23
    INVALID_MEDIA_AUDIO_SEND_RATE = 24
    INVALID_MEDIA_VIDEO_PARAMS = 25
    INVALID_MEDIA_VIDEO_CONTENT_TYPE = 26
    INVALID_MEDIA_VIDEO_CODEC = 27
    INVALID_MEDIA_VIDEO_RESOLUTION = 28
    INVALID_MEDIA_VIDEO_DATA_OPT = 29
    INVALID_MEDIA_VIDEO_FPS = 30
    INVALID_MEDIA_DESKSHARE_PARAMS = 31
    INVALID_MEDIA_DESKSHARE_CONTENT_TYPE = 32
    INVALID_MEDIA_DESKSHARE_CODEC = 33
    INVALID_MEDIA_DESKSHARE_RESOLUTION = 34
    INVALID_MEDIA_DESKSHARE_FPS = 35
    INVALID_MEDIA_TRANSCRIPT_PARAMS = 36
    INVALID_MEDIA_TRANSCRIPT_CONTENT_TYPE = 37
    INVALID_MEDIA_CHAT_PARAMS = 38
    INVALID_MEDIA_CHAT_CONTENT_TYPE = 39
    INVALID_RTMS_SESSION_ID = 40
    INVALID_CLIENT_READY_ACK = 41
    INVALID_EVENT_SUBSCRIBE = 42
    INVALID_MEDIA_TRANSCRIPT_SOURCE_LANGUAGE = 43
    DUPLICATE_VIDEO_SUBSCRIPTION = 44
    INTERNAL_EXCEPTION = 45
    INVALID_MEDIA_TRANSCRIPT_TARGET_LANGUAGE = 46
    CHAT_SESSION_KEY_NOT_AVAILABLE = 47


class SessionState(IntEnum):
    INACTIVE = 0
    INITIALIZE = 1
    STARTED = 2
    PAUSED = 3
    RESUMED = 4
    STOPPED = 5


class StreamState(IntEnum):
    INACTIVE = 0
    ACTIVE = 1
    INTERRUPTED = 2
    TERMINATING = 3
    TERMINATED = 4
    PAUSED = 5
    RESUMED = 6


class StopReason(IntEnum):
    """Zoom's names carry the prefix `STOP_BC_`."""

    UNDEFINED = 0
    HOST_TRIGGERED = 1
    USER_TRIGGERED = 2
    USER_LEFT = 3
    USER_EJECTED = 4
    HOST_DISABLED_APP = 5
    MEETING_ENDED = 6
    STREAM_CANCELED = 7
    STREAM_REVOKED = 8
    ALL_APPS_DISABLED = 9
    INTERNAL_EXCEPTION = 10
    CONNECTION_TIMEOUT = 11
    INSTANCE_CONNECTION_INTERRUPTED = 12
    SIGNAL_CONNECTION_INTERRUPTED = 13
    DATA_CONNECTION_INTERRUPTED = 14
    SIGNAL_CONNECTION_CLOSED_ABNORMALLY = 15
    DATA_CONNECTION_CLOSED_ABNORMALLY = 16
    EXIT_SIGNAL = 17
    AUTHENTICATION_FAILURE = 18
    AWAIT_RECONNECTION_TIMEOUT = 19
    RECEIVER_REQUEST_CLOSE = 20
    CUSTOMER_DISCONNECTED = 21
    AGENT_DISCONNECTED = 22
    ADMIN_DISABLED_APP = 23
    KEEP_ALIVE_TIMEOUT = 24
    MANUAL_API_TRIGGERED = 25
    STREAMING_NOT_SUPPORTED = 26


class MediaContentType(IntEnum):
    UNDEFINED = 0
    RTP = 1
    RAW_AUDIO = 2
    RAW_VIDEO = 3
    FILE_STREAM = 4
    TEXT = 5


class MediaDataType(IntFlag):
    AUDIO = 1
    VIDEO = 2
    DESKSHARE = 4
    TRANSCRIPT = 8
    CHAT = 16
    ALL = 32


class MediaDataOption(IntEnum):
    UNDEFINED = 0
    AUDIO_MIXED_STREAM = 1
    AUDIO_MULTI_STREAMS = 2
    VIDEO_SINGLE_ACTIVE_STREAM = 3
    VIDEO_SINGLE_INDIVIDUAL_STREAM = 4
    VIDEO_MIXED_GALLERY_VIEW = 5


class MediaPayloadType(IntEnum):
    UNDEFINED = 0
    L16 = 1
    G711 = 2
    G722 = 3
    OPUS = 4
    JPG = 5
    PNG = 6
    H264 = 7


class MediaResolution(IntEnum):
    SD = 1
    HD = 2
    FHD = 3
    QHD = 4


class AudioSampleRate(IntEnum):
    RATE_8K = 0
    RATE_16K = 1
    RATE_32K = 2
    RATE_48K = 3


class AudioChannel(IntEnum):
    MONO = 1
    STEREO = 2


class TransmissionProtocol(IntEnum):
    WEBSOCKET = 1
    RTMP = 2
    UDP = 3
    WEBRTC = 4


class DataMessageAttribute(IntEnum):
    NONE = 0
    NEW = 1
    UPDATE = 2
    DELETE = 3


class ChatSessionType(IntEnum):
    EVERYONE = 1
    INDIVIDUAL = 2
    CHAT_GROUP = 3
    HOSTS_AND_PANELISTS = 4
    INDIVIDUAL_CC_HOSTS_AND_PANELISTS = 5


class ChatOperation(IntEnum):
    NEW = 1
    DELETE = 2
    UPDATE = 3
    ADD_EMOJI = 4
    REMOVE_EMOJI = 5


class ChatMemberStatus(IntEnum):
    IN_CHAT_GROUP = 0
    IN_BREAKOUT_ROOM = 1
    IN_WAITING_ROOM = 2
    IN_BACKSTAGE = 3
    LEFT_MEETING = 4


SAMPLE_RATES_HZ: dict[int, int] = {0: 8_000, 1: 16_000, 2: 32_000, 3: 48_000}

# RTMS_TRANSCRIPT_LANGUAGE with the BCP 47 tag that people write in a configuration.
LANGUAGES: dict[int, tuple[str, str]] = {
    0: ("ar", "Arabic"),
    1: ("bn", "Bengali"),
    2: ("yue", "Cantonese"),
    3: ("ca", "Catalan"),
    4: ("zh-Hans", "Chinese (Simplified)"),
    5: ("zh-Hant", "Chinese (Traditional)"),
    6: ("cs", "Czech"),
    7: ("da", "Danish"),
    8: ("nl", "Dutch"),
    9: ("en", "English"),
    10: ("et", "Estonian"),
    11: ("fi", "Finnish"),
    12: ("fr-CA", "French (Canada)"),
    13: ("fr", "French (France)"),
    14: ("de", "German"),
    15: ("he", "Hebrew"),
    16: ("hi", "Hindi"),
    17: ("hu", "Hungarian"),
    18: ("id", "Indonesian"),
    19: ("it", "Italian"),
    20: ("ja", "Japanese"),
    21: ("ko", "Korean"),
    22: ("ms", "Malay"),
    23: ("fa", "Persian"),
    24: ("pl", "Polish"),
    25: ("pt", "Portuguese"),
    26: ("ro", "Romanian"),
    27: ("ru", "Russian"),
    28: ("es", "Spanish"),
    29: ("sv", "Swedish"),
    30: ("tl", "Tagalog"),
    31: ("ta", "Tamil"),
    32: ("te", "Telugu"),
    33: ("th", "Thai"),
    34: ("tr", "Turkish"),
    35: ("uk", "Ukrainian"),
    36: ("vi", "Vietnamese"),
}
LANGUAGE_NUMBERS: dict[str, int] = {tag: number for number, (tag, _) in LANGUAGES.items()}


def number_of(table: type[IntEnum], value: object) -> int | None:
    """Read a value of a table that may come as a number, a number in text, or a name (protocol.md §10 C12).

    None when it is neither; a number that the table does not have is that number.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) < 2**31 else None
    if not isinstance(value, str):
        return None
    text = value.strip().upper().removeprefix("STOP_BC_")
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    return int(table[text]) if text in table.__members__ else None


def name_of(table: type[IntEnum], number: int) -> str:
    """Name a number of a table, `UNKNOWN_n` when the table does not have it."""
    try:
        return table(number).name
    except ValueError:
        return f"UNKNOWN_{number}"
