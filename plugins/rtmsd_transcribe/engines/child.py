"""Recognizers on this machine run in processes of their own: they hold Python's lock for as long as they think."""

from __future__ import annotations

import asyncio
import os
import struct
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self, TypeVar

import msgspec

from rtmsd_transcribe.engine import EngineLost, EngineRefused, EngineStalled

_PROGRAM = Path(__file__).with_name("child_program.py")
# Some kilobytes are usual: the words of 30 s.
_LONGEST_ANSWER_BYTES = 1 << 20

_KEPT = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "OMP_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
)

Answer = TypeVar("Answer")


class Ready(msgspec.Struct):
    """What a child says first; `refused` is a sentence for people, if it cannot work."""

    refused: str | None = None


class Child:
    """One such process: asked one thing at a time, started when it is needed and again after it died.

    `start_secs`: how long it may take to load its model; `answer_secs`: how long to answer.
    """

    def __init__(
        self,
        engine: str,
        options: Mapping[str, object],
        *,
        start_secs: float,
        answer_secs: float,
        program: Path = _PROGRAM,
    ) -> None:
        self._engine = engine
        self._options = options
        self._start_secs, self._answer_secs = start_secs, answer_secs
        self._program = program
        self._process: asyncio.subprocess.Process | None = None
        self._ready = False
        self._unread = False  # an answer is to come; perhaps its asker has gone
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Load the model, if that is not done. Raises EngineRefused when that will never work, else EngineLost."""
        if self._ready and self._process is not None and self._process.returncode is None:
            return  # perhaps busy with somebody else's piece: whoever opens a session need not wait for that
        async with self._turn:
            await self._running()

    async def ask(
        self, question: Mapping[str, object], pcm: bytes, answer: type[Answer], *, asked: Callable[[], None]
    ) -> Answer:
        """Have a piece transcribed; `asked` is called when its turn has come and the child gets it.

        After a cancellation the child goes on, and its answer is thrown away. Raises EngineLost and EngineRefused.
        """
        async with self._turn:
            process = await self._idle()
            asked()
            _tell(process, question, pcm)
            self._unread = True
            try:
                line = await self._answered(process)
            except TimeoutError:
                raise EngineStalled(
                    f"{self._engine} did not answer within {self._answer_secs:g} s; its process was ended."
                ) from None
            return msgspec.json.decode(line, type=answer)

    async def stop(self) -> None:
        """End the process, whatever it does, and wait until it is gone."""
        process, self._process = self._process, None
        self._ready = self._unread = False
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    async def _running(self) -> asyncio.subprocess.Process:
        """Give the process, ready; one that somebody else began to wait for is waited for on."""
        if self._process is None or self._process.returncode is not None:
            await self.stop()
            self._process = await self._begun()
            _tell(self._process, self._options, b"")
        process = self._process
        if not self._ready:
            await self._wait_until_ready(process)
        return process

    async def _wait_until_ready(self, process: asyncio.subprocess.Process) -> None:
        try:
            async with asyncio.timeout(self._start_secs):
                ready = msgspec.json.decode(await self._line(process), type=Ready)
        except TimeoutError:
            await self.stop()
            raise EngineLost(f"{self._engine} was not ready within {self._start_secs:g} s.") from None
        if ready.refused is not None:
            await self.stop()
            raise EngineRefused(f"{self._engine}: {ready.refused}")
        self._ready = True

    async def _begun(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # the directory of the program holds modules that are called like their libraries
            str(self._program),
            self._engine,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,  # recognizers print what they hear
            limit=_LONGEST_ANSWER_BYTES,
            start_new_session=True,  # Ctrl-C is for us: what was said last is still to be transcribed
            env=_environment(),
        )

    async def _idle(self) -> asyncio.subprocess.Process:
        """Give the process when it has nothing else to do: what somebody left to it is no fault of the next."""
        process = await self._running()
        if self._unread:
            try:
                await self._answered(process)
            except (TimeoutError, EngineLost):
                process = await self._running()
        return process

    async def _answered(self, process: asyncio.subprocess.Process) -> bytes:
        """Read the answer that is to come. Raises TimeoutError or EngineLost, and the process has ended then."""
        try:
            async with asyncio.timeout(self._answer_secs):
                line = await self._line(process)
        except TimeoutError:
            await self.stop()
            raise
        self._unread = False
        return line

    async def _line(self, process: asyncio.subprocess.Process) -> bytes:
        """Read a line, whole or not at all; raises EngineLost when the process has ended."""
        assert process.stdout is not None
        try:
            line = await process.stdout.readline()
        except ValueError:  # longer than any answer
            line = b""
        if not line.endswith(b"\n"):
            await self.stop()
            raise EngineLost(f"{self._engine}: its process has ended; it is started again.")
        return line


class Children:
    """Some of them for one engine: each takes the next piece when it is free."""

    def __init__(self, children: list[Child]) -> None:
        self._children = children
        self._free: asyncio.LifoQueue[Child] = asyncio.LifoQueue()
        for child in reversed(children):
            self._free.put_nowait(child)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        for child in self._children:
            await child.stop()

    async def start(self) -> None:
        """Have at least one that is ready. Raises EngineLost and EngineRefused."""
        await self._children[0].start()

    async def ask(
        self, question: Mapping[str, object], pcm: bytes, answer: type[Answer], *, asked: Callable[[], None]
    ) -> Answer:
        """The same as Child.ask, by whichever is free first."""
        child = await self._free.get()
        try:
            return await child.ask(question, pcm, answer, asked=asked)
        finally:
            self._free.put_nowait(child)


def _environment() -> dict[str, str]:
    """What a child needs of ours: not the secrets that may be in it."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    path = os.pathsep.join(path for path in sys.path if path)
    return {
        **kept,
        "PYTHONPATH": path,
        "HF_HUB_OFFLINE": "1",
    }  # nothing is fetched, whatever a library believes


def _tell(process: asyncio.subprocess.Process, head: Mapping[str, object], pcm: bytes) -> None:
    assert process.stdin is not None
    told = msgspec.json.encode(head)
    # Not drained: it is one piece, and the child reads it as soon as it is free.
    process.stdin.write(struct.pack("<II", len(told), len(pcm)) + told + pcm)
