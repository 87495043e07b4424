"""The commands, one function each."""

from __future__ import annotations

import asyncio
import dataclasses
import faulthandler
import os
import random
import signal
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
import uvloop

from rtmsd import __version__
from rtmsd.app import Daemon, run_until_signal
from rtmsd.config import Config, find_plugin_dir, load_config, load_sink_options
from rtmsd.config.document import read_document
from rtmsd.config.secrets import read_secret
from rtmsd.demo import run_demo
from rtmsd.demo_manual import run_manual_demo
from rtmsd.demo_transcribe import run_transcribing_demo
from rtmsd.diagnosis.doctor import examine
from rtmsd.diagnosis.explain import everything
from rtmsd.diagnosis.explain import explain as explain_code
from rtmsd.diagnosis.why import why as tell_why
from rtmsd.errors import ConfigError, RtmsdError
from rtmsd.plugins import Plugins, load_plugins
from rtmsd.recording import (
    Report,
    Signer,
    add_transcripts,
    coverage_table,
    read_public_key,
    ready_to_add,
    unfinished,
)
from rtmsd.recording import recover as recover_recording
from rtmsd.recording import verify as verify_recording
from rtmsd.recording.mux import mux as film
from rtmsd.recording.parquet import write_parquet
from rtmsd.runtime.clock import Clock
from rtmsd.runtime.log import set_up_logging
from rtmsd.runtime.systemd import take_over
from rtmsd.simulator import run_sim
from rtmsd.state.past import read_journal
from rtmsd.streams.transport import client_tls
from rtmsd.tap import read_admin, run_tap

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
    sys.exit(_run(_doctor(config)))


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
        _fail(str(error), status=EX_CONFIG)
    except RtmsdError as error:
        _fail(str(error))
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
    if as_pcm and sys.stdout.isatty():
        raise click.UsageError("--pcm gives samples, which no terminal can show: give it a pipe or a file.")
    query = {"as": "json" if as_json else "pcm" if as_pcm else "text"}
    query |= {"meeting": meeting} if meeting is not None else {}
    query |= {"user": str(user_id)} if user_id is not None else {}
    query |= {"wait": "1"} if wait else {}
    try:
        admin = read_admin(path, environ=os.environ)
    except ConfigError as error:
        _fail(str(error), status=EX_CONFIG)
    # Ctrl-C, also while whoever reads takes nothing: asyncio would wait until the write is through.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _run(run_tap(admin, query, out=sys.stdout.buffer))


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
    sys.exit(_run(run(seconds=seconds or default, output=output, keep=keep, out=sys.stdout)))


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
            manual=manual,
        )
    )


@main.command()
@click.argument("place", metavar="DIR|URL")
@click.option(
    "--public-key",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="The Ed25519 key (PEM) that must have signed it.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show how much there is of every speaker and medium.")
def verify(place: str, public_key: Path | None, verbose: bool) -> None:
    """Check a recording, in a directory or in a bucket (s3://bucket/…/stream=…); exit 1 when it is not whole."""
    try:
        key = read_public_key(public_key.read_bytes()) if public_key else ""
    except RtmsdError as error:
        _fail(f"{public_key}: {error}")
    try:
        with _recording_at(place) as directory:
            report = verify_recording(directory, public_key=key)
            if verbose and report.manifest is not None:
                click.echo(coverage_table(directory, report.manifest), nl=False)
    except (RtmsdError, ValueError) as error:
        _fail(f"{place}: {error}")
    for problem in report.problems:
        click.echo(problem, err=True)
    if not report.ok:
        number = len(report.problems)
        click.echo(f"{place}: NOT good ({number} problem{'s' * (number != 1)})", err=True)
        sys.exit(1)
    click.echo(f"{place}: intact. {report.summary}")


@contextmanager
def _recording_at(place: str) -> Iterator[Path]:
    """Give the directory of a recording; one in a bucket is downloaded for as long as the context lasts."""
    if "://" not in place:
        yield Path(place)
        return
    try:
        fetching = import_module("rtmsd_s3.fetching")
    except ImportError:
        _fail("recordings in buckets need the S3 sink's library: pip install 'rtmsd[s3]'")
    with fetching.open_recording(place) as directory:
        yield directory


@main.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Default: STREAM.mp4, here.")
@click.option("--media", type=click.Choice(["video", "share"]), help="Default: whichever has more pictures.")
@click.option("--user", "user_id", type=int, metavar="ID", help="Whose pictures.")
def mux(directory: Path, output: Path | None, media: str | None, user_id: int | None) -> None:
    """Make an MP4 of a recording: a camera or a shared screen, with the mix of all sound."""
    try:
        out = output or Path(f"{directory.resolve().name.removeprefix('stream=')}.mp4")
        made = film(directory, out, media=media or "", user_id=user_id)
    except RtmsdError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
    sound = "with the mix of all sound" if made.sound else "without sound, since the recording has no mix"
    of = f"{made.picture.media} of user {made.picture.user_id}"
    click.echo(f"{out}: {made.pictures} pictures, {of}, {sound}")


@main.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    default=Path(),
    help="Default: the current one.",
)
def parquet(directory: Path, output: Path) -> None:
    """Write a recording's transcript as Parquet: segments.parquet and words.parquet."""
    try:
        segments, words = write_parquet(directory, output)
    except RtmsdError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")
    click.echo(
        f"{output}: segments.parquet with {segments} rows, words.parquet with {words} (times estimated)"
    )


@main.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--engine", "engines", metavar="NAME", multiple=True, help="Who transcribes; given again, who takes over."
)
@click.option(
    "-c",
    "--config",
    "path",
    type=click.Path(path_type=Path),
    help="A configuration with a sink of type transcribe.",
)
@click.option("--sink", metavar="NAME", help="Which of its sinks, if there are several of this type.")
@click.option("--language", metavar="TAG", help='What is spoken, such as "en".')
@click.option(
    "--signing-key",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="The private Ed25519 key (PEM) that the recording is signed with.",
)
def transcribe(
    directory: Path,
    engines: tuple[str, ...],
    path: Path | None,
    sink: str | None,
    language: str | None,
    signing_key: Path | None,
) -> None:
    """Transcribe a complete recording once more, beside what is there; exit 1 when not all of it was heard."""
    if not engines and path is None:
        raise click.UsageError("expected who transcribes: --engine NAME, or -c FILE")
    if sink is not None and path is None:
        raise click.UsageError("--sink names a sink of a configuration: give it with -c FILE")
    try:
        with _all_interrupt():
            sys.exit(_transcribe(directory, signing_key, _transcribe_options(path, sink, engines, language)))
    except KeyboardInterrupt:
        sys.exit(130)
    except ConfigError as error:
        _fail(str(error), status=EX_CONFIG)
    except RtmsdError as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")


@contextmanager
def _all_interrupt() -> Iterator[None]:
    """Let SIGTERM and SIGHUP do what Ctrl-C does: sessions with engines, which bill, are ended."""
    ways = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGHUP)}
    for one, way in ways.items():
        if way is not signal.SIG_IGN:  # nohup
            signal.signal(one, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        for one, way in ways.items():
            signal.signal(one, way)


def _transcribe(directory: Path, signing_key: Path | None, options: Any) -> int:
    """Prove the recording, let the engines hear it, and add what they heard; return the exit status."""
    second_pass = import_module("rtmsd_transcribe.second_pass")
    showing = import_module("rtmsd_transcribe.showing")
    set_up_logging(level="error", clock=Clock())
    signer = _signer(signing_key) if signing_key is not None else None
    manifest = ready_to_add(directory, signer=signer)
    with showing.showing(sys.stdout) as show:
        heard = _run(second_pass.transcribe(directory, manifest, options, show))
    names = add_transcripts(directory, heard.frames, signer=signer)
    click.echo(showing.tell(heard.sent_secs, heard.lost_secs, len(heard.frames), names))
    return 1 if heard.lost_secs else 0


def _signer(path: Path) -> Signer:
    try:
        return Signer(read_secret({"file": str(path)}, environ={}, base=Path()).reveal())
    except (RtmsdError, ValueError) as error:
        _fail(f"--signing-key: {error}")


def _transcribe_options(
    path: Path | None, sink: str | None, engines: tuple[str, ...], language: str | None
) -> Any:
    """Take the options of a configuration's sink, and what the command line says instead."""
    changes: dict[str, Any] = {"engines": engines} if engines else {}
    changes |= {"language": language} if language is not None else {}
    plugins = load_plugins()
    if (kind := plugins.sink_types.get("transcribe")) is None:
        _fail(
            f"the sink type transcribe cannot be used: {'; '.join(plugins.broken) or 'it is not installed'}"
        )
    try:
        if path is not None:
            return dataclasses.replace(load_sink_options(path, kind, sink, environ=os.environ), **changes)
        return kind.options(**changes)
    except ValueError as error:
        more = (
            "" if path is not None else " (an engine's table stands in a configuration: give it with -c FILE)"
        )
        _fail(f"{error}{more}")


@main.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
def recover(directory: Path) -> None:
    """Finish what a crash left unfinished at and below DIR; exit 1 when something cannot be.

    The daemon does this itself, some minutes after its start. What it is writing is left alone. What it lost less than 60 s ago it
    would go on with when it is started again: recover that first, and it is over.
    """
    failed = False
    for place in list(unfinished(directory)):
        done = recover_recording(place, version=__version__)
        if done.problem:
            failed = True
            click.echo(f"{place}: NOT recovered: {done.problem}", err=True)
        elif done.manifest is not None:
            click.echo(f"{place}: recovered. {Report([], done.manifest).summary}")
        else:
            click.echo(f"{place}: {done.note}")
    if failed:
        sys.exit(1)


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
