"""What comes in on the media sockets: contents of messages into frames, each once (protocol.md §5.6, §7.7)."""

from __future__ import annotations

import binascii
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeVar

from pybase64 import b64decode

from rtmsd.frames import (
    AudioFormat,
    AudioFrame,
    ChatFrame,
    Item,
    MediaKind,
    PictureFormat,
    ShareFrame,
    TranscriptFrame,
    VideoFrame,
)
from rtmsd.protocol.chat import chat_frame
from rtmsd.protocol.codes import MessageType
from rtmsd.protocol.duplicates import Duplicates
from rtmsd.protocol.messages import (
    MAX_TIMESTAMP,
    MS_FROM,
    MS_TO,
    AudioContent,
    Content,
    Malformed,
    normalised_ms,
)
from rtmsd.protocol.payload import decoded, repaired
from rtmsd.protocol.people import People
from rtmsd.protocol.transcripts import transcript_frame

_Picture = TypeVar("_Picture", VideoFrame, ShareFrame)


class Intake:
    """Turns the contents of media messages into frames: each one once, what is wrong only counted.

    Tell it the formats that the server confirmed (`hear`, `see`). `kinds` are the media that were asked for; others
    are counted and not taken. With `channels` a party's channel stands before its user id.
    """

    def __init__(
        self,
        counters: Counter[str],
        people: People,
        *,
        kinds: Iterable[MediaKind],
        sound: AudioFormat,
        pictures: dict[MediaKind, PictureFormat],
        channels: bool = False,
    ) -> None:
        self.audio_frames = 0
        self.audio_bytes = 0
        self.people = people
        self._counters = counters
        self._kinds = frozenset(kinds)
        self._duplicates = Duplicates()
        self._heard = self._duplicates.users
        self._speakers = 0
        self._pictures = pictures
        self._channels = channels
        self.hear(sound)

    @property
    def speakers(self) -> int:
        """How many participants have sent audio."""
        return self._speakers or len(self._heard)

    def hear(self, sound: AudioFormat) -> None:
        """Audio comes in this format from now on."""
        self._sound = sound
        self._block = 2 * sound.channels if sound.codec == "L16" else 1  # bytes that belong together

    def see(self, kind: MediaKind, picture: PictureFormat) -> None:
        """Pictures of this kind come in this format from now on."""
        self._pictures[kind] = picture

    def newest_audio_ms(self) -> int:
        """When the newest packet of anybody began; 0 before the first."""
        return max((heard.newest_ms for heard in self._heard.values()), default=0)

    def forget(self) -> None:
        """The stream is over: nothing can come twice any more."""
        self._speakers = self.speakers
        self._duplicates = Duplicates()
        self._heard = self._duplicates.users

    def take(self, number: int, content: Content | None) -> list[Item]:
        """Decode the content of a media message of any kind; news of people come before the frame."""
        kind, read = CONTENTS[number]
        if kind not in self._kinds:
            self._counters[f"unasked_{kind.value}"] += 1
            return []
        if content is None:
            self._malformed(f"{kind.value}_without_content")
            return []
        found = read(self, content)
        if isinstance(found, list):
            return found
        return [*self.people.taken(), found] if found is not None else []

    def audio(self, content: AudioContent | Content, placed: bool = False) -> AudioFrame | list[Item] | None:
        """Decode message 14, once; a list when there is something to tell before. The way of every frame: keep it
        short. Mixed audio has user 0 and may lack a name (§10 C26). `placed`: user and milliseconds are looked at."""
        user_id, timestamp = content.user_id, content.timestamp
        if (user_id < 0 or not MS_FROM <= timestamp < MS_TO) and not placed:
            return self._place_audio(content)
        try:
            data = b64decode(content.data, validate=True)  # type: ignore[arg-type]  # other types raise
        except (binascii.Error, ValueError, TypeError):
            found = self._repaired(content, "audio")
            if found is None:
                return None
            data = found
        size = len(data)
        if not size or size % self._block:
            self._malformed("audio_partial_sample")
            return None
        if content.length != size and content.length is not None:
            self._counters["length_mismatch"] += 1
        name = content.user_name
        # Nearly all come in order, under one name: the first lines of `is_new_audio`, without the call.
        heard = self._heard.get(user_id)
        if (
            heard is not None
            and timestamp > heard.newest_ms
            and name == heard.name
            and len(times := heard.times) < heard.cut_at
        ):
            heard.newest_ms = timestamp
            times.append(timestamp)
        elif not self._is_new_audio(user_id, timestamp, name):
            return None
        elif self.people.news:
            self.audio_frames += 1
            self.audio_bytes += size
            return [*self.people.taken(), AudioFrame(user_id, name or "", timestamp, data, self._sound)]
        self.audio_frames += 1
        self.audio_bytes += size
        return AudioFrame(user_id, name or "", timestamp, data, self._sound)

    def channel_audio(self, content: AudioContent | Content) -> AudioFrame | list[Item] | None:
        """Decode message 14 of a product whose parties are channels."""
        if content.channel_id and 0 < content.timestamp < MAX_TIMESTAMP:
            content.user_id = self.people.channel(content.channel_id, normalised_ms(content.timestamp))
        return self.audio(content)

    # Inside

    def _place_audio(self, content: AudioContent | Content) -> AudioFrame | list[Item] | None:
        """Audio without a user, of a channel or of all together, or with a time of another unit."""
        if 0 < content.timestamp < MAX_TIMESTAMP:
            content.timestamp = normalised_ms(content.timestamp)
            if content.user_id < 0 and content.channel_id and self._channels:
                content.user_id = self.people.channel(content.channel_id, content.timestamp)
            elif content.user_id < 0 and not content.channel_id and not self._sound.per_participant:
                content.user_id = 0
            if content.user_id >= 0:
                return self.audio(content, placed=True)
        self._malformed("audio_without_user_or_time")
        return None

    def _is_new_audio(self, user_id: int, timestamp_ms: int, name: str | None) -> bool:
        if not self._duplicates.is_new_audio(user_id, timestamp_ms):
            self._counters["duplicates"] += 1
            return False
        heard = self._heard[user_id]
        if timestamp_ms == heard.newest_ms and name != heard.name:
            heard.name = name
            self.people.named(user_id, name, timestamp_ms)
        return True

    def _audio_of_any(self, content: Content) -> AudioFrame | list[Item] | None:
        return self.channel_audio(content) if self._channels else self.audio(content)

    def _video(self, content: Content) -> VideoFrame | None:
        return self._picture(content, MediaKind.VIDEO, VideoFrame)

    def _share(self, content: Content) -> ShareFrame | None:
        return self._picture(content, MediaKind.SHARE, ShareFrame)

    def _picture(self, content: Content, kind: MediaKind, make: type[_Picture]) -> _Picture | None:
        """Decode message 15 or 16. A picture is of somebody: the format decides what its bytes are."""
        if not self._placed(content):
            self._malformed(f"{kind.value}_without_user_or_time")
            return None
        data = decoded(content.data)
        if data is None:
            data = self._repaired(content, kind.value)
        if not data:
            if data is not None:
                self._malformed(f"{kind.value}_without_data")
            return None
        if content.length is not None and content.length != len(data):
            self._counters["length_mismatch"] += 1
        at_ms = normalised_ms(content.timestamp)
        frame = make(content.user_id, content.user_name or "", at_ms, data, self._pictures[kind])
        if not self._duplicates.is_new_picture(frame):
            self._counters["duplicates"] += 1
            return None
        self.people.named(frame.user_id, frame.user_name, at_ms)
        self._counters[kind.value] += 1
        self._counters[f"{kind.value}_bytes"] += len(data)
        return frame

    def _transcript(self, content: Content) -> TranscriptFrame | None:
        self._placed(content)
        frame = transcript_frame(content)
        if isinstance(frame, Malformed):
            self._malformed(frame.kind)
            return None
        if content.language is not None and frame.language is None:
            self._counters["unknown_language"] += 1
        if not self._duplicates.is_new_transcript(frame):
            self._counters["duplicates"] += 1
            return None
        self._counters["transcript"] += 1
        return frame

    def _chat(self, content: Content) -> ChatFrame | None:
        frame = chat_frame(content)
        if isinstance(frame, Malformed):
            self._malformed(frame.kind)
            return None
        if not self._duplicates.is_new_chat(frame):
            self._counters["duplicates"] += 1
            return None
        self._counters["chat"] += 1
        return frame

    def _placed(self, content: Content) -> bool:
        """Say whether the content is somebody's, and has a time; a channel becomes its number first."""
        timed = 0 < content.timestamp < MAX_TIMESTAMP
        if timed and self._channels and content.channel_id:
            content.user_id = self.people.channel(content.channel_id, normalised_ms(content.timestamp))
        return timed and content.user_id >= 0

    def _repaired(self, content: AudioContent | Content, kind: str) -> bytes | None:
        """Decode what is no proper base64, if it can be understood without guessing."""
        data = repaired(content.data)
        if data is None:
            self._malformed(f"{kind}_not_base64")
        else:
            self._counters["base64_repaired"] += 1
        return data

    def _malformed(self, kind: str) -> None:
        self._counters["malformed_" + kind] += 1


# What is read of a message: one line for each kind of content that Zoom sends (protocol.md §6.1).
CONTENTS: dict[int, tuple[MediaKind, Callable[[Intake, Content], Item | list[Item] | None]]] = {
    MessageType.MEDIA_DATA_AUDIO: (MediaKind.AUDIO, Intake._audio_of_any),
    MessageType.MEDIA_DATA_VIDEO: (MediaKind.VIDEO, Intake._video),
    MessageType.MEDIA_DATA_SHARE: (MediaKind.SHARE, Intake._share),
    MessageType.MEDIA_DATA_TRANSCRIPT: (MediaKind.TRANSCRIPT, Intake._transcript),
    MessageType.MEDIA_DATA_CHAT: (MediaKind.CHAT, Intake._chat),
}
