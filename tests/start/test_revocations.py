"""Stop reason 8: everything that was recorded of a stream goes, whenever it comes and under whichever id (protocol.md §6.6)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from test_start_coordinator import Scene, scene

from rtmsd.state.journal import Journal
from rtmsd.streams import roster


async def ended(one: Scene) -> None:
    while not all(stream.ended for stream in one.streams.streams):
        await asyncio.sleep(0.01)


async def revoked(one: Scene, names: Sequence[str]) -> bool:
    """Wait until these are deleted, and see that nothing else is."""
    while {info.stream_id for info in one.revoked} < set(names):
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    return {info.stream_id for info in one.revoked} == set(names)


async def test_what_is_revoked_is_deleted_though_the_stream_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many streams may have ended since: what is not remembered any more is in the journal."""
    monkeypatch.setattr(roster, "ENDED_KEPT", 1)
    async with scene(tmp_path) as one:
        for name in ("s1", "s2", "s3"):
            await one.tell("started", stream=name, operator=name)
            await one.tell("stopped", stream=name)
            await ended(one)
        assert one.streams.get("s1") is None
        await one.tell("stopped", stream="s1", reason=8)
        assert (await one.notes("s1"))[
            -1
        ] == "The stream was recorded before; what is there of it is deleted."
        assert await revoked(one, ["s1"])


@pytest.mark.parametrize("id_that_is_revoked", ["a", "b"])
async def test_a_stream_that_went_on_is_revoked_by_either_id(tmp_path: Path, id_that_is_revoked: str) -> None:
    """The recording is one: revoked under its former id it ends and goes, too."""
    async with scene(tmp_path) as one:
        await one.tell("started", stream="a")
        await one.tell("started", stream="b")
        assert one.streams.announced("b") is one.streams.get("a")
        await one.tell("stopped", stream=id_that_is_revoked, reason=8)
        await ended(one)
        assert await revoked(one, ["a"])


async def test_a_former_ids_ordinary_end_is_still_not_the_end(tmp_path: Path) -> None:
    """Only a revocation reaches further than the id that it names."""
    async with scene(tmp_path) as one:
        await one.tell("started", stream="a")
        await one.tell("started", stream="b")
        await one.tell("stopped", stream="a", reason=6)
        assert not one.streams.streams[0].ended and one.revoked == []


@pytest.mark.parametrize("revoked_while", ["living", "remembered"])
async def test_recordings_that_are_forgotten_go_with_the_one_that_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, revoked_while: str
) -> None:
    """A stream that was given up and joined again has several recordings, of which the roster may know only the last."""
    monkeypatch.setattr(roster, "ENDED_KEPT", 1)
    async with scene(tmp_path) as one:
        await one.tell("started")
        await one.lose("s1")
        await one.tell("started")
        await one.tell("started", stream="other", operator="ben")
        await one.tell("stopped", stream="other")
        while one.streams.get("s1") is not None:
            await asyncio.sleep(0.01)
        assert [stream.info.stream_id for stream in one.streams.streams] == ["s1-2", "other"]
        if revoked_while == "remembered":
            await one.tell("stopped", stream="s1")
            while one.streams.streams[0].info.stream_id == "s1-2" and not one.streams.streams[0].ended:
                await asyncio.sleep(0.01)
        await one.tell("stopped", stream="s1", reason=8)
        assert await revoked(one, ["s1", "s1-2"])


async def test_a_revocation_is_the_last_word(tmp_path: Path) -> None:
    """What Zoom says of the end afterwards does not hide why the recording is gone."""
    async with scene(tmp_path) as one:
        await one.tell("started")
        await one.tell("stopped")
        await ended(one)
        for reason in (8, 19):
            await one.tell("stopped", reason=reason)
        [row] = await one.journal.recent_streams()
        assert (row.reason, one.streams.streams[0].explanation) == (8, roster.Explanation("ended 8", False))


async def test_a_stream_is_found_by_each_of_its_ids(tmp_path: Path) -> None:
    """By ours, by Zoom's, of the app that asks, the oldest first."""
    async with scene(tmp_path) as one:
        await one.tell("started", stream="a")
        await one.tell("started", stream="b")
        await one.tell("started", stream="c", of="other")
        journal: Journal = one.journal

        async def found(app: str, zoom_id: str) -> list[str]:
            return [row.info.stream_id for row in await journal.streams_called(app, [zoom_id])]

        assert [await found("notes", name) for name in ("a", "b", "c", "x")] == [["a"], ["a"], [], []]
        assert await found("other", "c") == ["c"]
