"""Play every scenario with a sink, and tell in sentences what it did against its contract."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from structlog.testing import capture_logs

from rtmsd.api.sinks import SinkType
from rtmsd.api.testing import conduct, deletion, everyday, mishaps
from rtmsd.api.testing.bench import Bench, Outage, ReadBack, Stuck, Subject
from rtmsd.api.testing.report import ContractReport, Finding
from rtmsd.runtime.clock import Clock

Scenario = Callable[[Bench], Awaitable[None]]

SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        play.__name__: play
        for play in (
            conduct.sink_type,
            conduct.check,
            everyday.whole_stream,
            everyday.single_items,
            everyday.unknown_values,
            everyday.late_frames,
            everyday.only_the_end,
            everyday.odd_ids,
            everyday.two_streams,
            mishaps.retired_writer,
            mishaps.rejected_batch,
            mishaps.late_writer,
            mishaps.first_segment_unseen,
            mishaps.nothing_written,
            mishaps.restart,
            mishaps.cancelled,
            mishaps.outage,
            deletion.purge_before,
            deletion.purge_during,
            deletion.purge_after,
            conduct.event_loop,
            conduct.nothing_left,
        )
    }
)
"""The scenarios by name, in the order in which they are played."""

_LONGEST = 6
"""How many times the patience for one call a scenario may take."""


async def check_sink(
    sink_type: SinkType,
    options: Any,
    *,
    tmp_path: Path,
    read_back: ReadBack | None = None,
    outage: Outage | None = None,
    unusable: Any = None,
    skip: Mapping[str, str] | None = None,
    patience_secs: float = 10.0,
) -> ContractReport:
    """Check a sink against the contract in `rtmsd.api.sinks`; raise ContractBroken with a sentence for each broken rule.

    The sink is served by rtmsd's own lane and pump, once for each of SCENARIOS, and works as it would in the daemon:
    `options` are an instance of its options, that point to a destination of the test, below `tmp_path` if it is one of
    files. Three arguments let more be checked. `read_back(stream, frame)` says how often a frame can be read where the
    sink puts it (0 when there is nothing of the stream). `outage()` is a context manager that makes the destination
    refuse. `unusable` are options with which `check` must raise SinkError. `skip` names scenarios that make no sense
    for this sink, each with the reason. A call of the sink may take `patience_secs`.
    """
    if not isinstance(options, sink_type.options):
        raise TypeError(f"options: expected a {sink_type.options.__name__}, got a {type(options).__name__}")
    skipped = dict(skip or {})
    if unknown := sorted(skipped.keys() - SCENARIOS.keys()):
        raise ValueError(f"skip: there is no scenario {unknown[0]!r}; there are {', '.join(SCENARIOS)}")
    if outage is None:
        skipped.setdefault("outage", "no `outage` was given")
    subject = Subject(
        sink_type=sink_type,
        options=options,
        directory=tmp_path,
        read_back=read_back,
        outage=outage,
        unusable=unusable,
        patience_secs=patience_secs,
        clock=Clock(),
    )
    findings: list[Finding] = []
    with capture_logs():  # the pump's words about faults that are meant
        for name, play in SCENARIOS.items():
            if name not in skipped:
                bench = Bench(subject, name)
                await _play(bench, play)
                findings += bench.findings
    report = ContractReport(
        sink_type=sink_type.name,
        played=tuple(name for name in SCENARIOS if name not in skipped),
        skipped=skipped,
        findings=tuple(_once(findings)),
    )
    if report.findings:
        report.raise_broken()
    return report


def check_sink_sync(sink_type: SinkType, options: Any, **arguments: Any) -> ContractReport:
    """Do what `check_sink` does, in an event loop of its own."""
    return asyncio.run(check_sink(sink_type, options, **arguments))


async def _play(bench: Bench, play: Scenario) -> None:
    """Play one scenario to its end, or until there is no hope for it."""
    task = asyncio.ensure_future(play(bench))
    try:
        await asyncio.wait({task}, timeout=_LONGEST * bench.patience_secs)
        if not task.done():
            bench.stuck("the scenario")
            task.cancel()
            await asyncio.wait({task}, timeout=bench.patience_secs)
    finally:
        task.cancel()
    try:
        if task.done() and not task.cancelled():
            task.result()
    except Stuck:
        pass  # and told


def _once(findings: Iterable[Finding]) -> list[Finding]:
    """Tell what happened in several scenarios once, with all their names."""
    scenarios: dict[tuple[str, str, str], list[Finding]] = {}
    for one in findings:
        scenarios.setdefault((one.expected, one.did, one.rule), []).append(one)
    return [
        Finding(", ".join(dict.fromkeys(one.scenario for one in same)), *key, same[0].error)
        for key, same in scenarios.items()
    ]
