"""The file sink: one recording per stream below a directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rtmsd.api import MediaKind, SinkContext, SinkType, hookimpl
from rtmsd_file.sink import FileSink


@dataclass(frozen=True, kw_only=True)
class FileOptions:
    """The keys of `[[sinks]]` with `type = "file"`.

    `directory`: where the recordings go; missing ones are created for the owner only. `flush_secs`: how much of a
    recording a crash may cost at most.
    """

    directory: str
    flush_secs: float = 1.0

    def __post_init__(self) -> None:
        if not self.directory:
            raise ValueError("directory must name the directory that recordings go to, and is empty")
        if not 0 < self.flush_secs <= 60:
            raise ValueError(f"flush_secs must lie above 0 and at most at 60, and is {self.flush_secs}")


def _wants(_: FileOptions) -> frozenset[MediaKind]:
    return frozenset({MediaKind.AUDIO, MediaKind.TRANSCRIPT})


def _build(options: FileOptions, context: SinkContext) -> FileSink:
    return FileSink(
        name=context.name,
        directory=Path(options.directory),
        flush_secs=options.flush_secs,
        version=context.version,
    )


@hookimpl
def rtmsd_sink_types() -> Sequence[SinkType]:
    return [SinkType("file", FileOptions, _wants, _build)]
