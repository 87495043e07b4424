"""Scenarios about how a sink behaves, whatever it does: its type, its check, the event loop, what it leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from rtmsd.api.testing import rules
from rtmsd.api.testing.bench import Bench, Line
from rtmsd.api.testing.watched import Call, Fault, Watched
from rtmsd.frames import MediaKind
from rtmsd.runtime.clock import Clock

BLOCKED_SECS = 0.25
"""Generous: a busy machine is no fault of a sink's."""

OPEN_FILES = Path("/proc/self/fd")
_BEAT_SECS = 0.01
_SETTLE_SECS = 2.0
_ROUNDS = 3


async def sink_type(bench: Bench) -> None:
    """The type itself: its options and what it wants."""
    subject = bench.subject
    kind, options = subject.sink_type, subject.options
    if not getattr(kind.options, "__dataclass_params__").frozen:  # noqa: B009  # no type knows this attribute
        bench.broken(
            "a frozen dataclass",
            f"{kind.options.__name__} is not: write @dataclass(frozen=True)",
            rules.OPTIONS,
        )
    wants: list[Any] = [kind.wants(options) for _ in range(3)]
    for one in wants:
        if not (isinstance(one, frozenset) and all(isinstance(medium, MediaKind) for medium in one)):
            bench.broken("wants() to return a frozenset of MediaKind", f"it returned {one!r}", rules.WANTS)
        elif one != wants[0]:
            bench.broken("wants() to say the same each time", "it said something else", rules.WANTS)


async def check(bench: Bench) -> None:
    """check() twice with options that work, and once with those that cannot."""
    async with bench.sink() as sink:
        before = _files(bench)
        for _ in range(2):
            if error := await bench.check(sink):
                bench.broken(
                    "check() to be content with options that work", f"it raised {error}", rules.CHECK, error
                )
        if left := _files(bench) - before:
            names = ", ".join(sorted(path.name for path in left))
            bench.broken("check() to leave no file behind", f"it left {names}", rules.CHECK_LITTER)
    if bench.subject.unusable is not None:
        async with bench.sink(bench.subject.unusable) as sink:
            if await bench.check(sink) is None and not bench.findings:
                bench.broken("check() to refuse the unusable options", "it was content", rules.CHECK)


async def event_loop(bench: Bench) -> None:
    """How long the sink keeps everybody else waiting, with large batches, in the best of three rounds."""
    blocked: dict[str, float] = {}
    for _ in range(_ROUNDS):
        stream = bench.stream()
        async with bench.sink() as sink:
            async with _heart(bench.clock) as late, Line(bench, sink, stream) as line:
                for _ in range(2):
                    await line.write(*stream.full_batch())
                await line.finish(stream.end())
        for what in ("open", "write", "leave"):
            worst = max(
                (_overlap(call, one) for call in sink.calls if call.what == what for one in late), default=0.0
            )
            blocked[what] = min(worst, blocked.get(what, worst))
    for what, secs in blocked.items():
        if secs > BLOCKED_SECS:
            bench.broken(
                f"the event loop to run on during {_NAMES[what]}",
                f"it stood still for {secs:.1f} s",
                rules.LOOP,
            )


async def nothing_left(bench: Bench) -> None:
    """Tasks, threads and open files, after streams that ended well and badly. The first round is a warm-up."""
    before: Counter[str] | None = None
    for _ in range(_ROUNDS):
        async with bench.sink() as sink:
            await _good_and_bad_streams(bench, sink)
        left = await _remaining(before)
        if before is not None and left:
            names = ", ".join(sorted(left))
            bench.broken(
                "nothing to remain once the sink was left",
                f"after {_SETTLE_SECS:g} s there is: {names}",
                rules.NOTHING_REMAINS,
            )
            return
        before = _held()


async def _good_and_bad_streams(bench: Bench, sink: Watched) -> None:
    good, bad = bench.stream(), bench.stream()
    async with Line(bench, sink, good) as line:
        await line.write(*good.talk(20))
        sink.faults.append(Fault.WRITE)
        await line.write(*good.talk(20))
        await line.finish(good.end())
    async with Line(bench, sink, bad) as line:
        await line.write(*bad.talk(20))
        await line.cancel()


async def _remaining(before: Counter[str] | None) -> Counter[str]:
    """Wait until no more is held than before; return what is, in spite of that."""
    gc.collect()
    for _ in range(int(_SETTLE_SECS / _BEAT_SECS)):
        if before is None or not _held() - before:
            return Counter()
        await asyncio.sleep(_BEAT_SECS)
    return _held() - (before or Counter())


def _held() -> Counter[str]:
    """Count tasks, threads and open files, each by what it is."""
    held = Counter(f"task {_coroutine(task)}" for task in asyncio.all_tasks())
    # asyncio.to_thread's own threads stay for the next call.
    names = [thread.name for thread in threading.enumerate()]
    held.update(f"thread {name}" for name in names if not name.startswith("asyncio_"))
    for link in OPEN_FILES.iterdir() if OPEN_FILES.exists() else ():
        with contextlib.suppress(OSError):  # the one of this listing itself
            held[f"open file {link.readlink()}"] += 1
    return held


def _coroutine(task: asyncio.Task[Any]) -> str:
    return getattr(task.get_coro(), "__qualname__", "unknown")


def _files(bench: Bench) -> set[Path]:
    return {path for path in bench.subject.directory.rglob("*") if not path.is_dir()}


_NAMES = {"open": "entering what open() returned", "write": "write()", "leave": "leaving the writer"}


@contextlib.asynccontextmanager
async def _heart(clock: Clock) -> AsyncIterator[list[tuple[float, float]]]:
    """Beat while the context lasts; give the times between two beats that were too far apart."""
    late: list[tuple[float, float]] = []

    async def beat() -> None:
        while True:
            began = clock.monotonic()
            await asyncio.sleep(_BEAT_SECS)
            if (ended := clock.monotonic()) - began > BLOCKED_SECS:
                late.append((began + _BEAT_SECS, ended))

    heart = asyncio.create_task(beat(), name="the check's heart")
    try:
        yield late
    finally:
        await asyncio.sleep(2 * _BEAT_SECS)
        heart.cancel()
        await asyncio.wait({heart})


def _overlap(call: Call, span: tuple[float, float]) -> float:
    return max(0.0, min(call.ended, span[1]) - max(call.began, span[0]))
