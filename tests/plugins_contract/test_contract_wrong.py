"""A sink that breaks a rule is told so in a sentence that names the rule; each here breaks one."""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from memory_sink import MemoryOptions, MemorySink, Store, sink_type, wants
from wrong_sinks import WRONG, LeavesAFile, LeavesATask, LeavesAThread, ThawedOptions

from rtmsd.api import MediaKind, SinkType, sinks
from rtmsd.api.testing import SCENARIOS, ContractBroken, check_sink, check_sink_sync, rules


@pytest_asyncio.fixture(autouse=True)
async def _clean_up() -> AsyncIterator[None]:
    LeavesAThread.stop.clear()
    yield
    LeavesAThread.stop.set()
    for task in LeavesATask.tasks:
        task.cancel()
    await asyncio.gather(*LeavesATask.tasks, return_exceptions=True)
    for task in asyncio.all_tasks():
        if task.get_name() == "the check's pump":  # its sink ignored that it was cancelled
            task.cancel()
            await asyncio.wait({task}, timeout=5)
    for file in LeavesAFile.files:
        file.close()
    LeavesATask.tasks.clear()
    LeavesAFile.files.clear()


async def findings(kind: SinkType, options: Any, tmp_path: Path, **more: Any) -> ContractBroken:
    with pytest.raises(ContractBroken) as caught:
        await check_sink(kind, options, tmp_path=tmp_path, **{"patience_secs": 0.5} | more)
    return caught.value


def all_but(scenario: str) -> dict[str, str]:
    return {name: "not asked here" for name in SCENARIOS if name != scenario}


@pytest.mark.parametrize("name", WRONG)
async def test_a_wrong_sink_is_told_what_it_did(tmp_path: Path, name: str) -> None:
    """The scenario that is meant for it tells the rule, and what it did."""
    store, case = Store(), WRONG[name]
    broken = await findings(
        sink_type(case.sink),
        MemoryOptions(store=store),
        tmp_path,
        read_back=store.count,
        outage=store.outage,
        unusable=MemoryOptions(store=store, usable=False),
        skip=all_but(case.scenario),
        # Some wrong sinks take just longer than this; that scenario has much to do, on a machine that may be busy.
        patience_secs=2.0 if case.scenario == "nothing_left" else 0.5,
    )
    told = [str(finding) for finding in broken.report.findings]
    assert [one for one in told if case.rule in one and case.words in one], "\n".join(told)
    assert all(one in str(broken) for one in told) and "'memory'" in str(broken)


def test_every_scenario_can_fail() -> None:
    """There is no scenario that finds nothing: each has a wrong sink, or a test of its own below."""
    assert {case.scenario for case in WRONG.values()} | {"sink_type"} == set(SCENARIOS)


async def test_a_wrong_sink_is_told_everything(tmp_path: Path) -> None:
    """All scenarios are played whatever the first ones find; what happens in several is told once."""
    store = Store()
    kind = sink_type(WRONG["DropsLateFrames"].sink)
    broken = await findings(kind, MemoryOptions(store=store), tmp_path, read_back=store.count)
    assert broken.report.played == tuple(name for name in SCENARIOS if name != "outage")
    told = [(one.expected, one.did, one.rule) for one in broken.report.findings]
    assert len(told) == len(set(told))


async def test_options_must_be_frozen(tmp_path: Path) -> None:
    """Options that somebody could change later are told."""
    kind = SinkType("memory", ThawedOptions, wants, MemorySink)
    store = Store()
    broken = await findings(kind, ThawedOptions(store=store), tmp_path, skip=all_but("sink_type"))
    [finding] = broken.report.findings
    assert finding.scenario == "sink_type" and finding.rule == rules.OPTIONS


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([{"audio"}], "to return a frozenset"),
        ([frozenset({MediaKind.AUDIO}), frozenset()], "the same each time"),
    ],
)
async def test_wants_must_be_steady(tmp_path: Path, answers: list[Any], words: str) -> None:
    """What a sink wants is a frozenset of media, and does not change."""
    turns = itertools.cycle(answers)
    kind = SinkType("memory", MemoryOptions, lambda options: next(turns), MemorySink)
    broken = await findings(kind, MemoryOptions(store=Store()), tmp_path, skip=all_but("sink_type"))
    assert any(
        words in finding.expected and finding.rule == rules.WANTS for finding in broken.report.findings
    )


async def test_what_the_sink_raised_is_the_cause(tmp_path: Path) -> None:
    """The author sees the traceback, and the line in the sentence."""
    kind, skip = sink_type(WRONG["ExpectsFrames"].sink), all_but("single_items")
    broken = await findings(kind, MemoryOptions(store=Store()), tmp_path, skip=skip)
    assert isinstance(broken.__cause__, AttributeError) and "(wrong_sinks.py, line " in str(broken)


async def test_scenarios_can_be_left_out(tmp_path: Path) -> None:
    """With a reason, which stands in the report; a name that is none is refused."""
    kind, options = sink_type(WRONG["NeverDeletes"].sink), MemoryOptions(store=Store())
    skip = {name: "this archive is never deleted" for name in SCENARIOS if name.startswith("purge")}
    report = await check_sink(kind, options, tmp_path=tmp_path, skip=skip)
    assert report.skipped == {**skip, "outage": "no `outage` was given"}
    assert set(report.played) | set(report.skipped) == set(SCENARIOS)
    with pytest.raises(ValueError, match=r"no scenario 'purge'.*purge_before"):
        await check_sink(kind, options, tmp_path=tmp_path, skip={"purge": "no"})
    with pytest.raises(TypeError, match="expected a MemoryOptions, got a dict"):
        await check_sink(kind, {}, tmp_path=tmp_path)


def test_without_an_event_loop(tmp_path: Path) -> None:
    """Authors who test without asyncio have the same check."""
    skip = all_but("whole_stream")
    report = check_sink_sync(
        sink_type(MemorySink), MemoryOptions(store=Store()), tmp_path=tmp_path, skip=skip
    )
    assert report.played == ("whole_stream",)
    with pytest.raises(ContractBroken):
        check_sink_sync(
            sink_type(WRONG["KeepsTheBatch"].sink), MemoryOptions(store=Store()), tmp_path=tmp_path, skip=skip
        )


def test_every_rule_stands_in_the_contract() -> None:
    """Findings quote the contract word for word, and every quoted rule is broken by a sink in these tests."""
    contract = " ".join(inspect.getsource(sinks).split())
    sentences = {name: value for name, value in vars(rules).items() if name.isupper()}
    for name, sentence in sentences.items():
        assert sentence in contract, name
    shown = {case.rule for case in WRONG.values()} | {rules.OPTIONS, rules.WANTS}
    assert sentences.keys() - {name for name, one in sentences.items() if one in shown} == {
        "DURABLE",  # told beside VALID
        "EMPTY_SEGMENT",  # told beside VALID
        "TAKEN",  # told beside BATCH_LIST
    }
