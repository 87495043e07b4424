"""What the doctor reads out of the journal: which events never came, and which streams were refused."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import past_rows
import pytest
from examined import MANUAL, app, case, config
from past_rows import At, T, journal, note

from rtmsd.config import AppConfig
from rtmsd.diagnosis.arrivals import STOP_MS, arrivals, missing
from rtmsd.diagnosis.finding import Finding
from rtmsd.diagnosis.mixups import credentials
from rtmsd.state import Journal, StreamRow

RTMS = ("meeting.rtms_started", "meeting.rtms_stopped")
LIFE = ("meeting.started", "meeting.participant_joined", "meeting.ended")


stream = partial(past_rows.stream, until=0)
"""One that begins and ends at T."""


def lacks(
    which: AppConfig, events: Sequence[str], *streams: StreamRow, now_ms: int = T + STOP_MS + 1
) -> list[str]:
    return list(missing(which, dict.fromkeys(events, (1, T)), streams, now_ms=now_ms))


@pytest.mark.parametrize(
    ("changes", "events", "words"),
    [
        ({}, RTMS, []),
        ({}, (), []),
        ({}, ("meeting.started",), ["rtms_started", "rtms_stopped"]),
        ({}, ("webinar.rtms_started",), ["rtms_stopped"]),
        ({"start": "manual", "manual": MANUAL}, (*RTMS, *LIFE), []),
        ({"start": "manual", "manual": MANUAL}, RTMS, ["meeting.started never"]),
        ({"start": "manual", "manual": MANUAL}, (*RTMS, "meeting.started"), ["participant_joined"]),
        ({"manual": MANUAL}, RTMS, []),
        ({"manual": MANUAL}, (*RTMS, "meeting.started"), ["participant_joined"]),
        ({"start": "manual", "manual": MANUAL}, LIFE, ["rtms_stopped"]),
        ({"manual": MANUAL}, LIFE, ["rtms_started", "rtms_stopped"]),
    ],
)
def test_what_never_came(changes: dict[str, Any], events: Sequence[str], words: list[str]) -> None:
    """An app lacks what it needs and never got, by how its streams begin; of one that got nothing, nothing is said."""
    told = lacks(app(**changes), events, stream("a"))
    assert len(told) == len(words) and all(word in one for word, one in zip(words, told, strict=True)), told


def test_a_stop_may_be_on_its_way() -> None:
    """The stop webhook is not missed for ten minutes, nor while no stream has ended."""
    started = ("meeting.rtms_started",)
    assert lacks(app(), started, stream("a"), now_ms=T + STOP_MS) == []
    assert lacks(app(), started, stream("a", until=None)) == []


def came(*events: str) -> tuple[tuple[str, int, str], ...]:
    """Events of the app notes, one a second, which nobody has handled."""
    return tuple((event, secs, "") for secs, event in enumerate(events))


async def found(path: Path, *apps: AppConfig) -> tuple[Finding, Finding]:
    async with case(config(apps=apps or (app(),), state_dir=path), clock=At(2 * STOP_MS / 1000)) as one:
        return await arrivals(one), await credentials(one)


async def test_no_journal_yet(tmp_path: Path) -> None:
    """Before the first start there is nothing to read, which is no fault; nothing is created."""
    events, odd = await found(tmp_path / "state")
    assert events.state == "skipped" and "has rtmsd ever run" in events.sentence and odd.state == "ok"
    assert not (tmp_path / "state").exists()


async def test_nothing_has_come(tmp_path: Path) -> None:
    """An empty journal is no fault of the journal's; the sentence says where to look."""
    await journal(tmp_path)
    events, odd = await found(tmp_path)
    assert events.state == "skipped" and "no-webhook" in events.sentence and odd.state == "ok"


async def test_what_has_come_is_counted(tmp_path: Path) -> None:
    """Event by event, app by app, also while a daemon has the journal open."""
    async with Journal.open(tmp_path, At(0)):
        pass
    await journal(tmp_path, stream("a"), events=came(RTMS[0], *RTMS))
    async with Journal.open(tmp_path, At(0)):
        events, odd = await found(tmp_path, app(), app("sales"))
    assert events.state == "ok" and odd.state == "ok", (events, odd)
    assert "meeting.rtms_started 2×, meeting.rtms_stopped 1×, last 2025-02-01T06:40Z" in events.sentence
    assert "App sales: nothing yet." in events.sentence


async def test_an_event_that_is_not_ticked(tmp_path: Path) -> None:
    """The app and the event are named, and where to tick it."""
    await journal(tmp_path, stream("a"), events=came(RTMS[0]))
    events, _ = await found(tmp_path)
    assert events.state == "broken" and "App notes" in events.sentence and "rtms_stopped" in events.sentence
    assert "Event subscription" in events.sentence


async def test_a_start_by_hand_may_still_be_on_its_way(tmp_path: Path) -> None:
    """During the first meeting of a manual app no stream has ever begun: that is noted with what was last refused, the chain
    is whole, and what comes after is looked at."""
    await journal(tmp_path, events=came(*LIFE))
    manual = app(start="manual", manual=MANUAL)
    events, odd = await found(tmp_path, manual)
    assert events.state == "ok" and "No request to start it has been followed" in events.sentence, events
    assert "The last that failed" not in events.sentence and odd.state == "ok"
    notes = [("refused", "Old."), ("never_started", "The host is away."), ("gap", "A hole.")]
    await journal(tmp_path, *(note(kind, sentence, problem=True) for kind, sentence in notes))
    events, _ = await found(tmp_path, manual)
    assert events.state == "ok" and "The last that failed: The host is away." in events.sentence
    await journal(tmp_path, events=came(RTMS[0]))
    events, _ = await found(tmp_path, manual)
    assert "No request" not in events.sentence


async def test_a_stream_that_was_refused(tmp_path: Path) -> None:
    """The last stream of an app ended with 18: app, stream and page are named; a later good one clears it."""
    await journal(tmp_path, stream("good", uuid="v=="), stream("bad", reason=18))
    _, odd = await found(tmp_path)
    assert odd.state == "broken" and "app notes" in odd.sentence and "bad" in odd.sentence
    assert "development or production" in odd.sentence and "two builds" not in odd.sentence
    await journal(tmp_path, stream("later", uuid="w=="))
    _, odd = await found(tmp_path)
    assert odd.state == "ok", odd


async def test_two_builds_of_one_app(tmp_path: Path) -> None:
    """Both stream the same user's meeting: a warning; one of them was refused: that is the broken link, and it is said."""
    both = [stream("a", app="dev"), stream("b", app="prod")]
    await journal(tmp_path, *both)
    _, odd = await found(tmp_path, app("dev"), app("prod"))
    assert odd.state == "ok" and "Apps dev and prod" in odd.sentence and "uninstall one" in odd.sentence
    await journal(
        tmp_path, stream("c", app="prod", uuid="x==", reason=18), stream("d", app="dev", uuid="x==")
    )
    _, odd = await found(tmp_path, app("dev"), app("prod"))
    assert odd.state == "broken" and "credentials of app prod" in odd.sentence
    assert "App dev had a stream of that meeting too" in odd.sentence


async def test_two_apps_of_two_users_are_no_mix_up(tmp_path: Path) -> None:
    """Different users may have different apps in one meeting."""
    await journal(tmp_path, stream("a", app="dev"), stream("b", app="prod", operator="ben"))
    _, odd = await found(tmp_path, app("dev"), app("prod"))
    assert odd.sentence == "Nothing is odd about them."
