"""What was received in the last minute, so that a replay after a reconnect is not taken twice (protocol.md §7.7)."""

from __future__ import annotations

from array import array
from bisect import bisect_left

from rtmsd.frames import ChatFrame, ShareFrame, TranscriptFrame, VideoFrame

DUPLICATE_HORIZON_MS = 60_000


class Duplicates:
    """Audio is the same when user and timestamp are, a transcript when its text is, too (§7.7).

    A picture is the same when its length and its end are, too: some servers may send the parts of one picture under
    one timestamp. An audio frame that is newer than all before it costs one append; only others are looked up. Of texts
    only the hash is kept: they may be long.
    """

    MAX_USERS = 2000
    MAX_TEXTS = 1000
    MAX_PICTURES = 4000  # two minutes of 30 a second
    TAIL_BYTES = 32

    def __init__(self) -> None:
        self.users: dict[int, Heard] = {}
        self._texts: dict[tuple[object, ...], None] = {}
        self._pictures: dict[tuple[object, ...], None] = {}

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
        """What is said again to change or to delete a phrase is another thing than the phrase."""
        text = hash(frame.text)
        key = (frame.user_id, frame.start_ms, frame.end_ms, text, frame.operation, frame.timestamp_ms)
        return _add(self._texts, key, self.MAX_TEXTS)

    def is_new_chat(self, frame: ChatFrame) -> bool:
        names = hash((frame.message_id, frame.text))
        key = (frame.user_id, frame.timestamp_ms, frame.operation, names)
        return _add(self._texts, key, self.MAX_TEXTS)

    def is_new_picture(self, frame: VideoFrame | ShareFrame) -> bool:
        data = frame.data
        key = (type(frame), frame.user_id, frame.timestamp_ms, len(data), data[-self.TAIL_BYTES :])
        return _add(self._pictures, key, self.MAX_PICTURES)


def _add(known: dict[tuple[object, ...], None], key: tuple[object, ...], limit: int) -> bool:
    """Note a key, forgetting the oldest beyond `limit`; False when it was known."""
    if key in known:
        return False
    if len(known) >= limit:
        del known[next(iter(known))]
    known[key] = None
    return True


class Heard:
    """The timestamps of one participant's latest minute or two, in order; and the name of the last packet."""

    __slots__ = ("cut_at", "name", "newest_ms", "times")

    CUT_EVERY = 1500
    MAX_TIMES = 12_000  # four minutes of 20 ms packets: more is a clock that jumped

    def __init__(self) -> None:
        self.newest_ms = -1
        self.times = array("q")
        self.cut_at = self.CUT_EVERY
        self.name: str | None = None

    def cut(self) -> None:
        """Forget what is older than the horizon; seldom, since every time the whole array is moved."""
        old = bisect_left(self.times, self.newest_ms - DUPLICATE_HORIZON_MS)
        del self.times[: max(old, len(self.times) - self.MAX_TIMES)]
        self.cut_at = len(self.times) + self.CUT_EVERY
