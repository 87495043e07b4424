"""The transcription sink: what people say, by any engine, live, per speaker, offered to the other sinks."""

from __future__ import annotations

from collections.abc import Sequence

from rtmsd.api import MediaKind, Sink, SinkContext, SinkType, hookimpl
from rtmsd_transcribe.options import TranscribeOptions


def _wants(options: TranscribeOptions) -> frozenset[MediaKind]:
    return frozenset({MediaKind.AUDIO})


def _replaces(options: TranscribeOptions) -> frozenset[MediaKind]:
    return frozenset() if options.beside_zoom else frozenset({MediaKind.TRANSCRIPT})


def _build(options: TranscribeOptions, context: SinkContext) -> Sink:
    from rtmsd_transcribe.build import (
        build,
    )  # needs libraries that are not installed where this sink is not used

    return build(options, context)


@hookimpl
def rtmsd_sink_types() -> Sequence[SinkType]:
    return [
        SinkType(
            "transcribe",
            TranscribeOptions,
            _wants,
            _build,
            batch_ms=100,
            publishes=True,
            replaces=_replaces,
            audio_codecs=frozenset({"L16"}),
        )
    ]
