"""A second pass by real engines against services that enforce their rules, and over recordings of other codecs."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import av
import numpy as np
import pytest
from coded_speech import Ear, sentence, silence, texts
from fake_assemblyai import FakeAssemblyAI
from fake_deepgram import FakeDeepgram
from fake_service import KEY, Faults
from fast_time import run_fast
from running_daemon import json_lines
from second_pass_bench import record, second_pass
from transcribe_bench import ANN, BO, ZERO_MS, frames

from rtmsd.api import AudioFormat, AudioFrame, Secret
from rtmsd.recording import verify
from rtmsd.recording.mixed import alaw_table
from rtmsd_transcribe.engine import Heard
from rtmsd_transcribe.engines.assemblyai import AssemblyAI, AssemblyAIOptions

SPEECH = {
    ANN: silence(0.5) + sentence(range(1, 6)) + silence(6) + sentence(range(6, 9)),
    BO: sentence(range(20, 24)),
}
LENGTH_MS = 14_000


def spoken(form: AudioFormat | None = None) -> list[AudioFrame]:
    items = [*frames(ANN, 0, SPEECH[ANN]), *frames(BO, 2000, SPEECH[BO])]
    if form is None:
        return items
    return [AudioFrame(1, "Ann", ZERO_MS + at, data, form) for at, data in encoded(form, SPEECH[ANN])]


async def test_deepgram_hears_a_recording(tmp_path: Path) -> None:
    """The real command with a configuration: every word once under its speaker, though connections break; sessions are ended."""
    directory = record(tmp_path / "r", spoken(), LENGTH_MS)
    key = tmp_path / "key"
    key.write_text(KEY)
    key.chmod(0o600)
    config = tmp_path / "rtmsd.toml"
    async with FakeDeepgram(Faults(drop_after_secs=[None, 1.2])).running() as service:
        config.write_text(
            '[[sinks]]\nname = "words"\ntype = "transcribe"\nengines = ["deepgram"]\nmax_seconds_per_day = 1\n'
            f'[sinks.deepgram]\nkey = {{ file = "{key}" }}\nurl = "ws://{service.address}"\n'
        )
        command = ["-m", "rtmsd", "transcribe", str(directory), "-c", str(config)]
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        async with asyncio.timeout(60):
            told = (await process.communicate())[0].decode()
        assert process.returncode == 0, told
        assert KEY not in told and "word-" not in told and "It is asked again." in told
        lines = json_lines(directory / "transcript.deepgram.jsonl")
        for user_id, expected in ((ANN, texts(1, 8)), (BO, texts(20, 23))):
            assert " ".join(one["text"] for one in lines if one["user_id"] == user_id) == expected
        assert all(session.said_goodbye or session.secs < 1.5 for session in service.sessions)
        secs = sum(session.secs for session in service.sessions)
        # What was on its way when a connection broke is sent, and may be billed.
        [sent] = re.findall(r"sent: ([\d.]+) s to deepgram", told)
        assert secs - 0.1 <= float(sent) <= secs + 4
        first = min(word["start_ms"] for one in lines for word in one["words"])
        assert first - ZERO_MS == pytest.approx(500, abs=20)
    assert verify(directory).problems == []


def test_assemblyai_gets_a_recording_as_fast_as_it_was_spoken(tmp_path: Path) -> None:
    """It refuses what comes faster; every session is terminated, since it bills by the time that they are open."""

    async def play() -> None:
        directory = record(tmp_path / "r", spoken(), LENGTH_MS)
        async with FakeAssemblyAI().running() as service:
            options = AssemblyAIOptions(url=f"ws://{service.address}", key=Secret(KEY))
            async with AssemblyAI(options) as engine:
                result = await second_pass(directory, [engine], tmp_path)
        said = {one.user_id: [] for one in result.frames}
        for one in sorted(result.frames, key=lambda one: one.start_ms):
            said[one.user_id].append(one.text.lower().rstrip("."))
        assert {user: " ".join(words) for user, words in said.items()} == {
            ANN: texts(1, 8),
            BO: texts(20, 23),
        }
        assert all(one.said_goodbye and one.close_code is None for one in service.sessions)
        assert result.lost_secs == 0
        assert result.sent_secs["assemblyai"] == pytest.approx(
            sum(one.secs for one in service.sessions), abs=0.2
        )

    run_fast(play(), 5.0)


class Ears:
    """An engine that hears where coded words are, whatever a codec made of them."""

    name = "ears"
    real_time_only = False

    @asynccontextmanager
    async def session(self, *, language: str) -> AsyncIterator[Listening]:
        yield Listening()


class Listening:
    def __init__(self) -> None:
        self._ear = Ear()
        self._over = asyncio.Event()

    async def send(self, pcm: bytes) -> None:
        self._ear.hear(pcm)

    async def finish(self) -> None:
        self._ear.end()
        self._over.set()

    async def heard(self) -> AsyncIterator[Heard]:
        await self._over.wait()
        for word in self._ear.words:
            yield Heard("word", word.start_secs, word.end_secs, final=True)


def encoded(form: AudioFormat, pcm: bytes) -> list[tuple[int, bytes]]:
    """Packets of 20 ms, each with its millisecond. The speech lasts whole packets."""
    samples = np.frombuffer(pcm, "<i2")
    if form.codec == "G711":
        table = alaw_table().astype(int)
        order = np.argsort(table)
        codes = order[np.searchsorted(table[order], samples[::2]).clip(0, 255)].astype("u1").tobytes()
        return [(at // 8, codes[at : at + 160]) for at in range(0, len(codes), 160)]
    context = av.CodecContext.create({"OPUS": "libopus", "G722": "g722"}[form.codec], "w")
    context.sample_rate, context.layout, context.format = 16_000, "mono", "s16"
    size, packets = 320, []
    for number in range(len(samples) // size):
        frame = av.AudioFrame.from_ndarray(samples[None, number * size : number * size + size], "s16", "mono")
        frame.sample_rate, frame.pts = 16_000, number * size
        packets += [bytes(packet) for packet in context.encode(frame)]
    return [(number * 20, packet) for number, packet in enumerate(packets)]


@pytest.mark.parametrize(
    ("form", "within_ms"),
    [
        (AudioFormat("G711", 8000, 1, True), 15),
        (AudioFormat("G722", 16_000, 1, True), 20),
        (AudioFormat("OPUS", 48_000, 1, True), 25),
    ],
    ids=lambda one: getattr(one, "codec", ""),
)
def test_other_codecs_are_heard_where_they_were_spoken(
    tmp_path: Path, form: AudioFormat, within_ms: int
) -> None:
    """What a live session cannot transcribe a second pass can: every word, at its time."""

    async def play() -> None:
        directory = record(tmp_path / "r", spoken(form), LENGTH_MS)
        result = await second_pass(directory, [Ears()], tmp_path)
        ear = Ear()
        ear.hear(SPEECH[ANN])
        ear.end()
        heard = sorted((one.start_ms - ZERO_MS, one.end_ms - ZERO_MS) for one in result.frames)
        assert len(heard) == len(ear.words) == 8
        for (start, end), word in zip(heard, ear.words, strict=True):
            assert start == pytest.approx(word.start_secs * 1000, abs=within_ms)
            assert end == pytest.approx(word.end_secs * 1000, abs=within_ms)

    run_fast(play(), 2.0)
