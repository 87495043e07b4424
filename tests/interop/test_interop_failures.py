"""Zoom's own client is refused, dropped and told of ends in every way, and says of each what it is known to say (official-sdk.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sdk_process import SdkRun, Webhooks, needs_sdk, sdk

from rtmsd.protocol.codes import StatusCode, StopReason
from rtmsd.simulator import Drops, Ends, Joins, Meeting, Person, Simulator
from rtmsd.simulator.actions import StreamAction
from rtmsd.simulator.behaviour import Behaviour
from rtmsd.simulator.fault_actions import Refuses

pytestmark = needs_sdk

ADA = 16778240
STATUSES = [status for status in StatusCode if status is not StatusCode.STATUS_OK]
AT_ONCE = 24


def meeting(*happens: StreamAction) -> Meeting:
    return Meeting((Person(ADA, "Ada"),), (Joins(0, ADA), *happens), 120_000)


async def outcomes(
    meetings: Mapping[Any, Meeting],
    tmp: Path,
    callback: str,
    actions: Mapping[Any, StreamAction] | None = None,
) -> dict[Any, int]:
    """Let the SDK join all these meetings in one process; give the first reason of this callback for each.

    `actions` is what is done to a meeting once the SDK has joined it.
    """
    said: dict[Any, int] = {}
    names = list(meetings)
    for start in range(0, len(names), AT_ONCE):
        some = {name: meetings[name] for name in names[start : start + AT_ONCE]}
        said |= await _outcomes_of_some(some, tmp, callback, actions or {})
    return said


async def _outcomes_of_some(
    meetings: Mapping[Any, Meeting], tmp: Path, callback: str, actions: Mapping[Any, StreamAction]
) -> dict[Any, int]:
    webhooks = Webhooks()
    async with Simulator(on_webhook=webhooks) as simulator:
        plays, names = [], {}
        for name, what in meetings.items():
            known = len(webhooks.events)
            plays.append(asyncio.create_task(simulator.play(meeting=what)))
            while len(webhooks.events) == known:
                await asyncio.sleep(0)
            names[webhooks.events[-1][1]["rtms_stream_id"]] = name
        try:
            started = [payload for _, payload in webhooks.events]
            async with sdk(simulator, started, tmp, script="sdk_many.py") as run:
                if actions:
                    await run.until(lambda: _joined(run) == names.keys())
                    for stream_id, name in names.items():
                        simulator.do(actions[name], stream_id=stream_id)
                await run.until(lambda: {one["stream"] for one in run.of(callback)} == names.keys())
                return {names[one["stream"]]: one["reason"] for one in reversed(run.of(callback))}
        finally:
            for play in plays:
                play.cancel()
                with suppress(asyncio.CancelledError):
                    await play


def _joined(run: SdkRun) -> set[str]:
    return {one["stream"] for one in run.of("join_confirm") if one["reason"] == 0}


@pytest.mark.parametrize("socket", ["signaling", "audio"])
async def test_every_handshake_status_is_the_reason_of_the_join(
    tmp_path: Path, proof: list[str], socket: str
) -> None:
    """Status n in message 2, or in message 4, is join confirm n."""
    meetings = {
        int(status): meeting(Refuses(0, socket, status=status, times=0))  # type: ignore[arg-type]  # the two above
        for status in STATUSES
    }
    said = await outcomes(meetings, tmp_path, "join_confirm")
    assert said == {int(status): int(status) for status in STATUSES}
    proof.append(
        f"Zoom's SDK gave the number of each {socket} handshake status from {min(said)} to {max(said)} as its join reason"
    )


async def test_every_stop_reason_is_the_reason_of_the_leave(tmp_path: Path, proof: list[str]) -> None:
    """TERMINATED with reason r is leave r."""
    reasons = [int(reason) for reason in StopReason]
    meetings = {reason: meeting() for reason in reasons}
    said = await outcomes(meetings, tmp_path, "leave", {reason: Ends(0, reason) for reason in reasons})
    assert said == {reason: reason for reason in reasons}
    proof.append(f"Zoom's SDK gave each stop reason from 0 to {max(reasons)} as its leave reason")


async def test_a_socket_that_is_ended_is_the_end_for_the_sdk(tmp_path: Path, proof: list[str]) -> None:
    """A Close frame of any code on either socket is leave 960, TLS ended without one 613; it does not come back."""
    drops: dict[tuple[str, str, int], StreamAction] = {
        (socket, how, code): Drops(0, socket, how, code)  # type: ignore[arg-type]  # of these words
        for socket in ("signaling", "audio")
        for how, code in (("close", 1000), ("close", 1001), ("close", 1011), ("close", 4000), ("eof", 1000))
    }
    said = await outcomes({key: meeting() for key in drops}, tmp_path, "leave", drops)
    assert said == {key: 613 if key[1] == "eof" else 960 for key in drops}
    proof.append(f"Zoom's SDK left with 960 or 613 after {len(drops)} ways of ending a socket")


async def test_a_handshake_that_is_closed_is_960(tmp_path: Path) -> None:
    """A bare Close frame in place of an answer, on either socket, is join confirm 960: seed report 142247."""
    meetings = {
        socket: meeting(Refuses(0, socket, "close", times=0))  # type: ignore[arg-type]  # the two below
        for socket in ("signaling", "audio")
    }
    assert await outcomes(meetings, tmp_path, "join_confirm") == {"signaling": 960, "audio": 960}


async def test_what_keeps_failing_is_given_up(tmp_path: Path, proof: list[str]) -> None:
    """A server that never answers is join confirm 1, one that is lost and stays away leave 502, each after 10 s."""
    silent = {"silent": meeting(Refuses(0, "signaling", "never", times=0))}
    away: dict[str, StreamAction] = {"away": Drops(0, "signaling", seconds=100)}
    (tmp_path / "2").mkdir()
    joins, leaves = await asyncio.gather(
        outcomes(silent, tmp_path, "join_confirm"),
        outcomes({"away": meeting()}, tmp_path / "2", "leave", away),
    )
    assert (joins, leaves) == ({"silent": 1}, {"away": 502})
    proof.append("Zoom's SDK gave up with join reason 1 and leave reason 502")


async def test_the_sdk_comes_back_later_each_time(tmp_path: Path, proof: list[str]) -> None:
    """After the first reset it waits a second, after the second two, though it was joined in between."""
    webhooks = Webhooks()
    async with Simulator(meeting=meeting(), on_webhook=webhooks) as simulator, asyncio.TaskGroup() as tasks:
        play = tasks.create_task(simulator.play())
        await webhooks.started.wait()
        async with sdk(simulator, webhooks.events[0][1], tmp_path) as run:
            lost: list[float] = []
            for number in (1, 2):
                await run.until(lambda number=number: _sent(simulator, 7) == number)  # type: ignore[misc]
                lost.append(max(one.at for one in simulator.received))
                await simulator.drop("signaling")
            await run.until(lambda: _sent(simulator, 7) == 3)
        _, *again = [one.at for one in simulator.received if one.message.get("msg_type") == 1]
        play.cancel()
    assert [one["callback"] for one in run.said if one["callback"] in ("join_confirm", "leave")] == [
        "join_confirm"
    ]
    # Its own timer is not exact.
    assert again[0] - lost[0] > 0.9 and again[1] - lost[1] > 1.8
    proof.append("Zoom's SDK came back after two resets, a second and two seconds later, without a word")


def _sent(simulator: Simulator, msg_type: int) -> int:
    return sum(one.message.get("msg_type") == msg_type for one in simulator.received)


UNDISTURBED = (
    "text_frames",
    "mixed_frames",
    "fragments",
    "twice",
    "unknown_fields",
    "unknown_messages",
    "rubbish",
    "cut_off",
    "oversized",
    "reason_only",
    "old_statuses",
    "no_padding",
    "lying_length",
)


async def test_the_sdk_and_messages_that_are_wrong(tmp_path: Path, proof: list[str]) -> None:
    """It joins and ends through what it ignores; without an object of parameters its join fails with 6."""
    ends = {word: Ends(0, 6) for word in UNDISTURBED}
    said = await outcomes({word: _distorted(word) for word in UNDISTURBED}, tmp_path, "leave", ends)
    assert said == dict.fromkeys(UNDISTURBED, 6)
    assert await outcomes({"null": _distorted("null_params")}, tmp_path, "join_confirm") == {"null": 6}
    proof.append(f"Zoom's SDK joined and left through {len(UNDISTURBED)} distortions")


def _distorted(word: str) -> Meeting:
    return replace(meeting(), behaviour=Behaviour(distort=(word,)))
