"""Zoom's stop reasons and status codes: what each means, and what to do about it, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rtmsd.diagnosis.sources import DATA_TYPES
from rtmsd.protocol.codes import StatusCode, StopReason


@dataclass(frozen=True)
class Explanation:
    """A number's name, its cause and its remedy as sentences, and where Zoom or others say so.

    `number` is None when what is seen is a word. `expected`: this is how streams end or answer when all is well, so
    nobody needs to act.
    """

    number: int | None
    name: str
    cause: str
    remedy: str
    source: str
    expected: bool = False


_NOTHING = "Nothing needs to be done."
_FAULT = "The recording up to here is complete; if the meeting goes on, start the app in it again."
_BUG = "This is a fault of rtmsd or a change of Zoom's: please report it with the log of this stream."
_CREDENTIALS = (
    "Check that client_id and client_secret are of the same app and the same environment (development or production) "
    "as the event subscription whose Secret Token verified the webhook, and that only one of the two is installed."
)

_STOPS: dict[StopReason, tuple[str, str, bool]] = {
    StopReason.UNDEFINED: (
        "Zoom ended the stream without naming a reason.",
        "If it happens again, ask Zoom with the stream's id.",
        False,
    ),
    StopReason.HOST_TRIGGERED: ("The host stopped the app.", _NOTHING, True),
    StopReason.USER_TRIGGERED: ("The user whose app it is stopped it.", _NOTHING, True),
    StopReason.USER_LEFT: (
        "The user whose app it is left the meeting.",
        "When they come back, a new stream begins; with Zoom's continuous meeting sharing it would go on without them.",
        True,
    ),
    StopReason.USER_EJECTED: (
        "The user whose app it is was removed from the meeting by the host.",
        _NOTHING,
        True,
    ),
    StopReason.HOST_DISABLED_APP: (
        "The host disabled the app for this meeting.",
        "Ask the host, if the recording was wanted.",
        True,
    ),
    StopReason.MEETING_ENDED: ("The meeting ended.", _NOTHING, True),
    StopReason.STREAM_CANCELED: ("A participant asked for the stream to be cancelled.", _NOTHING, True),
    StopReason.STREAM_REVOKED: (
        "The permission to record was revoked, so everything recorded of this stream is deleted.",
        "Delete also what was copied elsewhere.",
        False,
    ),
    StopReason.ALL_APPS_DISABLED: (
        "The host disabled all apps in this meeting.",
        "Ask the host, if the recording was wanted.",
        True,
    ),
    StopReason.INTERNAL_EXCEPTION: ("Zoom had an internal fault.", _FAULT, False),
    StopReason.CONNECTION_TIMEOUT: (
        "Nobody had connected to the stream within Zoom's window of about 60 s.",
        "Look at how long webhooks take to reach rtmsd, and whether it may connect to *.zoom.us on port 443.",
        False,
    ),
    StopReason.INSTANCE_CONNECTION_INTERRUPTED: (
        "Zoom's streaming server lost its connection to the meeting.",
        _FAULT,
        False,
    ),
    StopReason.SIGNAL_CONNECTION_INTERRUPTED: (
        "The signaling connection was interrupted for longer than Zoom waits.",
        "Look at the network between this machine and *.zoom.us. " + _FAULT,
        False,
    ),
    StopReason.DATA_CONNECTION_INTERRUPTED: (
        "A media connection was interrupted for longer than Zoom waits.",
        "Look at the network between this machine and *.zoom.us. " + _FAULT,
        False,
    ),
    StopReason.SIGNAL_CONNECTION_CLOSED_ABNORMALLY: (
        "The signaling connection broke off at this end.",
        "Look at the network, at proxies and firewalls that cut long connections, and at the log of rtmsd. "
        + _FAULT,
        False,
    ),
    StopReason.DATA_CONNECTION_CLOSED_ABNORMALLY: (
        "A media connection broke off at this end.",
        "Look at the network, at proxies and firewalls that cut long connections, and at the log of rtmsd. "
        + _FAULT,
        False,
    ),
    StopReason.EXIT_SIGNAL: ("Zoom's streaming server was shut down.", _FAULT, False),
    StopReason.AUTHENTICATION_FAILURE: (
        "Zoom did not accept the credentials with which rtmsd signed in to the stream.",
        _CREDENTIALS,
        False,
    ),
    StopReason.AWAIT_RECONNECTION_TIMEOUT: (
        "The connection was lost and not regained within Zoom's window of about 60 s.",
        "Look at the network between this machine and *.zoom.us. " + _FAULT,
        False,
    ),
    StopReason.RECEIVER_REQUEST_CLOSE: ("rtmsd asked Zoom to close the stream.", _NOTHING, True),
    StopReason.CUSTOMER_DISCONNECTED: ("The customer left the call.", _NOTHING, True),
    StopReason.AGENT_DISCONNECTED: ("The agent left the call.", _NOTHING, True),
    StopReason.ADMIN_DISABLED_APP: (
        "An administrator disabled the app.",
        "Ask the account's administrator to allow it again (Zoom Apps settings).",
        False,
    ),
    StopReason.KEEP_ALIVE_TIMEOUT: (
        "Zoom got no answer to three of its keep-alives.",
        "See whether this machine is overloaded or the network lossy. " + _FAULT,
        False,
    ),
    StopReason.MANUAL_API_TRIGGERED: ("The stream was stopped through Zoom's API.", _NOTHING, True),
    StopReason.STREAMING_NOT_SUPPORTED: (
        "This queue of the contact centre cannot stream.",
        "Switch streaming on for the queue in the contact centre's settings.",
        False,
    ),
}

_ID_MIX_UP = "The webhook and the credentials are probably of two apps. " + _CREDENTIALS
_OTHER_CONNECTION = (
    "See that no second rtmsd or other program serves the same app; rtmsd tries again by itself."
)
_AUDIO = "Take [apps.media] back to its defaults (L16, 16000 Hz, 100 ms), which Zoom accepts."
_VIDEO = "Take the video options in [apps.media] back to their defaults (H264, HD, 25 frames per second)."
_SHARE = "Take the share options in [apps.media] back to their defaults (JPG, FHD, 1 frame per second)."


def _scope(medium: str) -> str:
    return (
        f"Add the scope meeting:read:meeting_{medium} (for webinars webinar:read:webinar_{medium}) to the app; it must "
        "not be optional, and every user has to authorise the app again."
    )


_STATUSES: dict[StatusCode, tuple[str, str]] = {
    StatusCode.STATUS_OK: ("Accepted.", _NOTHING),
    StatusCode.INVALID_MESSAGE_TYPE: ("Zoom does not know the type of a message.", _BUG),
    StatusCode.INVALID_RTMS_STREAM_ID: (
        "Zoom does not know this stream: it is over, or belongs to another app.",
        "If it was just announced: " + _ID_MIX_UP,
    ),
    StatusCode.INVALID_SIGNATURE: (
        "The signature of the handshake does not fit: the Client Secret is not that of the app whose stream it is.",
        _CREDENTIALS,
    ),
    StatusCode.INVALID_PAYLOAD: ("Zoom could not read a message.", _BUG),
    StatusCode.INVALID_EVENTS: ("Zoom did not accept the list of events.", _BUG),
    StatusCode.INVALID_EVENT_TYPE: ("Zoom does not know an event that was subscribed to.", _BUG),
    StatusCode.INVALID_MEDIA_TYPE: ("Zoom does not know a medium that was asked for.", _BUG),
    StatusCode.DUPLICATE_SIGNAL_REQUEST: (
        "Zoom still has a signaling connection of this stream.",
        _OTHER_CONNECTION,
    ),
    StatusCode.MEDIA_TYPE_AUDIO_NOT_SUPPORT: ("The app may not receive audio.", _scope("audio")),
    StatusCode.MEDIA_TYPE_VIDEO_NOT_SUPPORT: ("The app may not receive video.", _scope("video")),
    StatusCode.MEDIA_TYPE_DESKSHARE_NOT_SUPPORT: (
        "The app may not receive shared screens.",
        _scope("screenshare"),
    ),
    StatusCode.MEDIA_TYPE_TRANSCRIPT_NOT_SUPPORT: (
        "The app may not receive transcripts.",
        _scope("transcript"),
    ),
    StatusCode.MEDIA_TYPE_CHAT_NOT_SUPPORT: ("The app may not receive chat messages.", _scope("chat")),
    StatusCode.MEDIA_TYPE_INVALID_VALUE: (
        "Zoom does not know the combination of media that was asked for.",
        _BUG,
    ),
    StatusCode.MEDIA_DATA_ALL_CONNECTION_EXIST: (
        "Zoom still has a media connection that carries everything.",
        _OTHER_CONNECTION,
    ),
    StatusCode.DUPLICATE_MEDIA_DATA_CONNECTION: (
        "Zoom still has a media connection of this kind.",
        _OTHER_CONNECTION,
    ),
    StatusCode.INVALID_MEDIA_PARAMS: ("Zoom did not accept the media parameters.", _AUDIO),
    StatusCode.INVALID_MEDIA_AUDIO_PARAMS: ("Zoom did not accept the audio parameters.", _AUDIO),
    StatusCode.INVALID_MEDIA_AUDIO_CONTENT_TYPE: ("Zoom did not accept the audio's content type.", _AUDIO),
    StatusCode.INVALID_MEDIA_AUDIO_SAMPLE_RATE: ("Zoom did not accept the sample rate.", _AUDIO),
    StatusCode.INVALID_MEDIA_AUDIO_CHANNEL: ("Zoom did not accept the number of audio channels.", _AUDIO),
    StatusCode.INVALID_MEDIA_AUDIO_CODEC: ("Zoom did not accept the audio codec.", _AUDIO),
    StatusCode.INVALID_MEDIA_AUDIO_DATA_OPT: (
        "Zoom did not accept the choice between mixed and separate audio.",
        _AUDIO,
    ),
    StatusCode.INVALID_MEDIA_AUDIO_SEND_RATE: ("Zoom did not accept the length of audio packets.", _AUDIO),
    StatusCode.INVALID_MEDIA_VIDEO_PARAMS: ("Zoom did not accept the video parameters.", _VIDEO),
    StatusCode.INVALID_MEDIA_VIDEO_CONTENT_TYPE: ("Zoom did not accept the video's content type.", _VIDEO),
    StatusCode.INVALID_MEDIA_VIDEO_CODEC: ("Zoom did not accept the video codec.", _VIDEO),
    StatusCode.INVALID_MEDIA_VIDEO_RESOLUTION: ("Zoom did not accept the video resolution.", _VIDEO),
    StatusCode.INVALID_MEDIA_VIDEO_DATA_OPT: ("Zoom did not accept whose video was asked for.", _VIDEO),
    StatusCode.INVALID_MEDIA_VIDEO_FPS: ("Zoom did not accept the video's frames per second.", _VIDEO),
    StatusCode.INVALID_MEDIA_DESKSHARE_PARAMS: (
        "Zoom did not accept the parameters of shared screens.",
        _SHARE,
    ),
    StatusCode.INVALID_MEDIA_DESKSHARE_CONTENT_TYPE: (
        "Zoom did not accept the content type of shared screens.",
        _SHARE,
    ),
    StatusCode.INVALID_MEDIA_DESKSHARE_CODEC: ("Zoom did not accept the codec of shared screens.", _SHARE),
    StatusCode.INVALID_MEDIA_DESKSHARE_RESOLUTION: (
        "Zoom did not accept the resolution of shared screens.",
        _SHARE,
    ),
    StatusCode.INVALID_MEDIA_DESKSHARE_FPS: (
        "Zoom did not accept the frames per second of shared screens.",
        _SHARE,
    ),
    StatusCode.INVALID_MEDIA_TRANSCRIPT_PARAMS: (
        "Zoom did not accept the transcript parameters.",
        "Take language and detect_language in [apps.media] back to their defaults.",
    ),
    StatusCode.INVALID_MEDIA_TRANSCRIPT_CONTENT_TYPE: (
        "Zoom did not accept the transcript's content type.",
        _BUG,
    ),
    StatusCode.INVALID_MEDIA_CHAT_PARAMS: ("Zoom did not accept the chat parameters.", _BUG),
    StatusCode.INVALID_MEDIA_CHAT_CONTENT_TYPE: ("Zoom did not accept the chat's content type.", _BUG),
    StatusCode.INVALID_RTMS_SESSION_ID: (
        "Zoom does not know the session: the meeting is over, or belongs to another app.",
        "If it was just announced: " + _ID_MIX_UP,
    ),
    StatusCode.INVALID_CLIENT_READY_ACK: (
        "Zoom did not accept the message that asks for media to begin.",
        _BUG,
    ),
    StatusCode.INVALID_EVENT_SUBSCRIBE: ("Zoom did not accept a subscription to events.", _BUG),
    StatusCode.INVALID_MEDIA_TRANSCRIPT_SOURCE_LANGUAGE: (
        "Zoom cannot transcribe the language that was asked for.",
        "Choose another language in [apps.media].",
    ),
    StatusCode.DUPLICATE_VIDEO_SUBSCRIPTION: ("This participant's video is already subscribed to.", _NOTHING),
    StatusCode.INTERNAL_EXCEPTION: (
        "Zoom had an internal fault.",
        "rtmsd tries again by itself; if it lasts, ask Zoom with the stream's id.",
    ),
    StatusCode.INVALID_MEDIA_TRANSCRIPT_TARGET_LANGUAGE: (
        "Zoom cannot translate into the language that was asked for.",
        _BUG,
    ),
    StatusCode.CHAT_SESSION_KEY_NOT_AVAILABLE: (
        "The key of the chat is not there yet.",
        "Nothing else of the stream is touched; if chat is wanted and never comes, ask Zoom with the stream's id.",
    ),
}

STOP_REASONS: Mapping[int, Explanation] = MappingProxyType(
    {
        int(number): Explanation(int(number), f"STOP_BC_{number.name}", cause, remedy, DATA_TYPES, expected)
        for number, (cause, remedy, expected) in _STOPS.items()
    }
)
STATUS_CODES: Mapping[int, Explanation] = MappingProxyType(
    {
        int(number): Explanation(
            int(number), number.name, cause, remedy, DATA_TYPES, number is StatusCode.STATUS_OK
        )
        for number, (cause, remedy) in _STATUSES.items()
    }
)

_NEW = "It is newer than this version of rtmsd: see Zoom's documentation, and look for an update."


def stop_reason(number: int) -> Explanation:
    """Explain a stop reason; one that is not known is named so."""
    unknown = f"Zoom ended the stream with reason {number}, which is not known here."
    return STOP_REASONS.get(number) or Explanation(number, f"UNKNOWN_{number}", unknown, _NEW, DATA_TYPES)


def status_code(number: int) -> Explanation:
    """Explain a handshake's status code; one that is not known is named so."""
    unknown = f"Zoom answered with status {number}, which is not known here."
    return STATUS_CODES.get(number) or Explanation(number, f"UNKNOWN_{number}", unknown, _NEW, DATA_TYPES)
