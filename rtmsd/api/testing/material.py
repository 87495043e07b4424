"""A made-up stream: whatever a real one may bring, and nothing twice."""

from __future__ import annotations

import random

from rtmsd.delivery.lane import BATCH_ITEMS
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
    StreamEnd,
    StreamInfo,
    TranscriptFrame,
    VideoFrame,
)

ZERO_MS = 1_795_000_000_000
FRAME_MS = 20

_FORMAT = AudioFormat("L16", 16_000, 1, True)
_CAMERA, _SCREEN = PictureFormat("H264", "HD", 25), PictureFormat("JPG", "FHD", 1)
_PEOPLE = ((16_778_240, "Ann Other"), (16_779_264, 'Zoë Müller, \N{GRINNING FACE} "B"/<i>'))


class MadeUpStream:
    """Two people who take turns. Every call goes on where the last one ended, in the stream's own time."""

    def __init__(self, stream_id: str, wants: frozenset[MediaKind]) -> None:
        self.info = StreamInfo(
            app="checked",
            product="meeting",
            stream_id=stream_id,
            meeting_uuid=f"/{stream_id}+B==",
            meeting_id="85746065432",
            account_id="account/1+=",
            operator_id="operator/1+=",
            started_ms=ZERO_MS,
        )
        self.frames: list[Frame] = []
        self._wants = wants
        self._now_ms = ZERO_MS
        self._chance = random.Random(stream_id)  # noqa: S311  # samples that no other frame has

    def talk(self, count: int) -> list[Item]:
        """Give `count` steps of 20 ms: sound of both people in turns, and now and then a phrase, a chat message or a
        picture.
        """
        frames = [frame for _ in range(count) for frame in self._step()]
        self.frames += frames
        return list(frames)

    def full_batch(self) -> list[Item]:
        """Give 512 items, the most that come at once: frames as far as the sink wants any, else events."""
        items: list[Item] = []
        while self._wants and len(items) < BATCH_ITEMS:
            items += self.talk(1)
        excess = items[BATCH_ITEMS:]
        self.frames = self.frames[: len(self.frames) - len(excess)]
        return items[:BATCH_ITEMS] or [self.event("active_speaker_changed") for _ in range(BATCH_ITEMS)]

    def pass_over(self, ms: int) -> None:
        """Let time go by in which nobody speaks."""
        self._now_ms += ms

    def event(self, name: str = "participant_joined", **details: object) -> Event:
        user_id, user_name = _PEOPLE[0]
        return Event(name, self._now_ms, user_id, user_name, details)

    def gap(self, cause: str = "socket_down", *, media: MediaKind | None = None) -> Gap:
        """Give a gap of 100 ms, which then are over."""
        self._now_ms += 100
        return Gap(cause, self._now_ms - 100, self._now_ms, media, None if media is None else _PEOPLE[0][0])

    def end(self, reason: int | None = 6) -> StreamEnd:
        return StreamEnd(reason, "MEETING_ENDED", "The meeting ended.", self._now_ms)

    def _step(self) -> list[Frame]:
        step = (self._now_ms - ZERO_MS) // FRAME_MS
        user_id, user_name = _PEOPLE[step // 5 % 2]
        start, end = self._now_ms, self._now_ms + FRAME_MS
        self._now_ms = end
        frames: list[Frame] = []
        if MediaKind.AUDIO in self._wants:
            frames.append(
                AudioFrame(user_id, user_name, start, self._chance.randbytes(FRAME_MS * 32), _FORMAT)
            )
        if MediaKind.TRANSCRIPT in self._wants and step % 3 == 0:
            text = f"Sentence {step}, “{self._chance.getrandbits(64):x}” -->\nin two lines."
            frames.append(TranscriptFrame(user_id, user_name, end, start, end, text, language=9))
        if MediaKind.CHAT in self._wants and step % 3 == 1:
            code = f"{self._chance.getrandbits(64):x}"
            frames.append(ChatFrame(user_id, user_name, start, "new", code, f"Message {code}"))
        if MediaKind.VIDEO in self._wants and step % 2 == 0:
            frames.append(VideoFrame(user_id, user_name, start, self._chance.randbytes(700), _CAMERA))
        if MediaKind.SHARE in self._wants and step % 4 == 1:
            frames.append(ShareFrame(user_id, user_name, start, self._chance.randbytes(900), _SCREEN))
        return frames
