"""The file sink: one recording per stream below a directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rtmsd.api import MediaKind, Secret, SinkContext, SinkType, hookimpl
from rtmsd.api.recording import DEFAULT_LAYOUT, FilePlan, Layout, RecordingError, Signer, flac_library
from rtmsd_file.sink import FileSink


@dataclass(frozen=True, kw_only=True)
class FileOptions:
    """The keys of `[[sinks]]` with `type = "file"`.

    `directory`: where the recordings go; missing ones are created for the owner only. `layout`: the directories below
    it, a template that rtmsd.api.recording.Layout explains. `media`: what is recorded; the app needs Zoom's scope for
    each. `chat`: record the chat too, as if `media` named it; it is personal. `flush_secs`: how much of a recording a
    crash may cost at most. `fsync`: whether a power failure may cost more, until the "close", or no more, since each
    "flush" waits for the disk. `audio_format`: "wav", or "flac" for plain samples, which needs the library soundfile.
    `minutes_per_file`: how much sound is in one file; 0: all of it. `signing_key`: a private Ed25519 key (PEM), which signs
    SHA256SUMS of each recording. `retention_days`: how long complete recordings are kept; 0: for ever.
    """

    directory: str
    layout: str = DEFAULT_LAYOUT.template
    media: tuple[Literal["audio", "transcript", "chat", "video", "share"], ...] = ("audio", "transcript")
    chat: bool = False
    flush_secs: float = 1.0
    fsync: Literal["close", "flush"] = "close"
    audio_format: Literal["wav", "flac"] = "wav"
    minutes_per_file: int = 0
    retention_days: float = 0
    signing_key: Secret | None = None

    def __post_init__(self) -> None:
        if not self.directory:
            raise ValueError("directory must name the directory that recordings go to, and is empty")
        if not Path(self.directory).is_absolute():
            raise ValueError(f"directory must be an absolute path, and is {self.directory!r}")
        if not self.media:
            raise ValueError("media must name at least one kind, such as audio, and is empty")
        if not 0 < self.flush_secs <= 60:
            raise ValueError(f"flush_secs must lie above 0 and at most at 60, and is {self.flush_secs}")
        if not 0 <= self.retention_days <= 36_500:
            raise ValueError(f"retention_days must lie between 0 and 36500, and is {self.retention_days}")
        if not 0 <= self.minutes_per_file <= 1440:
            raise ValueError(
                f"minutes_per_file must lie between 1 and 1440, or be 0, and is {self.minutes_per_file}"
            )
        if self.audio_format == "flac":
            _prove_flac()
        self.signer()
        Layout(self.layout)

    def signer(self) -> Signer | None:
        """Read the key; raises ValueError when it is none."""
        try:
            return Signer(self.signing_key.reveal()) if self.signing_key is not None else None
        except RecordingError as error:
            raise ValueError(f"signing_key: {error}") from None


def _prove_flac() -> None:
    try:
        flac_library()
    except RecordingError as error:
        raise ValueError(f'audio_format = "flac": {error}') from None


def _wants(options: FileOptions) -> frozenset[MediaKind]:
    chosen = frozenset(map(MediaKind, options.media))
    return chosen | {MediaKind.CHAT} if options.chat else chosen


def _build(options: FileOptions, context: SinkContext) -> FileSink:
    return FileSink(
        context=context,
        directory=Path(options.directory),
        layout=Layout(options.layout),
        flush_secs=options.flush_secs,
        retention_days=options.retention_days,
        durable=options.fsync == "flush",
        signer=options.signer(),
        plan=FilePlan(options.audio_format, options.minutes_per_file),
    )


@hookimpl
def rtmsd_sink_types() -> Sequence[SinkType]:
    # A batch costs a hand-over between threads and some system calls, however small it is.
    return [SinkType("file", FileOptions, _wants, _build, batch_ms=1000)]
