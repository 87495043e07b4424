"""The commands, one function each."""

from __future__ import annotations

import asyncio
import dataclasses
import faulthandler
import os
import random
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
import uvloop

from rtmsd import __version__
from rtmsd.app import Daemon, run_until_signal
from rtmsd.config import Config, find_plugin_dir, load_config
from rtmsd.demo import run_demo
from rtmsd.diagnosis.explain import explain as explain_code
from rtmsd.errors import ConfigError, RtmsdError
from rtmsd.plugins import Plugins, load_plugins
from rtmsd.recording import verify as verify_recording
from rtmsd.runtime.clock import Clock
from rtmsd.runtime.log import set_up_logging
from rtmsd.runtime.systemd import take_over
from rtmsd.simulator import run_sim

EX_CONFIG = 78
"""What sysexits.h calls a configuration error."""

_T = TypeVar("_T")

_config_option = click.option(
    "-c",
    "--config",
    "path",
    type=click.Path(path_type=Path),
    default=Path("/etc/rtmsd/rtmsd.toml"),
    show_default=True,
    help="The configuration file.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rtmsd")
def main() -> None:
    """Record Zoom Realtime Media Streams, complete and explained."""


@main.command()
@_config_option
@click.option("--log-json", is_flag=True, help="Write log lines as JSON.")
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True
)
def run(path: Path, log_json: bool, log_level: Any) -> None:
    """Run the daemon until SIGTERM."""
    clock = Clock()
    systemd = take_over(os.environ, pid=os.getpid())
    faulthandler.enable()  # when the watchdog aborts us, the log shows what did not go on
    config, plugins = _load(path)
    set_up_logging(level=log_level, as_json=log_json, clock=clock)
    chance = random.Random()  # noqa: S311  # jitter needs no secrecy
    daemon = Daemon(config, plugins, clock=clock, chance=chance, systemd=systemd)
    _run(run_until_signal(daemon))


@main.command()
@click.argument("code")
def explain(code: str) -> None:
    """Say what a code of Zoom's means: 18 (all its meanings), stop:18, status:3, api:2310, sdk:960, 0x3c0, or a name."""
    try:
        meanings = explain_code(code)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    for meaning in meanings:
        one = meaning.explanation
        click.echo(
            f"{meaning.kind}:{one.number}  {one.name}\n  {one.cause}\n  {one.remedy}\n  ({one.source})"
        )
    if not meanings:
        click.echo(
            f"{code} means nothing here: it is newer than this version of rtmsd, or no code of Zoom's.",
            err=True,
        )
        sys.exit(1)


@main.command()
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
def validate(path: Path) -> None:
    """Check a configuration; exit 78 when it is bad."""
    config, _ = _load(path)
    for warning in config.warnings:
        click.echo(f"warning: {warning}", err=True)
    apps, sinks = len(config.apps), len(config.sinks)
    click.echo(f"{path}: good ({apps} app{'s' * (apps != 1)}, {sinks} sink{'s' * (sinks != 1)})")


@main.command()
@click.option(
    "--seconds",
    type=click.FloatRange(5, 50),
    default=25.0,
    show_default=True,
    help="How long the meeting is.",
)
@click.option("--output", type=click.Path(path_type=Path), help="Where to keep the recording.")
@click.option("--keep", is_flag=True, help="Keep the recording, also without --output.")
def demo(seconds: float, output: Path | None, keep: bool) -> None:
    """Play a spoken meeting through simulator and daemon, and verify its recording."""
    sys.exit(_run(run_demo(seconds=seconds, output=output, keep=keep, out=sys.stdout)))


@main.command()
@click.argument("scenario", required=False, type=click.Path(path_type=Path))
@click.option(
    "--listen", default="127.0.0.1:0", show_default=True, metavar="HOST:PORT", help="Where to be Zoom."
)
@click.option("--webhook", metavar="URL", help="Where to send webhooks; without it they are printed.")
@click.option("--seconds", type=click.FloatRange(min=1), help="How long the meeting is.")
@click.option(
    "--meetings",
    type=click.IntRange(0, 1000),
    default=1,
    show_default=True,
    help="How many at once; 0: when the control URL says so.",
)
@click.option(
    "--truth", type=click.Path(path_type=Path), metavar="DIR", help="Where to write what was really said."
)
@click.option("--json", "json_lines", is_flag=True, help="Print JSON lines.")
def sim(
    scenario: Path | None,
    listen: str,
    webhook: str | None,
    seconds: float | None,
    meetings: int,
    truth: Path | None,
    json_lines: bool,
) -> None:
    """Play Zoom's side of a meeting: that of SCENARIO, or one that is built in."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise click.BadParameter(f"expected HOST:PORT, got {listen!r}", param_hint="--listen")
    _run(
        run_sim(
            out=sys.stdout,
            scenario=scenario,
            meetings=meetings,
            truth=truth,
            listen=(host.strip("[]"), int(port)),
            webhook=webhook,
            seconds=seconds,
            json_lines=json_lines,
        )
    )


@main.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
def verify(directory: Path) -> None:
    """Check a recording; exit 1 when it is not whole."""
    report = verify_recording(directory)
    for problem in report.problems:
        click.echo(problem, err=True)
    if not report.ok:
        number = len(report.problems)
        click.echo(f"{directory}: NOT good ({number} problem{'s' * (number != 1)})", err=True)
        sys.exit(1)
    click.echo(f"{directory}: intact. {report.summary}")


@main.command()
@click.option(
    "-c",
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help="A configuration file, whose plugin_dir is looked at too.",
)
def sinks(path: Path | None) -> None:
    """List the sink types, their options and where they come from."""
    try:
        plugins = load_plugins(directory=find_plugin_dir(path) if path is not None else None)
    except ConfigError as error:
        _fail(str(error))
    for name, sink_type in sorted(plugins.sink_types.items()):
        click.echo(f"{name}  (from {plugins.origins[name]})")
        for option in dataclasses.fields(sink_type.options):
            click.echo(f"    {option.name}: {_type_name(option.type)}, {_default(option)}")
    for broken in plugins.broken:
        click.echo(f"broken: {broken}", err=True)


def _type_name(hint: Any) -> str:
    return hint if isinstance(hint, str) else getattr(hint, "__name__", str(hint))


def _default(option: dataclasses.Field[Any]) -> str:
    if option.default is not dataclasses.MISSING:
        return f"default {option.default!r}"
    if option.default_factory is not dataclasses.MISSING:
        return f"default {option.default_factory()!r}"
    return "required"


def _load(path: Path) -> tuple[Config, Plugins]:
    """Load a configuration, and before it the plugins without which its sink types are not known."""
    broken: list[str] = []
    try:
        plugins = load_plugins(directory=find_plugin_dir(path))
        broken = plugins.broken
        config = load_config(
            path, sink_types=plugins.sink_types, environ=os.environ, broken_plugins=plugins.broken
        )
        return config, plugins
    except ConfigError as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        for sentence in broken:
            if not any(sentence in problem for problem in error.problems):
                click.echo(f"note: {sentence}", err=True)
        number = len(error.problems)
        click.echo(f"{path}: {number} problem{'s' * (number != 1)}; nothing was started.", err=True)
        sys.exit(EX_CONFIG)


def _run(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a command's coroutine on uvloop; errors of ours are sentences, not tracebacks."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work)
    except ConfigError as error:
        _fail(str(error), status=EX_CONFIG)
    except RtmsdError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        _fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")


def _fail(sentence: str, *, status: int = 1) -> NoReturn:
    click.echo(f"rtmsd: {sentence}", err=True)
    sys.exit(status)
