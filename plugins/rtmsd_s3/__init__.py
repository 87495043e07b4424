"""The S3 sink: recordings in a bucket of S3, Google Cloud Storage, Azure, or in another directory."""

from __future__ import annotations

from collections.abc import Sequence

import rtmsd_file
from rtmsd.api import MediaKind, Sink, SinkContext, SinkType, hookimpl
from rtmsd_s3.options import S3Options


def _wants(options: S3Options) -> frozenset[MediaKind]:
    [kind] = rtmsd_file.rtmsd_sink_types()
    return kind.wants(options)


def _build(options: S3Options, context: SinkContext) -> Sink:
    from rtmsd_s3.sink import S3Sink  # needs obstore, which is not installed where this sink is not used

    return S3Sink(options, context)


@hookimpl
def rtmsd_sink_types() -> Sequence[SinkType]:
    [kind] = rtmsd_file.rtmsd_sink_types()
    return [SinkType("s3", S3Options, _wants, _build, batch_ms=kind.batch_ms)]
