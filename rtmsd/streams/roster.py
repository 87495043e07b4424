"""Which streams there are and were, by our ids and by Zoom's."""

from __future__ import annotations

from dataclasses import dataclass, field

from rtmsd.frames import StreamInfo
from rtmsd.protocol.stream import StreamMachine
from rtmsd.streams.activity import Activity
from rtmsd.streams.driver import StreamDriver

ENDED_KEPT = 200
"""Ended streams that can still be looked at and learn their reason; older ones are in the journal only."""


@dataclass(frozen=True)
class Explanation:
    """Why a stream ended. `problem`: somebody should look at it."""

    sentence: str
    problem: bool


@dataclass
class Stream:
    """One stream as the status page sees it."""

    info: StreamInfo
    machine: StreamMachine
    since_ms: int
    driver: StreamDriver | None = None
    activity: Activity = field(default_factory=Activity)
    explanation: Explanation | None = None
    ended_ms: int | None = None
    notes: list[str] = field(default_factory=list)
    stopped_late: bool = False
    """Zoom said that it is over, after it had ended here."""

    @property
    def ended(self) -> bool:
        return self.ended_ms is not None

    @property
    def alive(self) -> bool:
        """Whether its sockets are open, or being opened."""
        return not self.ended and self.machine.healthy

    @property
    def given_up(self) -> bool:
        """Whether it ended by our doing: Zoom did not say that it is over."""
        outcome = self.machine.outcome
        return self.ended and not self.stopped_late and (outcome is None or outcome.outcome != "ended")

    @property
    def server_urls(self) -> tuple[str, ...]:
        return self.machine.server_urls

    @property
    def zoom_id(self) -> str:
        """The stream id by which Zoom knows it now."""
        return self.machine.zoom_id


class Roster:
    """The living streams and the latest of those that ended. Ours is the id of the recording."""

    def __init__(self) -> None:
        self._streams: dict[str, Stream] = {}
        self._renamed: dict[str, str] = {}  # Zoom's id to ours, where they differ

    def add(self, stream: Stream) -> None:
        self._streams[stream.info.stream_id] = stream
        if stream.info.zoom_id:
            self.rename(stream, stream.info.zoom_id)

    def rename(self, stream: Stream, zoom_id: str) -> None:
        """Zoom speaks of a stream by another id from now on."""
        self._renamed[zoom_id] = stream.info.stream_id

    def all(self) -> list[Stream]:
        """Living and lately ended streams, the newest last."""
        return list(self._streams.values())

    def get(self, stream_id: str) -> Stream | None:
        """Return a stream by our own id of it."""
        return self._streams.get(stream_id)

    def announced(self, zoom_id: str) -> Stream | None:
        """Return the stream that Zoom calls so, or called so before it went on under another id."""
        return self._streams.get(self._renamed.get(zoom_id, zoom_id))

    def names(self, stream: Stream) -> set[str]:
        """Return every id by which a stream is or was known, ours and Zoom's."""
        ours = stream.info.stream_id
        return {ours, stream.zoom_id, *(name for name, known in self._renamed.items() if known == ours)}

    def twin(self, info: StreamInfo) -> Stream | None:
        """Return the living stream of the same app, meeting and user: a new one may be its continuation (protocol.md §7.6)."""
        for stream in reversed(self._streams.values()):
            if not stream.ended and _twins(stream.info, info):
                return stream
        return None

    def forget_oldest(self) -> list[Stream]:
        """Forget ended streams but for the latest, and return them."""
        ended = [stream for stream in self._streams.values() if stream.ended]
        for stream in (forgotten := ended[:-ENDED_KEPT]):
            stream_id = stream.info.stream_id
            del self._streams[stream_id]
            self._renamed = {new: ours for new, ours in self._renamed.items() if ours != stream_id}
        return forgotten


def _twins(one: StreamInfo, other: StreamInfo) -> bool:
    """Whether two streams may be one: without a user nobody can tell."""
    return bool(one.operator_id) and (one.app, one.product, one.meeting_uuid, one.operator_id) == (
        other.app,
        other.product,
        other.meeting_uuid,
        other.operator_id,
    )
