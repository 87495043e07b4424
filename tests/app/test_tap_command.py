"""`rtmsd tap` in a process of its own: what it finds, writes and says, and how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from running_daemon import running, webhook_url
from tapped_daemon import STREAM, audio, daemon
from test_tap import speaking

from rtmsd.config import UnixListen
from rtmsd.frames import AudioFormat, StreamEnd, TranscriptFrame
from rtmsd.simulator import Simulator, default_meeting

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def command(
    config: Path, *arguments: str, shell: str = ""
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `rtmsd tap` in a process of its own; `shell` follows it in a pipe."""
    words = [sys.executable, "-m", "rtmsd", "tap", "-c", str(config), *arguments]
    program = words if not shell else ["bash", "-c", f'set -o pipefail; "$@" {shell}', "bash", *words]
    process = await asyncio.create_subprocess_exec(
        *program,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, bytes, str]:
    async with asyncio.timeout(40):
        out, err = await process.communicate()
    return process.returncode, out, err.decode()


def admin_only(tmp: Path, listen: object, more: str = "") -> Path:
    """A configuration of which `rtmsd tap` reads all that it can: the secrets of apps are nowhere."""
    path = tmp / "tap.toml"
    path.write_text(
        f'[admin]\nlisten = "{listen}"\n{more}[[apps]]\nclient_secret = {{ env = "NOT_SET_ANYWHERE" }}\n'
    )
    return path


def admin_with_token(tmp: Path, listen: UnixListen) -> Path:
    """The same, with a token in a file."""
    (tmp / "token").write_text("open-sesame")
    (tmp / "token").chmod(0o600)
    return admin_only(tmp, listen, 'token = { file = "token" }\n')


async def test_the_command_in_pipes(tmp_path: Path) -> None:
    """Phrases to the stream's end with exit 0; samples into `head`, which closes the pipe: exit 0 and not a word."""
    async with Simulator(meeting=default_meeting(10.0), directory=tmp_path / "zoom") as zoom:
        async with running(zoom, tmp_path) as ready, asyncio.TaskGroup() as tasks:
            config = admin_only(tmp_path, ready.admin)
            async with command(config, "--wait") as reading:
                text = tasks.create_task(ended(reading))
                playing = tasks.create_task(zoom.play(webhook=webhook_url(ready)))
                await speaking(ready)
                user = str(next(iter(zoom.truth.tracks)))
                async with command(config, "--pcm", "--user", user, shell="| head -c 64000") as piped:
                    status, pcm, err = await ended(piped)
                assert (status, len(pcm), err) == (0, 64_000, "")
                await playing
                status, out, err = await text
    assert status == 0 and err == ""
    lines = out.decode().splitlines()
    assert [line.partition(": ")[2] for line in lines[:-1]] == [one.text for one in zoom.truth.phrases]
    assert "has ended" in lines[-1]


async def test_the_command_finds_socket_token_and_stream(tmp_path: Path) -> None:
    """In the configuration, a Unix socket and the token's file; and the stream by an id with + / and =."""
    listen = UnixListen(tmp_path / "admin.sock")
    config = admin_with_token(tmp_path, listen)
    async with daemon("open-sesame", listen) as one, command(config, STREAM) as process:
        route = one.begin()
        await one.listened_to()
        route.offer(TranscriptFrame(1, "Zoë", 0, 0, 900, "Grüße"))
        route.offer(StreamEnd(6, "", "The meeting ended.", 1000))
        status, out, err = await ended(process)
    assert (status, err) == (0, "")
    assert out.decode().splitlines() == [
        "00:00:00  Zoë: Grüße",
        "-- 00:00:01  the stream has ended: The meeting ended.",
    ]


async def test_interrupting_the_command_is_quiet(tmp_path: Path) -> None:
    """SIGINT ends it at once, also while nothing comes; a shell calls that 130."""
    listen = UnixListen(tmp_path / "admin.sock")
    config = admin_with_token(tmp_path, listen)
    async with daemon("open-sesame", listen) as one, command(config, "--wait") as process:
        one.begin()
        await one.listened_to()
        process.send_signal(signal.SIGINT)
        assert await ended(process) == (-signal.SIGINT, b"", "")
        async with asyncio.timeout(10):
            while len(one.taps):
                await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("admin", "arguments", "status", "says"),
    [
        ("127.0.0.1:1", (), 1, "no daemon is reached at 127.0.0.1:1 (Connection refused); start it"),
        (
            "unix:/nowhere/at/all.sock",
            (),
            1,
            "no daemon is reached at unix:/nowhere/at/all.sock (No such file",
        ),
        ("127.0.0.1:0", (), 1, "lets the system choose the admin port"),
        ("127.0.0.1", (), 78, 'admin.listen: expected "host:port"'),
        ("127.0.0.1:1", ("--json", "--pcm"), 2, "give one of them"),
    ],
)
async def test_the_command_says_what_is_wrong(
    tmp_path: Path, admin: str, arguments: tuple[str, ...], status: int, says: str
) -> None:
    """One sentence and an exit status, no traceback."""
    async with command(admin_only(tmp_path, admin), *arguments) as process:
        got, out, err = await ended(process)
    assert (got, out) == (status, b"") and says in err and "Traceback" not in err


async def test_what_the_daemon_refuses_is_told(tmp_path: Path) -> None:
    """Its own sentence, exit 1; of a wrong token, too."""
    listen = UnixListen(tmp_path / "admin.sock")
    config = admin_with_token(tmp_path, listen)
    async with daemon("open-sesame", listen), command(config, "nobody") as process:
        status, _, err = await ended(process)
        assert status == 1 and err.startswith('rtmsd: No living stream fits "nobody"; ')
    async with daemon("another", listen), command(config) as process:
        status, _, err = await ended(process)
        assert status == 1 and "has another admin token" in err and "sesame" not in err


async def test_samples_are_not_for_terminals(tmp_path: Path) -> None:
    """`--pcm` into a terminal is refused before anything is asked."""
    ours, theirs = os.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rtmsd", "tap", "--pcm", "-c", str(tmp_path / "none.toml")),
        cwd=ROOT,
        stdout=theirs,
        stderr=asyncio.subprocess.PIPE,
    )
    status, _, err = await ended(process)
    os.close(ours)
    os.close(theirs)
    assert status == 2 and "give it a pipe or a file" in err


async def test_what_breaks_off_is_not_an_end(tmp_path: Path) -> None:
    """When the daemon cannot go on with what it began, the command says so and exits 1; what came is whole."""
    listen = UnixListen(tmp_path / "admin.sock")
    config = admin_with_token(tmp_path, listen)
    async with daemon("open-sesame", listen) as one:
        route = one.begin()
        async with command(config, "--pcm", shell="| cat") as process:
            await one.listened_to()
            route.offer(audio(0))
            assert process.stdout is not None
            assert await process.stdout.readexactly(3200) == audio(0).data
            route.offer(audio(100, form=AudioFormat("L16", 8_000, 1, True)))
            status, out, err = await ended(process)
    assert status == 1 and out == b""
    assert err.startswith("rtmsd: the daemon broke off before the stream's end")
    assert "another form of sound" in err and "run it again" in err


async def test_samples_that_a_stop_breaks_off_are_not_a_whole_row(tmp_path: Path) -> None:
    """A daemon that stops is not the stream's end: `--pcm` says so and exits 1, with all that came."""
    listen = UnixListen(tmp_path / "admin.sock")
    config = admin_with_token(tmp_path, listen)
    async with AsyncExitStack() as living:
        one = await living.enter_async_context(daemon("open-sesame", listen))
        route = one.begin()
        async with command(config, "--pcm", shell="| cat") as process:
            await one.listened_to()
            route.offer(audio(0))
            assert process.stdout is not None
            assert await process.stdout.readexactly(3200) == audio(0).data
            await living.aclose()
            status, out, err = await ended(process)
    assert status == 1 and out == b"" and "it was stopped" in err


async def test_without_an_output_there_is_a_sentence(tmp_path: Path) -> None:
    """`>&-` closes it before the program begins."""
    for arguments in ((), ("--pcm",)):
        async with command(admin_only(tmp_path, "127.0.0.1:1"), *arguments, shell=">&-") as process:
            status, _, err = await ended(process)
        assert (
            status == 1
            and err == "rtmsd: expected an output to write to, and there is none: give it a pipe or a file\n"
        )
