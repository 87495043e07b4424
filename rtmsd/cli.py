"""The commands, one function each."""

from __future__ import annotations

import dataclasses
import faulthandler
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import click

from rtmsd import __version__
from rtmsd.app import Daemon, run_until_signal
from rtmsd.cli_recordings import COMMANDS
from rtmsd.config import Config, find_plugin_dir, load_config
from rtmsd.config.document import read_document
from rtmsd.demo import run_demo
from rtmsd.demo_manual import run_manual_demo
from rtmsd.demo_transcribe import run_transcribing_demo
from rtmsd.diagnosis.doctor import examine
from rtmsd.diagnosis.explain import everything
from rtmsd.diagnosis.explain import explain as explain_code
from rtmsd.diagnosis.why import why as tell_why
from rtmsd.errors import ConfigError, RtmsdError
from rtmsd.exits import EX_CONFIG, fail, run_to_end
from rtmsd.plugins import Plugins, load_plugins
from rtmsd.runtime.clock import Clock
from rtmsd.runtime.log import set_up_logging
from rtmsd.runtime.systemd import take_over
from rtmsd.simulator import run_sim
from rtmsd.state.past import read_journal
from rtmsd.streams.transport import client_tls
from rtmsd.tap import read_admin, run_tap

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


for _command in COMMANDS:
    main.add_command(_command)


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
    run_to_end(run_until_signal(daemon))


@main.command()
@click.argument("code", required=False)
@click.option("--list", "list_all", is_flag=True, help="List everything that can be explained, a line each.")
def explain(code: str | None, list_all: bool) -> None:
    """Say what CODE means: 18 (all its meanings), stop:18, status:3, api:2310, oauth:4711, sdk:960, 0x3c0, a name, or a symptom.

    "symptom" tells all symptoms, for those who have no code.
    """
    if list_all or code is None:
        for meaning in everything():
            click.echo(f"{meaning.key:<30} {meaning.seen or meaning.explanation.name}")
        return
    try:
        meanings = explain_code(code)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    for meaning in meanings:
        one = meaning.explanation
        seen = f"  {meaning.seen}\n" if meaning.seen else ""
        click.echo(f"{meaning.key}  {one.name}\n{seen}  {one.cause}\n  {one.remedy}\n  ({one.source})")
    if not meanings:
        click.echo(
            f"{code} means nothing here: it is newer than this version of rtmsd, or no code of Zoom's.",
            err=True,
        )
        sys.exit(1)


@main.command()
@_config_option
def doctor(path: Path) -> None:
    """Walk the chain to Zoom and back, and name the first broken link with its remedy; exit 1 when there is one."""
    config, _ = _load(path)
    sys.exit(run_to_end(_doctor(config)))


async def _doctor(config: Config) -> int:
    states = []
    async for finding in examine(config, tls=client_tls(config.zoom.ca_file), clock=Clock()):
        shown = "BROKEN" if finding.state == "broken" else finding.state
        click.echo(f"{shown:<8} {finding.step:<12} {finding.sentence}")
        states.append(finding.state)
    return 1 if "broken" in states else 0


@main.command()
@click.argument("meeting")
@_config_option
def why(meeting: str, path: Path) -> None:
    """Say what became of MEETING, a meeting's number, UUID or stream id, and why; exit 1 when nothing is known of it."""
    try:
        with read_journal(_state_dir(path)) as past:
            told = tell_why(past, meeting, now_ms=Clock().wall_ms())
    except ConfigError as error:
        fail(str(error), status=EX_CONFIG)
    except RtmsdError as error:
        fail(str(error))
    for line in told.lines:
        click.echo(line)
    sys.exit(0 if told.known else 1)


def _state_dir(path: Path) -> Path:
    """Read this key alone: the rest may need secrets that whoever asks does not have."""
    value = read_document(path).get("state_dir")
    if not isinstance(value, str) or not Path(value).is_absolute():
        raise ConfigError([f'{path}: state_dir: expected an absolute path, such as "/var/lib/rtmsd"'])
    return Path(value)


@main.command()
@click.argument("meeting", required=False)
@_config_option
@click.option("--json", "as_json", is_flag=True, help="Everything but pictures, as JSON lines.")
@click.option(
    "--pcm", "as_pcm", is_flag=True, help="One participant's samples, 16-bit little-endian, without a header."
)
@click.option("--user", "user_id", type=click.IntRange(min=0), metavar="ID", help="This participant only.")
@click.option("--wait", is_flag=True, help="Wait for the stream to begin.")
def tap(
    meeting: str | None, path: Path, as_json: bool, as_pcm: bool, user_id: int | None, wait: bool
) -> None:
    """Write what the running daemon hears of MEETING, as it comes: phrases, or with --json or --pcm more.

    MEETING is a number, a UUID, a stream id, or how one of them begins; without it, the only living stream. Nothing is asked of Zoom
    for it, and whoever reads slowly loses frames of their own, and nobody else's.
    """
    if as_json and as_pcm:
        raise click.UsageError("--json and --pcm are two things: give one of them.")
    if sys.stdout is None:  # it was closed before the program began
        fail("expected an output to write to, and there is none: give it a pipe or a file")
    if as_pcm and sys.stdout.isatty():
        raise click.UsageError("--pcm gives samples, which no terminal can show: give it a pipe or a file.")
    query = {"as": "json" if as_json else "pcm" if as_pcm else "text"}
    query |= {"meeting": meeting} if meeting is not None else {}
    query |= {"user": str(user_id)} if user_id is not None else {}
    query |= {"wait": "1"} if wait else {}
    try:
        admin = read_admin(path, environ=os.environ)
    except ConfigError as error:
        fail(str(error), status=EX_CONFIG)
    # Ctrl-C, also while whoever reads takes nothing: asyncio would wait until the write is through.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    run_to_end(run_tap(admin, query, out=sys.stdout.buffer))


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
    "--manual",
    is_flag=True,
    help="Nothing starts by itself: rtmsd asks Zoom to start, and a guest comes first.",
)
@click.option(
    "--transcribe",
    is_flag=True,
    help="Transcribe it live, too, on this machine and offline, and list what was heard beside what was said.",
)
@click.option(
    "--seconds",
    type=float,
    help="How long the meeting is: 5 to 50, default 25; with --manual 20 to 75, default 32.",
)
@click.option("--output", type=click.Path(path_type=Path), help="Where to keep the recording.")
@click.option("--keep", is_flag=True, help="Keep the recording, also without --output.")
def demo(manual: bool, transcribe: bool, seconds: float | None, output: Path | None, keep: bool) -> None:
    """Play a spoken meeting through simulator and daemon, and verify its recording."""
    if manual and transcribe:
        raise click.UsageError(
            "--manual and --transcribe are two meetings: give one of them, then the other."
        )
    least, most, default = (20, 75, 32.0) if manual else (5, 50, 25.0)
    if seconds is not None and not least <= seconds <= most:
        raise click.BadParameter(f"expected {least} to {most}, got {seconds:g}", param_hint="--seconds")
    run = run_manual_demo if manual else run_transcribing_demo if transcribe else run_demo
    sys.exit(run_to_end(run(seconds=seconds or default, output=output, keep=keep, out=sys.stdout)))


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
@click.option(
    "--manual", is_flag=True, help="A guest comes first, then the host; streams start by REST only."
)
@click.option("--json", "json_lines", is_flag=True, help="Print JSON lines.")
def sim(
    scenario: Path | None,
    listen: str,
    webhook: str | None,
    seconds: float | None,
    meetings: int,
    truth: Path | None,
    manual: bool,
    json_lines: bool,
) -> None:
    """Play Zoom's side of a meeting: that of SCENARIO, or one that is built in."""
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise click.BadParameter(f"expected HOST:PORT, got {listen!r}", param_hint="--listen")
    run_to_end(
        run_sim(
            out=sys.stdout,
            scenario=scenario,
            meetings=meetings,
            truth=truth,
            listen=(host.strip("[]"), int(port)),
            webhook=webhook,
            seconds=seconds,
            json_lines=json_lines,
            manual=manual,
        )
    )


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
        fail(str(error))
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
