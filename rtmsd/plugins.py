"""Find plugins, load them, look at what they offer. Our own sinks come the same way as anyone's."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import stat
import sys
import traceback
import typing
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.machinery import SourceFileLoader
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import CodeType, ModuleType

import pluggy

from rtmsd.api import hookspecs
from rtmsd.api.sinks import SinkType
from rtmsd.config import DeliveryConfig, SinkConfig, plugin_dir_problem
from rtmsd.errors import PluginError, RtmsdError

GROUP = "rtmsd.plugins"

_TYPE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_OUR_KEYS = {one.name for table in (SinkConfig, DeliveryConfig) for one in dataclasses.fields(table)}


@dataclass
class Plugins:
    """What was found. `broken` says, in a sentence each, which plugins cannot be used; `origins` where a type is from."""

    sink_types: dict[str, SinkType] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Candidate:
    """Something that may be a plugin: `where` names it in sentences."""

    where: str
    load: Callable[[], object]


def load_plugins(found: Iterable[EntryPoint] | None = None, *, directory: Path | None = None) -> Plugins:
    """Load every plugin of the entry point group, then every `*.py` of `directory` (the configuration's `plugin_dir`).

    A broken one is named in `broken` and never raises; the others are loaded all the same. Of two that offer the
    same sink type the first is used: ours, then packages by name, then files by name.
    """
    plugins = Plugins()
    if directory is not None and (problem := plugin_dir_problem(directory)):
        plugins.broken.append(problem)
        directory = None
    points = entry_points(group=GROUP) if found is None else found
    for candidate in [*map(_installed, sorted(points, key=_order)), *_files(directory)]:
        try:
            offered = _offers(candidate)
            for sink_type in offered:
                _vet(sink_type, candidate.where, plugins.origins)
        except PluginError as error:
            plugins.broken.append(str(error))
            continue
        for sink_type in offered:
            plugins.sink_types[sink_type.name] = sink_type
            plugins.origins[sink_type.name] = candidate.where
    return plugins


@contextmanager
def blamed(where: str, doing: str) -> Iterator[None]:
    """Turn whatever a plugin raises into a PluginError that names it; RtmsdError says enough itself and passes."""
    try:
        yield
    except RtmsdError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(f"{where} {doing}: {type(error).__name__}: {error}{_line(error, where)}") from error


def _order(point: EntryPoint) -> tuple[bool, str, str]:
    return point.dist is None or point.dist.name != "rtmsd", point.name, point.value


def _installed(point: EntryPoint) -> _Candidate:
    package = f", package {point.dist.name}" if point.dist is not None else ""
    return _Candidate(f"plugin {point.name!r} ({point.value}{package})", point.load)


def _files(directory: Path | None) -> Iterator[_Candidate]:
    paths = sorted(directory.glob("*.py")) if directory is not None else []
    for path in paths:
        if not path.name.startswith("."):  # an editor's, not an author's
            yield _Candidate(f"plugin file {path}", partial(_import_file, path))


class _FreshSource(SourceFileLoader):
    """Compiles the source each time: a `__pycache__` beside it would be one more place to put code into."""

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def _import_file(path: Path) -> ModuleType:
    """Import one file under a name that no other module has."""
    if path.stat().st_mode & stat.S_IWOTH:
        raise PluginError(f"every user of this machine can change plugin file {path}: chmod o-w {path}")
    name = f"_rtmsd_plugin_{path.stem}_{hashlib.sha256(bytes(path.absolute())).hexdigest()[:12]}"
    spec = spec_from_loader(name, _FreshSource(name, str(path)))
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look up their module there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _offers(candidate: _Candidate) -> list[SinkType]:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    with blamed(candidate.where, "cannot be loaded"):
        manager.register(candidate.load(), name=candidate.where)
        manager.check_pending()
        offered = [one for offer in manager.hook.rtmsd_sink_types() for one in offer]
    if not offered:
        raise PluginError(
            f"{candidate.where} offers nothing, expected a function rtmsd_sink_types with @rtmsd.api.hookimpl that "
            "returns a list of rtmsd.api.SinkType"
        )
    return offered


def _vet(sink_type: object, where: str, origins: dict[str, str]) -> None:
    if not isinstance(sink_type, SinkType):
        raise PluginError(f"{where} offers a {type(sink_type).__name__}, expected a rtmsd.api.SinkType")
    name, options = sink_type.name, sink_type.options
    if not (isinstance(name, str) and _TYPE_NAME.fullmatch(name)):
        raise PluginError(
            f'{where} offers sink type {name!r}, expected a name of a-z, 0-9, "-" and "_", beginning with a '
            "letter or digit"
        )
    if not (isinstance(options, type) and dataclasses.is_dataclass(options)):
        raise PluginError(f"{where}: the options of sink type {name!r} are not a dataclass")
    if taken := sorted(_OUR_KEYS & {one.name for one in dataclasses.fields(options)}):
        raise PluginError(
            f"{where}: sink type {name!r} has an option {taken[0]!r}, which every [[sinks]] has already; rename it"
        )
    with blamed(where, f"has options of sink type {name!r} whose types cannot be found out"):
        typing.get_type_hints(options, include_extras=True)
    if not (callable(sink_type.wants) and callable(sink_type.build)):
        raise PluginError(f"{where}: `wants` and `build` of sink type {name!r} must be functions")
    if name in origins:
        raise PluginError(f"{where} offers sink type {name!r}, which {origins[name]} offers already")


def _line(error: BaseException, where: str) -> str:
    """Say which line of a plugin file raised an error, as far as that can be known."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename in where]
    return f" (line {lines[-1]})" if lines else ""
