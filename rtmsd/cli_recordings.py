"""The commands that work on recordings, one function each."""

from __future__ import annotations

import dataclasses
import os
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from rtmsd import __version__
from rtmsd.config import load_sink_options
from rtmsd.config.secrets import read_secret
from rtmsd.errors import RtmsdError
from rtmsd.exits import fail, run_to_end, told
from rtmsd.plugins import load_plugins
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


@click.command()
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
        fail(f"{public_key}: {error}")
    try:
        with _recording_at(place) as directory:
            report = verify_recording(directory, public_key=key)
            if verbose and report.manifest is not None:
                click.echo(coverage_table(directory, report.manifest), nl=False)
    except (RtmsdError, ValueError) as error:
        fail(f"{place}: {error}")
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
        fail("recordings in buckets need the S3 sink's library: pip install 'rtmsd[s3]'")
    with fetching.open_recording(place) as directory:
        yield directory


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--output", type=click.Path(path_type=Path), metavar="FILE", help="Default: STREAM.mp4, here.")
@click.option("--media", type=click.Choice(["video", "share"]), help="Default: whichever has more pictures.")
@click.option("--user", "user_id", type=int, metavar="ID", help="Whose pictures.")
def mux(directory: Path, output: Path | None, media: str | None, user_id: int | None) -> None:
    """Make an MP4 of a recording: a camera or a shared screen, with the mix of all sound."""
    with told():
        out = output or Path(f"{directory.resolve().name.removeprefix('stream=')}.mp4")
        made = film(directory, out, media=media or "", user_id=user_id)
    sound = "with the mix of all sound" if made.sound else "without sound, since the recording has no mix"
    of = f"{made.picture.media} of user {made.picture.user_id}"
    click.echo(f"{out}: {made.pictures} pictures, {of}, {sound}")


@click.command()
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
    with told():
        segments, words = write_parquet(directory, output)
    click.echo(
        f"{output}: segments.parquet with {segments} rows, words.parquet with {words} (`estimated` says whose times are)"
    )


@click.command()
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
    with told(), _all_interrupt():
        sys.exit(_transcribe(directory, signing_key, _transcribe_options(path, sink, engines, language)))


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
        heard = run_to_end(second_pass.transcribe(directory, manifest, options, show))
    with _left_to_owner(directory):
        names = add_transcripts(directory, heard.frames, signer=signer)
    click.echo(showing.tell(heard.sent_secs, heard.lost_secs, len(heard.frames), names))
    return 1 if heard.lost_secs else 0


def _signer(path: Path) -> Signer:
    try:
        return Signer(read_secret({"file": str(path)}, environ={}, base=Path()).reveal())
    except (RtmsdError, ValueError) as error:
        fail(f"--signing-key: {error}")


def _transcribe_options(
    path: Path | None, sink: str | None, engines: tuple[str, ...], language: str | None
) -> Any:
    """Take the options of a configuration's sink, and what the command line says instead."""
    changes: dict[str, Any] = {"engines": engines} if engines else {}
    changes |= {"language": language} if language is not None else {}
    plugins = load_plugins()
    if (kind := plugins.sink_types.get("transcribe")) is None:
        fail(f"the sink type transcribe cannot be used: {'; '.join(plugins.broken) or 'it is not installed'}")
    try:
        if path is not None:
            return dataclasses.replace(load_sink_options(path, kind, sink, environ=os.environ), **changes)
        return kind.options(**changes)
    except ValueError as error:
        more = (
            "" if path is not None else " (an engine's table stands in a configuration: give it with -c FILE)"
        )
        fail(f"{error}{more}")


@click.command()
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
def recover(directory: Path) -> None:
    """Finish what a crash left unfinished at and below DIR; exit 1 when something cannot be.

    The daemon does this itself, some minutes after its start. What it is writing is left alone. What it lost less than 60 s ago it
    would go on with when it is started again: recover that first, and it is over.
    """
    failed = False
    for place in list(unfinished(directory)):
        with _left_to_owner(place):
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


@contextmanager
def _left_to_owner(directory: Path) -> Iterator[None]:
    """What root writes into somebody's recording becomes theirs: the daemon has to read it, and to delete it one day.

    With DynamicUser= nobody but root reaches the recordings of a daemon that does not run.
    """
    owner = directory.stat()
    try:
        yield
    finally:
        if os.geteuid() == 0 and owner.st_uid != 0:
            for path in directory.rglob("*"):
                about = path.lstat()
                if stat.S_ISREG(about.st_mode) and about.st_uid == 0 and about.st_nlink == 1:
                    os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


COMMANDS = (verify, mux, parquet, transcribe, recover)
