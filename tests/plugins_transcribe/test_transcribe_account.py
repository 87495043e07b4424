"""What was sent is counted, a day's ceiling holds across restarts, and open sessions are known after a crash."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import structlog
from fast_time import run_fast
from hearing_engine import HearingEngine
from structlog.testing import capture_logs
from transcribe_bench import ANN, SAID, STREAM, ZERO_MS, bench, frames

from rtmsd.api import SinkError
from rtmsd_transcribe.account import Account, OpenSession

DAY_MS = 86_400_000
SESSION = OpenSession("own", "s1", 7, ZERO_MS)


def account(tmp: Path, most: float = 0.0) -> Account:
    return Account(tmp / "account.json", most_per_day=most, log=structlog.get_logger())


def page(tmp: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((tmp / "account.json").read_text())
    return document


async def spend(one: Account, secs: float, media_ms: float = ZERO_MS) -> bool:
    if not await one.claim(secs, media_ms):
        return False
    one.settle(secs, "own", "s1", sent_secs=secs)
    return True


async def test_the_ceiling_holds_and_is_told_once(tmp_path: Path) -> None:
    """Not one second above it; the next day (UTC) there is a new one."""
    with capture_logs() as logs:
        async with account(tmp_path, 10.0) as one:
            taken = [await spend(one, 3.0) for _ in range(6)]
            assert taken == [True] * 3 + [False] * 3
            assert await spend(one, 1.0) and not await spend(one, 1.0)
            assert one.day_secs == 10.0
            assert await spend(one, 3.0, ZERO_MS + DAY_MS)
            assert one.sent == {"s1": {"own": 13.0}}
    assert [one["log_level"] for one in logs] == ["error"] and logs[0]["max_seconds_per_day"] == 10.0


async def test_a_restart_does_not_begin_the_day_anew(tmp_path: Path) -> None:
    """Stopped properly the count is exact."""
    async with account(tmp_path, 100.0) as one:
        await spend(one, 70.0)
    async with account(tmp_path, 100.0) as one:
        assert one.day_secs == 70.0
        assert await spend(one, 30.0) and not await spend(one, 0.1)


async def test_a_crash_never_makes_more_room(tmp_path: Path) -> None:
    """The file always says at least what was sent, and at most a minute more, but never more than the ceiling."""
    async with account(tmp_path, 300.0) as one:
        for number in range(1, 300):
            assert await spend(one, 1.0)
            assert number <= page(tmp_path)["secs"] <= min(number + 60.0, 300.0)


async def test_what_was_not_sent_is_not_counted(tmp_path: Path) -> None:
    """A piece that the engine did not take gives its seconds back."""
    async with account(tmp_path, 10.0) as one:
        for _ in range(5):
            assert await one.claim(8.0, ZERO_MS)
            one.settle(8.0, "own", "s1", sent_secs=0.0)
        assert one.day_secs == 0.0 and one.sent == {}


async def test_a_crash_shows_the_sessions_that_were_open(tmp_path: Path) -> None:
    """They stand in the file while they are open, and the next start tells of them, once and without a name."""
    async with account(tmp_path) as one, one.session(SESSION):
        assert page(tmp_path)["open"] == [
            {"engine": "own", "stream_id": "s1", "user_id": 7, "since_ms": ZERO_MS}
        ]
        left = (tmp_path / "account.json").read_bytes()
    assert page(tmp_path)["open"] == []
    (tmp_path / "account.json").write_bytes(left)
    for expected in (1, 0):
        with capture_logs() as logs:
            async with account(tmp_path) as one:
                await spend(one, 1.0)
        assert [one["engine"] for one in logs] == ["own"] * expected


@pytest.mark.parametrize("data", [b"", b"{", b'{"day": "x"}', b"[]", b"\xff"])
async def test_a_torn_file_is_no_trouble(tmp_path: Path, data: bytes) -> None:
    """The count begins anew."""
    (tmp_path / "account.json").write_bytes(data)
    async with account(tmp_path, 10.0) as one:
        assert one.day_secs == 0.0 and await spend(one, 1.0)


async def test_a_disk_that_refuses_is_told_and_stops_nothing(tmp_path: Path) -> None:
    """The count goes on in memory; check() says why the sink should not be started so."""
    (tmp_path / "account.part").mkdir()  # where the file is written
    with capture_logs() as logs:
        async with account(tmp_path, 5.0) as one:
            assert await spend(one, 5.0) and not await spend(one, 1.0)
    assert any("cannot be written" in one["event"] for one in logs)


async def test_check_refuses_a_state_that_cannot_be_written(tmp_path: Path) -> None:
    """With a sentence that names the directory."""
    async with bench(tmp_path, [HearingEngine()]) as one:
        (tmp_path / "state").write_text("a file")
        with pytest.raises(SinkError, match="state"):
            await one.sink.check()


def test_the_ceiling_of_a_meeting(tmp_path: Path) -> None:
    """Nothing is sent beyond it and no session opened any more; what was sent is answered, the rest told as lost."""

    async def play() -> None:
        engine = HearingEngine()
        names = ("begin", "open", "thursday", "late", "close")
        items = [frames(ANN, number * 20_000, SAID[name].pcm) for number, name in enumerate(names)]
        first_secs = SAID["begin"].duration_ms / 1000
        async with bench(tmp_path, [engine], most=first_secs + 1.0) as one:
            async with one.sink.open(STREAM, 0) as writer:
                for sentence in items:
                    await writer.write(sentence)
                    await asyncio.sleep(5.0)
            assert [line[1] for line in one.lines] == [SAID["begin"].text]
            assert engine.secs <= first_secs + 1.0 and engine.tries == 2
            assert one.lost_seconds > 5.0
            assert sum("ceiling" in line for line in one.logged) == 1
        async with bench(tmp_path, [engine], most=first_secs + 1.0) as again:
            await again.hear([item for sentence in items for item in sentence])
            assert engine.tries == 2 and again.lines == []

    run_fast(play(), 10.0)


def test_the_stream_is_forgotten(tmp_path: Path) -> None:
    """Nothing of a stream that is over stays in memory, and its end tells the seconds."""

    async def play() -> None:
        async with bench(tmp_path, [HearingEngine()]) as one:
            await one.hear(frames(ANN, 0, SAID["begin"].pcm))
            assert one.seconds == {"hearing": round(one.engines[0].secs, 1)}
            assert one.sink._account.sent == {} and one.sink._open == {}
        assert STREAM.stream_id not in (tmp_path / "state" / "account.json").read_text()

    run_fast(play(), 10.0)
