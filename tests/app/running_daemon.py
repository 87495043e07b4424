"""A daemon in this process, pointed at a simulator, and what a recording must contain."""

from __future__ import annotations

import asyncio
import json
import random
import wave
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rtmsd.app import Daemon, Ready
from rtmsd.config import Config, find_plugin_dir, load_config
from rtmsd.plugins import Plugins, load_plugins
from rtmsd.runtime.clock import Clock
from rtmsd.simulator import Simulator, Truth

Samples = npt.NDArray[np.int16]

_CONFIG = """
state_dir = "{tmp}/state"
[webhook]
listen = "127.0.0.1:{port}"
[admin]
listen = "127.0.0.1:0"
[zoom]
allowed_hosts = ["127.0.0.1"]
ca_file = "{ca_file}"
{zoom}
[[apps]]
name = "notes"
client_id = "{client_id}"
client_secret = {{ env = "CLIENT_SECRET" }}
webhook_secrets = [{{ env = "WEBHOOK_SECRET" }}]
{app}
[[sinks]]
name = "disk"
type = "file"
directory = "{tmp}/recordings"
{sink}
"""


def configuration(
    tmp: Path,
    *,
    ca_file: Path | str,
    client_id: str,
    port: int = 0,
    zoom: str = "",
    app: str = "",
    sink: str = "",
) -> str:
    """Write the configuration of a daemon with one app and one sink, which comes last; `zoom`, `app` and `sink` go into these."""
    return _CONFIG.format(
        tmp=tmp, ca_file=ca_file, client_id=client_id, port=port, zoom=zoom, app=app, sink=sink
    )


@asynccontextmanager
async def daemon_of(config: Config, plugins: Plugins, *, clock: Clock) -> AsyncIterator[Ready]:
    """Run a daemon for as long as the context lasts; leaving it is SIGTERM's way."""
    stop = asyncio.Event()
    ready: asyncio.Queue[Ready] = asyncio.Queue()
    daemon = Daemon(config, plugins, clock=clock, chance=random.Random(7))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(daemon.run(stop=stop, ready=ready.put_nowait))
        try:
            yield await ready.get()
        finally:
            stop.set()


@asynccontextmanager
async def running(
    zoom: Simulator,
    tmp: Path,
    *,
    client_secret: str | None = None,
    send_rate_ms: int = 100,
    audio: str = "per_participant",
    media: str = "",
    before: str = "",
    after: str = "",
    plugins: Plugins | None = None,
    clock: Clock | None = None,
    environ: Mapping[str, str] | None = None,
) -> AsyncIterator[Ready]:
    """Run a daemon for the app of a simulated Zoom, as `daemon_of` does.

    `media` is added to `[apps.media]`, `before` and `after` to the configuration at its ends; `clock` is another than the
    real one, `environ` has secrets besides those of the app.
    """
    path = tmp / "rtmsd.toml"
    config_text = configuration(
        tmp,
        ca_file=zoom.ca_file,
        client_id=zoom.client_id,
        app=f'[apps.media]\nsend_rate_ms = {send_rate_ms}\naudio = "{audio}"\n{media}',
        sink="batch_ms = 50",
    )
    path.write_text(before + config_text + after)
    plugins = plugins or load_plugins(directory=find_plugin_dir(path))
    secrets = {
        "CLIENT_SECRET": client_secret or zoom.client_secret,
        "WEBHOOK_SECRET": zoom.webhook_secret,
        **(environ or {}),
    }
    config = load_config(path, sink_types=plugins.sink_types, environ=secrets)
    async with daemon_of(config, plugins, clock=clock or Clock()) as ready:
        yield ready


def webhook_url(ready: Ready) -> str:
    return f"http://{ready.webhook}/webhook"


async def finished(tmp: Path) -> Path:
    """Wait for the one recording to be complete; return its directory."""
    async with asyncio.timeout(15):
        while not (found := list(tmp.glob("recordings/*/*/*/SHA256SUMS"))):
            await asyncio.sleep(0.05)
    assert len(list(tmp.glob("recordings/*/*/*"))) == 1, "more than one recording"
    return found[0].parent


def manifest(recording: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((recording / "manifest.json").read_text())
    return document


def json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def samples(path: Path) -> Samples:
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")


def expected(truth: Truth, user_id: int, *, zero_ms: int, length: int) -> Samples:
    """One participant's track as it must be: the samples at their places, silence elsewhere."""
    track = np.zeros(length, dtype=np.int16)
    for span in truth.tracks.get(user_id, []):
        start = (span.timestamp_ms - zero_ms) * 16
        pcm = np.frombuffer(bytes(span.pcm), dtype="<i2")
        track[start : start + len(pcm)] = pcm
    return track


def assert_equals_truth(recording: Path, truth: Truth) -> None:
    """Every track and the mix, sample for sample at its place. The comparison is this test's own."""
    about = manifest(recording)
    zero_ms = about["zero_ms"]
    assert zero_ms == min(span.timestamp_ms for spans in truth.tracks.values() for span in spans)
    speakers = {user_id for user_id, spans in truth.tracks.items() if any(span.pcm for span in spans)}
    files = {int(path.stem.removeprefix("user=")): path for path in recording.glob("audio/user=*.wav")}
    assert files.keys() == speakers
    length = len(samples(recording / "audio" / "mixed.wav"))
    mix = np.zeros(length, dtype=np.int32)
    for user_id, path in files.items():
        track = expected(truth, user_id, zero_ms=zero_ms, length=length)
        assert track.any()
        np.testing.assert_array_equal(samples(path), track, err_msg=f"user {user_id}")
        mix += track
    np.testing.assert_array_equal(samples(recording / "audio" / "mixed.wav"), np.clip(mix, -32768, 32767))
