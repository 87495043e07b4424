"""Recognizers run in child processes: none stays behind, none is trusted, and the event loop does not feel them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import echo_child
import msgspec
import pytest

from rtmsd_transcribe.engine import EngineLost, EngineRefused, EngineStalled
from rtmsd_transcribe.engines.child import Child, Children
from rtmsd_transcribe.engines.local import Local

PROGRAM = Path(echo_child.__file__)


class Part(msgspec.Struct):
    text: str
    end: float
    pid: int


class Answer(msgspec.Struct):
    segments: list[Part]


@asynccontextmanager
async def child(options: dict[str, Any] | None = None, **how: float) -> AsyncIterator[Child]:
    timing = {"start_secs": 60.0, "answer_secs": 60.0, **how}
    made = Child("echo", options or {}, program=PROGRAM, **timing)
    async with Children([made]):
        yield made


async def ask(one: Child | Children, text: str = "hello", **question: Any) -> Part:
    answer = await one.ask({"text": text, **question}, bytes(3200), Answer, asked=lambda: None)
    [part] = answer.segments
    return part


def children_of_us() -> set[int]:
    """Every child of this process, zombies too."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            if int(stat.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.add(int(stat.parent.name))
    return found


@pytest.fixture(autouse=True)
def _no_process_is_left() -> Any:
    before = children_of_us()
    yield
    assert children_of_us() <= before


async def test_it_is_asked_and_answers() -> None:
    """Questions and sound reach the child, its answers us; it is one process for all of them."""
    async with child() as one:
        first, second = await ask(one, "good"), await ask(one, "morning ✓")
    assert (first.text, second.text, first.end) == ("good", "morning ✓", 0.1)
    assert first.pid == second.pid


async def test_many_ask_at_once() -> None:
    """Everybody gets his own answer, from each of several processes."""
    async with Children(
        [Child("echo", {}, start_secs=60, answer_secs=60, program=PROGRAM) for _ in range(2)]
    ) as two:
        parts = await asyncio.gather(*(ask(two, str(number), busy_secs=0.02) for number in range(20)))
    assert [part.text for part in parts] == [str(number) for number in range(20)]
    assert len({part.pid for part in parts}) == 2


async def test_a_child_that_dies_is_started_again() -> None:
    """The one who asked has lost, the next one gets an answer."""
    async with child() as one:
        with pytest.raises(EngineLost, match="has ended"):
            await ask(one, die=True)
        assert (await ask(one)).text == "hello"


async def test_a_child_that_is_killed_between_questions_is_started_again() -> None:
    """A child that somebody killed is noticed, at the latest by the next who asks."""
    async with child() as one:
        pid = (await ask(one)).pid
        os.kill(pid, signal.SIGKILL)
        try:
            part = await ask(one)
        except EngineLost:
            part = await ask(one)
        assert part.pid != pid


async def test_an_answer_nobody_waits_for_is_thrown_away() -> None:
    """After a cancellation the next one gets his own answer, not the one before."""
    async with child() as one:
        await one.start()
        gone = asyncio.create_task(ask(one, "mine", busy_secs=0.3))
        await asyncio.sleep(0.1)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        assert (await ask(one, "yours")).text == "yours"


async def test_what_was_left_to_a_child_is_no_fault_of_the_next() -> None:
    """A child that hangs with a question whose asker has gone is ended and started again; the next gets his answer."""
    async with child(answer_secs=3.0) as one:
        pid = (await ask(one)).pid
        gone = asyncio.create_task(ask(one, busy_secs=600))
        await asyncio.sleep(0.1)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        part = await ask(one, "yours")
    assert part.text == "yours" and part.pid != pid


async def test_a_child_that_dies_of_what_was_left_to_it_is_started_again() -> None:
    """The one who asks after a question that nobody waits for, and that ends the child, gets his answer."""
    async with child() as one:
        await one.start()
        gone = asyncio.create_task(ask(one, die=True))
        while one._process is None or not one._unread:
            await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        assert (await ask(one, "yours")).text == "yours"


async def test_a_question_counts_and_has_its_time_from_when_it_is_asked() -> None:
    """Who waits for others is not asked yet: neither does his time run, nor does his sound count."""
    asked: list[int] = []

    async def one_of(children: Children, number: int) -> None:
        await children.ask({"busy_secs": 0.5}, bytes(3200), Answer, asked=lambda: asked.append(number))
        # The next one is told when we have gone, never before.
        assert asked == list(range(number + 1))

    async with Children([Child("echo", {}, start_secs=60, answer_secs=2.0, program=PROGRAM)]) as one:
        await one.start()
        async with asyncio.TaskGroup() as group:
            for number in range(6):
                group.create_task(one_of(one, number))
    assert asked == list(range(6))


async def test_opening_has_the_time_that_a_model_has_to_load() -> None:
    """An engine on this machine says itself that its model does not load, before who opens a session has to give up."""
    engine = Local({}, processes=1, longest_secs=30, pause_secs=0.6, start_secs=0.5, answer_secs=60)
    engine._child = partial(
        Child, "echo", {"load_secs": 600}, start_secs=0.5, answer_secs=60, program=PROGRAM
    )
    async with engine:
        with pytest.raises(EngineLost, match=r"not ready within 0\.5 s"):
            async with asyncio.timeout(engine.open_secs), engine.session(language="en"):
                pass


async def test_loading_goes_on_when_nobody_waits() -> None:
    """A model that takes long is loaded once, however often the waiting is given up."""
    async with child({"load_secs": 1.0}) as one:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await one.start()
        first = children_of_us()
        await one.start()
        assert {(await ask(one)).pid} <= first


async def test_who_opens_a_session_need_not_wait_for_others() -> None:
    """A child that is ready is ready also while it works for somebody."""
    async with child() as one:
        await one.start()
        working = asyncio.create_task(ask(one, busy_secs=60))
        await asyncio.sleep(0.1)
        await one.start()
        assert not working.done()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def test_it_does_not_get_our_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands in our environment besides paths stays with us."""
    monkeypatch.setenv("CLIENT_SECRET", "visible")
    async with child() as one:
        assert (await ask(one, "nothing", variable="CLIENT_SECRET")).text == "nothing"
        assert (await ask(one, "nothing", variable="PYTHONPATH")).text != "nothing"


async def test_a_child_that_hangs_is_ended() -> None:
    """One that does not answer in time is killed, and the next starts."""
    async with child(answer_secs=0.3) as one:
        await one.start()
        with pytest.raises(EngineStalled, match="did not answer"):
            await ask(one, busy_secs=60)
        await one.start()


async def test_a_child_that_cannot_work_says_why() -> None:
    """A sentence of the child is a refusal, with its words."""
    async with child({"refuse": True}) as one:
        with pytest.raises(EngineRefused, match="there is no model in here"):
            await one.start()


async def test_leaving_kills_a_busy_child() -> None:
    """A child in the middle of its work is gone when the engine is left, also by a cancellation."""
    started = asyncio.Event()

    async def work() -> None:
        async with child() as one:
            await one.start()
            started.set()
            await ask(one, busy_secs=60)

    task = asyncio.create_task(work())
    await started.wait()
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


def test_a_child_ends_when_its_parent_was_killed() -> None:
    """kill -9 of the daemon leaves no process behind: the child's input ends, and so does it."""
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from rtmsd_transcribe.engines.child import Child\n"
        "async def main():\n"
        "    child = Child('echo', {}, start_secs=60, answer_secs=60, program=Path(sys.argv[1]))\n"
        "    await child.start()\n"
        "    print(child._process.pid, flush=True)\n"
        "    await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", program, str(PROGRAM)], stdout=subprocess.PIPE, env=environment
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        stat = Path(f"/proc/{pid}/stat")
        assert stat.exists()
        parent.kill()
        parent.wait()
        # Whoever adopts it may reap it late: what matters is that it does not run any more.
        while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] not in "ZX":
            pass


async def test_the_loop_does_not_feel_a_busy_child() -> None:
    """While a child holds its interpreter's lock for seconds, our loop goes round as it did."""
    async with child() as one:
        await one.start()
        rounds, busy = 0, asyncio.create_task(ask(one, busy_secs=1.0))
        while not busy.done():
            await asyncio.sleep(0.001)
            rounds += 1
        await busy
    # In the loop's own process it would be one or two.
    assert rounds > 50
