"""What really happened in a played meeting: what a perfect recording of it must contain."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Span:
    """What one participant said without a break: 16 kHz mono L16 from `timestamp_ms` (Unix ms) on."""

    timestamp_ms: int
    pcm: bytearray = field(default_factory=bytearray)

    @property
    def duration_ms(self) -> int:
        return len(self.pcm) // 32

    @property
    def end_ms(self) -> int:
        return self.timestamp_ms + self.duration_ms

    def packets(self, send_rate_ms: int) -> list[tuple[int, bytes]]:
        """Cut into the packets that Zoom sends at this rate: (timestamp, samples); the last may be shorter."""
        size = send_rate_ms * 32
        return [
            (self.timestamp_ms + offset // 32, bytes(self.pcm[offset : offset + size]))
            for offset in range(0, len(self.pcm), size)
        ]


@dataclass(frozen=True)
class Phrase:
    """A sentence that was heard from its first word to its last."""

    user_id: int
    start_ms: int
    end_ms: int
    text: str


@dataclass(frozen=True)
class Written:
    """A chat message to everyone."""

    user_id: int
    timestamp_ms: int
    text: str
    message_id: str


@dataclass(frozen=True)
class Change:
    """Somebody joined, left, or became the active speaker."""

    timestamp_ms: int
    user_id: int


@dataclass
class Pause:
    start_ms: int
    end_ms: int | None = None


@dataclass
class Truth:
    """Everything in Unix ms; from `rtms_started` to the end, whether or not a client was connected.

    What is said during a pause is not in `tracks`: nobody is allowed to hear it. Nor is what was written then in `chats`.
    """

    stream_id: str = ""
    started_ms: int = 0
    ended_ms: int | None = None
    stop_reason: int | None = None
    names: dict[int, str] = field(default_factory=dict)
    tracks: dict[int, list[Span]] = field(default_factory=dict)
    phrases: list[Phrase] = field(default_factory=list)
    chats: list[Written] = field(default_factory=list)
    joins: list[Change] = field(default_factory=list)
    leaves: list[Change] = field(default_factory=list)
    speakers: list[Change] = field(default_factory=list)
    pauses: list[Pause] = field(default_factory=list)

    def packets(self, user_id: int, send_rate_ms: int) -> list[tuple[int, bytes]]:
        """List all packets of a participant at this send rate: (timestamp, samples)."""
        return [packet for span in self.tracks.get(user_id, []) for packet in span.packets(send_rate_ms)]

    def spoken_ms(self, user_id: int) -> int:
        return sum(span.duration_ms for span in self.tracks.get(user_id, []))
