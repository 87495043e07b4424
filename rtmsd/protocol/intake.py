"""What comes in on the media sockets: contents of messages into frames, each once (protocol.md §5.6, §7.7)."""

from __future__ import annotations

import binascii
from array import array
from bisect import bisect_left
from collections import Counter

import pybase64

from rtmsd.frames import AudioFormat, AudioFrame, ChatFrame, TranscriptFrame
from rtmsd.protocol.chat import chat_frame
from rtmsd.protocol.messages import (
    MAX_TIMESTAMP,
    MS_FROM,
    MS_TO,
    AudioContent,
    Content,
    Malformed,
    normalised_ms,
)

DUPLICATE_HORIZON_MS = 60_000


def transcript_frame(content: Content) -> TranscriptFrame | Malformed:
    """Decode message 17. Without start and end (before November 2025) the phrase has the time it came with."""
    if content.user_id < 0 or not 0 < content.timestamp < MAX_TIMESTAMP:
        return Malformed("transcript_without_user_or_time")
    if type(content.data) is not str or not content.data:
        return Malformed("transcript_without_text")
    timestamp = normalised_ms(content.timestamp)
    start = normalised_ms(content.start_time) if 0 < content.start_time < MAX_TIMESTAMP else timestamp
    end = normalised_ms(content.end_time) if 0 < content.end_time < MAX_TIMESTAMP else start
    return TranscriptFrame(
        user_id=content.user_id,
        user_name=content.user_name or "",
        timestamp_ms=timestamp,
        start_ms=start,
        end_ms=max(start, end),
        text=content.data,
        language=content.language,
    )


class Duplicates:
    """Remembers what was received in the last minute, so that a replay after a reconnect is not taken twice.

    Audio is the same when user and timestamp are (§7.7), transcripts when the text is, too. A frame that is newer
    than all before it costs one append; only others are looked up.
    """

    MAX_USERS = 2000
    MAX_TEXTS = 1000

    def __init__(self) -> None:
        self.users: dict[int, Heard] = {}
        self._texts: dict[tuple[object, ...], None] = {}

    def is_new_audio(self, user_id: int, timestamp_ms: int) -> bool:
        heard = self.users.get(user_id)
        if heard is None:
            if len(self.users) >= self.MAX_USERS:
                del self.users[next(iter(self.users))]
            self.users[user_id] = heard = Heard()
        times = heard.times
        if timestamp_ms > heard.newest_ms:
            heard.newest_ms = timestamp_ms
            times.append(timestamp_ms)
        else:
            place = bisect_left(times, timestamp_ms)
            if place < len(times) and times[place] == timestamp_ms:
                return False
            times.insert(place, timestamp_ms)
        if len(times) > heard.cut_at:
            heard.cut()
        return True

    def is_new_transcript(self, frame: TranscriptFrame) -> bool:
        return self._is_new_text((frame.user_id, frame.start_ms, frame.end_ms, frame.text))

    def is_new_chat(self, frame: ChatFrame) -> bool:
        key = (frame.user_id, frame.timestamp_ms, frame.operation, frame.message_id, frame.text)
        return self._is_new_text(key)

    def _is_new_text(self, key: tuple[object, ...]) -> bool:
        if key in self._texts:
            return False
        if len(self._texts) >= self.MAX_TEXTS:
            del self._texts[next(iter(self._texts))]
        self._texts[key] = None
        return True


class Heard:
    """The timestamps of one participant's latest minute or two, in order."""

    __slots__ = ("cut_at", "newest_ms", "times")

    CUT_EVERY = 1500
    MAX_TIMES = 12_000  # four minutes of 20 ms packets: more is a clock that jumped

    def __init__(self) -> None:
        self.newest_ms = -1
        self.times = array("q")
        self.cut_at = self.CUT_EVERY

    def cut(self) -> None:
        """Forget what is older than the horizon; seldom, since every time the whole array is moved."""
        old = bisect_left(self.times, self.newest_ms - DUPLICATE_HORIZON_MS)
        del self.times[: max(old, len(self.times) - self.MAX_TIMES)]
        self.cut_at = len(self.times) + self.CUT_EVERY


class Intake:
    """Turns the contents of media messages into frames: each one once, what is wrong only counted."""

    def __init__(self, counters: Counter[str]) -> None:
        self.audio_frames = 0
        self.audio_bytes = 0
        self._counters = counters
        self._duplicates = Duplicates()
        self._heard = self._duplicates.users
        self._speakers = 0

    @property
    def speakers(self) -> int:
        """How many participants have sent audio."""
        return self._speakers or len(self._heard)

    def forget(self) -> None:
        """The stream is over: nothing can come twice any more."""
        self._speakers = self.speakers
        self._duplicates = Duplicates()
        self._heard = self._duplicates.users

    def audio(self, content: AudioContent, sound: AudioFormat) -> AudioFrame | None:
        """Decode message 14, once. Mixed audio has user 0 and may lack a name (§10 C26)."""
        user_id, timestamp, text = content.user_id, content.timestamp, content.data
        if user_id < 0 or not 0 < timestamp < MAX_TIMESTAMP:
            self._malformed("audio_without_user_or_time")
            return None
        try:
            data = pybase64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            self._malformed("audio_not_base64")
            return None
        size = len(data)
        if not size or (size % (2 * sound.channels) and sound.codec == "L16"):
            self._malformed("audio_partial_sample")
            return None
        if not MS_FROM <= timestamp < MS_TO:
            timestamp = normalised_ms(timestamp)
        # Nearly all come in order: the first lines of `is_new_audio`, without the call.
        heard = self._heard.get(user_id)
        if heard is not None and timestamp > heard.newest_ms and len(heard.times) < heard.cut_at:
            heard.newest_ms = timestamp
            heard.times.append(timestamp)
        elif not self._duplicates.is_new_audio(user_id, timestamp):
            self._counters["duplicates"] += 1
            return None
        self.audio_frames += 1
        self.audio_bytes += size
        return AudioFrame(user_id, content.user_name or "", timestamp, data, sound)

    def _malformed(self, kind: str) -> None:
        self._counters["malformed_" + kind] += 1

    def transcript(self, content: Content | None) -> TranscriptFrame | None:
        frame = transcript_frame(content) if content is not None else Malformed("transcript_without_content")
        if isinstance(frame, Malformed):
            self._malformed(frame.kind)
            return None
        if not self._duplicates.is_new_transcript(frame):
            self._counters["duplicates"] += 1
            return None
        self._counters["transcript"] += 1
        return frame

    def chat(self, content: Content | None) -> ChatFrame | None:
        frame = chat_frame(content) if content is not None else Malformed("chat_without_content")
        if isinstance(frame, Malformed):
            self._malformed(frame.kind)
            return None
        if not self._duplicates.is_new_chat(frame):
            self._counters["duplicates"] += 1
            return None
        self._counters["chat"] += 1
        return frame
