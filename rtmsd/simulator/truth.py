"""What really happened in a played meeting: what a perfect recording of it must contain."""

from __future__ import annotations

from dataclasses import dataclass, field

_ENGLISH = 9


@dataclass
class Run:
    """So many steps of 20 ms of one encoded sentence or hum, from its step `first` on."""

    name: str
    first: int
    steps: int = 1


@dataclass
class Span:
    """What one participant said without a break: 16 kHz mono L16 from `timestamp_ms` (Unix ms) on.

    `runs` tell which steps of which sentences these are: in Opus and G.722 they were encoded beforehand.
    """

    timestamp_ms: int
    pcm: bytearray = field(default_factory=bytearray)
    runs: list[Run] = field(default_factory=list)

    def add(self, pcm: bytes, name: str, step: int) -> None:
        """Append a step of 20 ms."""
        self.pcm += pcm
        last = self.runs[-1] if self.runs else None
        if last is not None and (last.name, last.first + last.steps) == (name, step):
            last.steps += 1
        else:
            self.runs.append(Run(name, step))

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
    """A sentence that was heard from its first word to its last, in a language of protocol.md §6.10.

    `attribute`: 1 new, 2 a correction of what came before with the same user and start, 3 that is taken back.
    """

    user_id: int
    start_ms: int
    end_ms: int
    text: str
    language: int = _ENGLISH
    attribute: int = 1


@dataclass(frozen=True)
class Written:
    """A chat message, or what was done to one; the numbers are those of protocol.md §6.8."""

    user_id: int
    timestamp_ms: int
    text: str
    message_id: str
    operation: int = 1
    session: int = 1
    receiver_id: int | None = None
    parent_id: str = ""
    group_id: str = ""


@dataclass(frozen=True)
class Shown:
    """A picture that was sent. `kind` is video or share, `codec` Zoom's number, `sha256` that of the picture."""

    kind: str
    user_id: int
    timestamp_ms: int
    codec: int
    sha256: str


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
    `pictures` and `transcripts` hold what was sent over a socket: those depend on what a client asked for.
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
    transcripts: list[Phrase] = field(default_factory=list)
    pictures: list[Shown] = field(default_factory=list)

    def packets(self, user_id: int, send_rate_ms: int) -> list[tuple[int, bytes]]:
        """List all packets of a participant at this send rate: (timestamp, samples)."""
        return [packet for span in self.tracks.get(user_id, []) for packet in span.packets(send_rate_ms)]

    def spoken_ms(self, user_id: int) -> int:
        return sum(span.duration_ms for span in self.tracks.get(user_id, []))
