"""Find plugins, load them, look at what they offer. Our own sinks come the same way as anyone's."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points

import pluggy

from rtmsd.api import hookspecs
from rtmsd.api.sinks import SinkType
from rtmsd.errors import PluginError

GROUP = "rtmsd.plugins"


@dataclass
class Plugins:
    """What was found. `broken` says of each plugin that cannot be used why; `origins` where a sink type is from."""

    sink_types: dict[str, SinkType] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)


def load_plugins(found: Iterable[EntryPoint] | None = None) -> Plugins:
    """Load every plugin of the entry point group. A broken one is named in `broken` and never raises."""
    plugins = Plugins()
    for point in entry_points(group=GROUP) if found is None else found:
        try:
            _add(plugins, point)
        except PluginError as error:
            plugins.broken[point.name] = str(error)
    return plugins


def _add(plugins: Plugins, point: EntryPoint) -> None:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    where = f"plugin {point.name!r} ({point.value})"
    try:
        manager.register(point.load(), name=point.name)
        manager.check_pending()
        offers = manager.hook.rtmsd_sink_types()
    except Exception as error:  # whatever a plugin's import raises is that plugin's fault only
        raise PluginError(f"{where} cannot be loaded: {type(error).__name__}: {error}") from error
    for sink_type in (one for offer in offers for one in offer):
        _vet(sink_type, where, plugins)
        plugins.sink_types[sink_type.name] = sink_type
        plugins.origins[sink_type.name] = where


def _vet(sink_type: object, where: str, plugins: Plugins) -> None:
    if not isinstance(sink_type, SinkType):
        raise PluginError(f"{where} offers a {type(sink_type).__name__}, expected a rtmsd.api.SinkType")
    options = sink_type.options
    if not (isinstance(options, type) and dataclasses.is_dataclass(options)):
        raise PluginError(f"{where}: the options of sink type {sink_type.name!r} are not a dataclass")
    if sink_type.name in plugins.sink_types:
        raise PluginError(
            f"{where} offers sink type {sink_type.name!r}, which {plugins.origins[sink_type.name]} offers already"
        )
