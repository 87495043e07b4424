"""One stream's part of the sink: a track for each participant, a talk for each speech."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from structlog.typing import FilteringBoundLogger

from rtmsd.api import AudioFrame, Event, Item, SinkReject, StreamInfo, TellNumber, no_number
from rtmsd_transcribe.account import Account
from rtmsd_transcribe.engine import RATE
from rtmsd_transcribe.lineup import Lineup
from rtmsd_transcribe.speech import KEPT_SECS, Speech
from rtmsd_transcribe.talk import Manner, Talk
from rtmsd_transcribe.track import Track

_AT_A_TIME = 32
"""Frames that are looked at before the event loop may turn: a millisecond."""


class Transcriber:
    """Takes one stream's sound, and publishes what engines hear in it."""

    def __init__(
        self,
        stream: StreamInfo,
        *,
        lineup: Lineup,
        account: Account,
        manner: Manner,
        publish: Callable[[StreamInfo, Item], None],
        log: FilteringBoundLogger,
        count: TellNumber = no_number,
    ) -> None:
        self._stream = stream
        self._lineup = lineup
        self._account = account
        self._manner = manner
        self._publish = publish
        self._count = count
        self._log = log.bind(stream_id=stream.stream_id)
        self._tracks: dict[int, Track] = {}
        self._talks: dict[asyncio.Task[None], Talk] = {}
        self._deleted = False
        self._not_heard: set[str] = set()  # codecs
        self._last_ms = stream.started_ms
        self._lost_secs = 0.0

    async def write(self, batch: Sequence[Item]) -> None:
        """Take the frames; engines get them on their own time. Raises SinkReject once the stream is deleted."""
        for number, item in enumerate(batch, 1):
            if self._deleted:
                raise SinkReject("this stream was deleted on request: it is not transcribed")
            if isinstance(item, AudioFrame):
                self._take(item)
            if number % _AT_A_TIME == 0:
                await asyncio.sleep(0)

    def _take(self, frame: AudioFrame) -> None:
        if frame.format.codec != "L16":
            self._refuse(frame.format.codec)
            return
        self._last_ms = max(self._last_ms, frame.timestamp_ms)
        track = self._tracks.get(frame.user_id)
        if track is None:
            track = Track(silence_ms=self._manner.silence_secs * 1000, begin=self._begin)
            self._tracks[frame.user_id] = track
        track.take(frame)

    def _refuse(self, codec: str) -> None:
        if codec not in self._not_heard:
            self._not_heard.add(codec)
            self._log.error(
                'the sound of this stream cannot be transcribed: set audio_codec = "L16" in [apps.media]',
                codec=codec,
            )

    def _begin(self, speech: Speech) -> None:
        self._make_room(speech.user_id)
        talk = Talk(
            speech,
            stream_id=self._stream.stream_id,
            lineup=self._lineup,
            account=self._account,
            manner=self._manner,
            publish=lambda frame: self._publish(self._stream, frame),
            log=self._log,
        )
        task = asyncio.create_task(talk.run(), name=f"talk of {speech.user_id}")
        self._talks[task] = talk
        task.add_done_callback(self._over)

    def _make_room(self, user_id: int) -> None:
        """Of all that a speaker said and that is not answered, keep as much as of one speech: engines may be away for hours."""
        room = KEPT_SECS * RATE
        for task, talk in reversed(self._talks.items()):
            speech = talk.speech
            if speech.user_id == user_id:
                speech.forget(speech.end - room)
                room -= speech.end - speech.first
                if speech.first == speech.end and talk.waits:
                    task.cancel()  # nothing is left to be sent

    def _over(self, task: asyncio.Task[None]) -> None:
        lost_secs = self._talks.pop(task).lost_secs
        self._lost_secs += lost_secs
        self._count("lost_seconds", lost_secs)
        if not task.cancelled() and (error := task.exception()):
            self._log.error("a speech could not be transcribed", error=type(error).__name__)

    async def finish(self, within_secs: float) -> None:
        """Let the engines answer what was said, and tell what it was; who is not ready in time is left.

        Cancelling leaves all sessions at once.
        """
        for track in self._tracks.values():
            track.end()
        try:
            if self._talks:
                await asyncio.wait(self._talks, timeout=within_secs)
        finally:
            try:
                await self.abandon()
            finally:
                self._tell()

    async def abandon(self) -> None:
        """End all sessions now."""
        talks = list(self._talks)
        for task in talks:
            task.cancel()
        if talks:
            await asyncio.wait(talks)

    async def delete(self) -> None:
        """Forget the stream, and publish nothing more of it."""
        self._deleted = True
        self._publish = _to_nobody
        await self.abandon()

    def _tell(self) -> None:
        sent = self._account.sent.pop(self._stream.stream_id, {})
        secs = {engine: round(secs, 1) for engine, secs in sent.items()}
        lost_secs = round(self._lost_secs, 1)
        if not secs and not lost_secs:
            return
        details = {"seconds": secs, "lost_seconds": lost_secs}
        self._publish(self._stream, Event("transcribed", self._last_ms, details=details))
        tell = self._log.warning if lost_secs else self._log.info
        tell("transcribed", seconds=secs, lost_seconds=lost_secs)


def _to_nobody(stream: StreamInfo, item: Item) -> None: ...
