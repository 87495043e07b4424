"""From options to the sink."""

from __future__ import annotations

from rtmsd.api import Secret, Sink, SinkContext
from rtmsd_transcribe.choice import find_class
from rtmsd_transcribe.engine import Engine
from rtmsd_transcribe.engines import ENGINES
from rtmsd_transcribe.options import TranscribeOptions
from rtmsd_transcribe.sink import TranscribeSink
from rtmsd_transcribe.talk import Manner


def build(options: TranscribeOptions, context: SinkContext) -> Sink:
    """Make the sink with its engines, not yet entered."""
    manner = Manner(
        language=options.language,
        silence_secs=options.silence_secs,
        backlog=options.backlog,
        interim=options.interim,
    )
    engines = [engine_of(options, name) for name in options.engines]
    return TranscribeSink(engines, context, manner=manner, max_seconds_per_day=options.max_seconds_per_day)


def engine_of(options: TranscribeOptions, name: str) -> Engine:
    """Make the engine that the options call so."""
    engine: Engine
    if ":" in name:
        arguments: dict[str, bool | int | float | str | Secret] = dict(options.arguments)
        if options.secret is not None:
            arguments["secret"] = options.secret
        engine = find_class(name)(**arguments)
    else:
        kind = ENGINES[name]
        engine = kind(getattr(options, name) or kind.options())
    return engine
