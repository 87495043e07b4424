"""All that a plugin may import: `rtmsd.api`, `rtmsd.api.recording`, and in its tests `rtmsd.api.testing`."""

from rtmsd.api.hookspecs import hookimpl
from rtmsd.api.secrets import Secret
from rtmsd.api.sinks import Sink, SinkContext, SinkType, SinkWriter, TellNumber, no_number
from rtmsd.errors import RtmsdError, SinkError, SinkReject, SinkRetry
from rtmsd.frames import (
    AudioFormat,
    AudioFrame,
    ChatFrame,
    Event,
    Frame,
    Gap,
    Item,
    MediaKind,
    PictureFormat,
    ShareFrame,
    SpokenWord,
    StreamEnd,
    StreamInfo,
    TranscriptFrame,
    VideoFrame,
)

__all__ = [
    "AudioFormat",
    "AudioFrame",
    "ChatFrame",
    "Event",
    "Frame",
    "Gap",
    "Item",
    "MediaKind",
    "PictureFormat",
    "RtmsdError",
    "Secret",
    "ShareFrame",
    "Sink",
    "SinkContext",
    "SinkError",
    "SinkReject",
    "SinkRetry",
    "SinkType",
    "SinkWriter",
    "SpokenWord",
    "StreamEnd",
    "StreamInfo",
    "TellNumber",
    "TranscriptFrame",
    "VideoFrame",
    "hookimpl",
    "no_number",
]
