"""The one hook. It is called once, at start; nothing is called per frame."""

from collections.abc import Sequence

import pluggy

from rtmsd.api.sinks import SinkType

PROJECT = "rtmsd"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def rtmsd_sink_types() -> Sequence[SinkType]:  # type: ignore[empty-body]  # a hook specification has no body
    """Return the sink types that this plugin offers; their names are what `type = "…"` in `[[sinks]]` chooses."""
