"""The file sink: one recording per stream below a directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rtmsd.api import MediaKind, SinkContext, SinkType, hookimpl
from rtmsd.api.recording import DEFAULT_LAYOUT, Layout
from rtmsd_file.sink import FileSink


@dataclass(frozen=True, kw_only=True)
class FileOptions:
    """The keys of `[[sinks]]` with `type = "file"`.

    `directory`: where the recordings go; missing ones are created for the owner only. `layout`: the directories below
    it, a template that rtmsd.api.recording.Layout explains. `media`: what is recorded; the app needs Zoom's scope for
    each. `chat`: record the chat too, as if `media` named it; it is personal. `flush_secs`: how much of a recording a
    crash may cost at most.
    """

    directory: str
    layout: str = DEFAULT_LAYOUT.template
    media: tuple[Literal["audio", "transcript", "chat", "video", "share"], ...] = ("audio", "transcript")
    chat: bool = False
    flush_secs: float = 1.0

    def __post_init__(self) -> None:
        if not self.directory:
            raise ValueError("directory must name the directory that recordings go to, and is empty")
        if not Path(self.directory).is_absolute():
            raise ValueError(f"directory must be an absolute path, and is {self.directory!r}")
        if not self.media:
            raise ValueError("media must name at least one kind, such as audio, and is empty")
        if not 0 < self.flush_secs <= 60:
            raise ValueError(f"flush_secs must lie above 0 and at most at 60, and is {self.flush_secs}")
        Layout(self.layout)


def _wants(options: FileOptions) -> frozenset[MediaKind]:
    chosen = frozenset(map(MediaKind, options.media))
    return chosen | {MediaKind.CHAT} if options.chat else chosen


def _build(options: FileOptions, context: SinkContext) -> FileSink:
    return FileSink(
        context=context,
        directory=Path(options.directory),
        layout=Layout(options.layout),
        flush_secs=options.flush_secs,
    )


@hookimpl
def rtmsd_sink_types() -> Sequence[SinkType]:
    # A batch costs a hand-over between threads and some system calls, however small it is.
    return [SinkType("file", FileOptions, _wants, _build, batch_ms=1000)]
